import { z } from 'zod';
import { Fault } from '../fault.ts';
import { type CreateImageBuildBody } from '../pai/image-build.ts';
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

const block = z.union([z.cidrv4(), z.cidrv6()]);
const blocks = z.array(block).max(256).default([]);

/** What a security group says beside its network. */
const groupSchema = z.strictObject({ allow: blocks, only: blocks });

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

/**
 * What a request may reach: the network that it names, narrowed and widened as it says and the operator lets it.
 * @throws Fault InvalidParameter that names the field
 */
export function networkOf(
  networks: Record<string, Network>,
  vpc: CreateImageBuildBody['UserVpc'],
): Omit<NetworkRules, 'resolvers'> {
  const { VpcId: name, SecurityGroupId: group, ExtendedCidrs: more = [], DefaultRoute: route = 'eth0' } = vpc ?? {};
  const network = Object.hasOwn(networks, name ?? 'default')
    ? networks[name ?? 'default']
    : name === undefined
      ? networkSchema.parse({})
      : undefined;
  if (!network)
    throw wrong('VpcId', `there is no network ${JSON.stringify(name)} here; an operator has to describe it`);
  // Without a network, a group says nothing, as in the cloud.
  const rules =
    name !== undefined && group !== undefined && Object.hasOwn(network.groups, group)
      ? network.groups[group]
      : undefined;
  if (name !== undefined && group !== undefined && !rules)
    throw wrong('SecurityGroupId', `network ${name} has no group ${JSON.stringify(group)}`);
  for (const it of more)
    if (!network.extendable.some((outer) => isWithin(it, outer)))
      throw wrong('ExtendedCidrs', `${it} is not within what network ${name ?? 'default'} lets requests open`);
  for (const it of more)
    if (network.deny.some((closed) => isWithin(it, closed) || isWithin(closed, it)))
      throw wrong('ExtendedCidrs', `${it} has to do with what network ${name ?? 'default'} keeps closed`);
  return {
    allow: [...network.allow, ...(rules?.allow ?? []), ...more],
    deny: [...closedBlocks, ...network.deny],
    // What a group narrows stays narrow, whatever the network opens.
    only: rules && rules.only.length > 0 ? rules.only : network.only,
    connections: network.connections,
    way: network.routes[route],
  };
}
