import { z } from 'zod';
import { Fault, closedBlocks } from '@kiln/domain';
import { type CreateImageBuildBody } from '../pai/image-build.ts';

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

const block = z.union([z.cidrv4(), z.cidrv6()]);
const blocks = z.array(block).max(256).default([]);

/** What a security group says beside its network. */
const groupSchema = z.strictObject({ allow: blocks, only: blocks });
type Group = z.infer<typeof groupSchema>;

/** A network that builds may be in, as an operator writes it. */
export const networkSchema = z.strictObject({
  /** Blocks of closed addresses that are open here. */
  allow: blocks,
  /** Further closed blocks. */
  deny: blocks,
  /** When there are any, the only open blocks. */
  only: blocks,
  /** Blocks within which a request may open more, by `ExtendedCidrs`. */
  extendable: blocks,
  connections: z.int().min(1).max(65_536).default(1024),
  /** Which of the builder's ways out `DefaultRoute` means: 0 is the machine's own. */
  routes: z
    .strictObject({ eth0: z.int().min(0).max(9).default(0), eth1: z.int().min(0).max(9).default(0) })
    .prefault({}),
  groups: z.record(z.string(), groupSchema).default({}),
});
export type Network = z.infer<typeof networkSchema>;

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

const wrong = (field: string, why: string) =>
  new Fault('InvalidParameter', `UserVpc.${field}: ${why}`, { field: `UserVpc.${field}` });

const publicNetwork = networkSchema.parse({});

/**
 * What a request may reach: the network that it names, narrowed and widened as it says and the operator lets it. Where
 * an operator describes no networks at all, every name stands for the public one.
 * @returns besides, what its sender is told, where that is not what the request says
 * @throws Fault InvalidParameter that names the field
 */
export function networkOf(
  networks: Record<string, Network>,
  vpc: CreateImageBuildBody['UserVpc'],
): { network: Omit<NetworkRules, 'resolvers'>; note?: string } {
  const { VpcId: name, DefaultRoute: route = 'eth0' } = vpc ?? {};
  if (Object.keys(networks).length === 0) {
    const note = `UserVpc: no networks are described here; instead of ${name ?? 'that'}, the build has the public network`;
    const isNamed = [name, vpc?.SwitchId, vpc?.SecurityGroupId, vpc?.ExtendedCidrs?.[0]].some((it) => it !== undefined);
    return { network: rulesOf(publicNetwork, undefined, [], 'eth0'), ...(isNamed ? { note } : {}) };
  }
  const network = Object.hasOwn(networks, name ?? 'default')
    ? networks[name ?? 'default']
    : name === undefined
      ? publicNetwork
      : undefined;
  if (!network)
    throw wrong('VpcId', `there is no network ${JSON.stringify(name)} here; an operator has to describe it`);
  const group = groupOf(network, vpc);
  return { network: rulesOf(network, group, extensionsOf(network, vpc), route) };
}

/** Without a network, a group says nothing, as in the cloud. */
function groupOf(network: Network, vpc: CreateImageBuildBody['UserVpc']): Group | undefined {
  const { VpcId: name, SecurityGroupId: id } = vpc ?? {};
  if (name === undefined || id === undefined) return undefined;
  const group = Object.hasOwn(network.groups, id) ? network.groups[id] : undefined;
  if (!group) throw wrong('SecurityGroupId', `network ${name} has no group ${JSON.stringify(id)}`);
  return group;
}

/** The blocks that a request opens besides. */
function extensionsOf(network: Network, vpc: CreateImageBuildBody['UserVpc']): string[] {
  const { VpcId: name = 'default', ExtendedCidrs: more = [] } = vpc ?? {};
  for (const it of more)
    if (!network.extendable.some((outer) => isWithin(it, outer)))
      throw wrong('ExtendedCidrs', `${it} is not within what network ${name} lets requests open`);
  for (const it of more)
    if (network.deny.some((closed) => isWithin(it, closed) || isWithin(closed, it)))
      throw wrong('ExtendedCidrs', `${it} has to do with what network ${name} keeps closed`);
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
