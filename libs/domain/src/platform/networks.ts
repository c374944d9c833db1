import { type NetworkRequest, requestFields } from '../builds/build-request.ts';
import { type Fault, fieldFault } from '../errors/fault.ts';
import { closedBlocks } from './addresses.ts';

/** What one build may reach; blocks are addresses with a number of bits, of IPv4 or IPv6. */
export interface NetworkRules {
  resolvers: readonly string[];
  /** Open whatever else is said. */
  allow: readonly string[];
  deny: readonly string[];
  /** When there are any, nothing else is open. */
  only: readonly string[];
  /** Most connections at once. */
  connections: number;
  /** Which way out: 0 is the machine's own, others are the operator's, in their order. */
  way: number;
}

/** What a security group says beside its network. */
interface Group {
  allow: readonly string[];
  only: readonly string[];
}

/** A network that builds may be in, as an operator describes it. */
export interface Network {
  /** Blocks of closed addresses that are open here. */
  allow: readonly string[];
  /** Further closed blocks. */
  deny: readonly string[];
  /** When there are any, the only open blocks. */
  only: readonly string[];
  /** Blocks within which a request may open more. */
  extendable: readonly string[];
  connections: number;
  /** Which of the builder's ways out each route of a request means: 0 is the machine's own. */
  routes: { eth0: number; eth1: number };
  groups: Record<string, Group>;
}

/** Where an operator describes none, and for requests without a name where they describe no `default`. */
const publicNetwork: Network = {
  allow: [],
  deny: [],
  only: [],
  extendable: [],
  connections: 1024,
  routes: { eth0: 0, eth1: 0 },
  groups: {},
};

const toBits = (text: string): { family: 4 | 6; bits: bigint; length: number } => {
  const [address = '', length] = text.split('/');
  if (!address.includes(':')) {
    const bits = address.split('.').reduce((sum, it) => (sum << 8n) | BigInt(it), 0n);
    return { family: 4, bits, length: Number(length) };
  }
  // The URL parser writes out every form of an address the same way.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const words = (it: string) => it.split(':').filter(Boolean);
  const last = words(tail ?? '');
  const first = words(head);
  const all =
    tail === undefined ? first : [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  return { family: 6, bits: all.reduce((sum, it) => (sum << 16n) | BigInt(`0x${it}`), 0n), length: Number(length) };
};

/** Whether a block lies within another. */
export function isWithin(inner: string, outer: string): boolean {
  const [a, b] = [toBits(inner), toBits(outer)];
  if (a.family !== b.family || a.length < b.length) return false;
  const shift = BigInt((a.family === 4 ? 32 : 128) - b.length);
  return a.bits >> shift === b.bits >> shift;
}

const { network: networkField, networkName, networkGroup, openBlocks: openBlocksField } = requestFields;
const wrong = (field: string, why: string): Fault => fieldFault('InvalidParameter', field, why);

/**
 * What a request may reach: the network that it names, narrowed and widened as it says and the operator lets it. Where
 * an operator describes no networks at all, every name stands for the public one.
 * @returns besides, what its sender is told, where that is not what the request says
 * @throws Fault InvalidParameter that names the field
 */
export function networkOf(
  networks: Record<string, Network>,
  request: NetworkRequest = {},
): { network: Omit<NetworkRules, 'resolvers'>; note?: string } {
  const { name, route = 'eth0' } = request;
  if (Object.keys(networks).length === 0) {
    const note = `${networkField}: no networks are described here; instead of ${name ?? 'that'}, the build has the public network`;
    const isNamed = [name, request.subnet, request.group, request.openBlocks?.[0]].some((it) => it !== undefined);
    return { network: rulesOf(publicNetwork, undefined, [], 'eth0'), ...(isNamed ? { note } : {}) };
  }
  const network = Object.hasOwn(networks, name ?? 'default')
    ? networks[name ?? 'default']
    : name === undefined
      ? publicNetwork
      : undefined;
  if (!network)
    throw wrong(networkName, `there is no network ${JSON.stringify(name)} here; an operator has to describe it`);
  const group = groupOf(network, request);
  return { network: rulesOf(network, group, extensionsOf(network, request), route) };
}

/** Without a network, a group says nothing, as in the cloud; nor does one of a network that has no groups. */
function groupOf(network: Network, { name, group: id }: NetworkRequest): Group | undefined {
  if (name === undefined || id === undefined || Object.keys(network.groups).length === 0) return undefined;
  const group = Object.hasOwn(network.groups, id) ? network.groups[id] : undefined;
  if (!group) throw wrong(networkGroup, `network ${name} has no group ${JSON.stringify(id)}`);
  return group;
}

/** The blocks that a request opens besides. */
function extensionsOf(network: Network, { name = 'default', openBlocks: more = [] }: NetworkRequest): string[] {
  for (const it of more)
    if (!network.extendable.some((outer) => isWithin(it, outer)))
      throw wrong(openBlocksField, `${it} is not within what network ${name} lets requests open`);
  for (const it of more)
    if (network.deny.some((closed) => isWithin(it, closed) || isWithin(closed, it)))
      throw wrong(openBlocksField, `${it} has to do with what network ${name} keeps closed`);
  return more;
}

const rulesOf = (
  network: Network,
  group: Group | undefined,
  more: readonly string[],
  route: 'eth0' | 'eth1',
): Omit<NetworkRules, 'resolvers'> => ({
  allow: [...network.allow, ...(group?.allow ?? []), ...more],
  deny: [...closedBlocks, ...network.deny],
  // What a group narrows stays narrow, whatever the network opens.
  only: group && group.only.length > 0 ? group.only : network.only,
  connections: network.connections,
  way: network.routes[route],
});
