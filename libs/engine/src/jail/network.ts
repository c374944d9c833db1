import type { NetworkRules } from '@kiln/domain';
import { run } from './command.ts';

const device = (room: number): string => `kv${room}`;

/**
 * Four addresses for each room: 10.213.0.0/20 in all for the machine's own way out, the next 4096 for its second, and
 * so on.
 */
export function addressesOf(room: number, way: number): { outside: string; inside: string } {
  const at = (room + 1024 * way) * 4;
  const net = `10.213.${Math.floor(at / 256)}`;
  return { outside: `${net}.${(at % 256) + 1}`, inside: `${net}.${(at % 256) + 2}` };
}

const setOf = (name: string, type: string, blocks: readonly string[]): string => {
  const elements = blocks.length > 0 ? ` elements = { ${blocks.join(', ')} };` : '';
  return `set ${name} { type ${type}; flags interval; auto-merge;${elements} }`;
};

/** The firewall inside a room, in nftables' language: what may leave it, and what is noted as refused. */
export function firewallOf(rules: NetworkRules): string {
  const families = [4, 6] as const;
  const ofFamily = (blocks: readonly string[], family: 4 | 6) =>
    blocks.filter((it) => it.includes(':') === (family === 6));
  const sets = families.flatMap((family) => [
    ...(['resolvers', 'allow', 'deny', 'only'] as const).map((name) =>
      setOf(`${name}${family}`, `ipv${family}_addr`, ofFamily(rules[name], family)),
    ),
    `set refused${family} { type ipv${family}_addr . inet_proto . inet_service; flags dynamic; size 256; }`,
  ]);
  const hasOnly = rules.only.length > 0;
  // A list of the only open blocks narrows what follows.
  const narrow = hasOnly ? ['ip daddr != @only4 goto refuse', 'ip6 daddr != @only6 goto refuse'] : [];
  // Rooms have no address of IPv6: what is not listed would go nowhere, and is better told.
  const rest = hasOnly ? ['accept'] : ['meta nfproto ipv6 goto refuse', 'accept'];
  const dns = (['ip daddr @resolvers4', 'ip6 daddr @resolvers6'] as const).flatMap((it) => [
    `${it} meta l4proto { tcp, udp } th dport 53 limit rate 200/second burst 400 packets accept`,
    `${it} meta l4proto { tcp, udp } th dport 53 drop`,
  ]);
  return `table inet room {
${sets.join('\n')}
chain refuse {
meta nfproto ipv4 meta l4proto { tcp, udp } update @refused4 { ip daddr . meta l4proto . th dport }
meta nfproto ipv6 meta l4proto { tcp, udp } update @refused6 { ip6 daddr . meta l4proto . th dport }
meta l4proto tcp reject with tcp reset
reject with icmpx type admin-prohibited
}
chain output {
type filter hook output priority 0; policy drop;
oif lo accept
${dns.join('\n')}
ct state established,related accept
ct state new ct count over ${rules.connections} reject
${narrow.join('\n')}
ip daddr @allow4 accept
ip6 daddr @allow6 accept
ip daddr @deny4 goto refuse
ip6 daddr @deny6 goto refuse
tcp dport { 25, 465, 587 } goto refuse
${rest.join('\n')}
}
chain input {
type filter hook input priority 0; policy drop;
iif lo accept
ct state established,related accept
}
}
`;
}

const inNetworkOf = (pid: number): string[] => ['nsenter', '-t', String(pid), '-n'];
const ip = (inside: readonly string[], commands: readonly string[]) =>
  run([...inside, 'ip', '-batch', '-'], `${commands.join('\n')}\n`);

/** Sets up the network of a process that has one of its own: loopback, and for `rules` a link with a firewall. */
export async function connectNetwork(room: number, pid: number, rules: NetworkRules | 'none'): Promise<void> {
  if (rules === 'none') return void (await ip(inNetworkOf(pid), ['link set lo up']));
  const { outside, inside } = addressesOf(room, rules.way);
  const name = device(room);
  // The kernel takes its time to remove the last one of this room.
  await run(['ip', 'link', 'del', name]).catch(() => undefined);
  // Before there is a way out.
  await run([...inNetworkOf(pid), 'nft', '-f', '-'], firewallOf(rules));
  await ip([], [`link add ${name} type veth peer name eth0 netns ${pid}`, `addr add ${outside}/30 dev ${name}`,
    `link set ${name} up`]); // prettier-ignore
  await ip(inNetworkOf(pid), ['link set lo up', `addr add ${inside}/30 dev eth0`, 'link set eth0 up',
    `route add default via ${outside}`]); // prettier-ignore
}

/** A destination that the firewall turned away. */
export interface RefusedDestination {
  address: string;
  protocol: 'tcp' | 'udp';
  port: number;
}

const refusedSets = ([4, 6] as const).map((family) => ['inet', 'room', `refused${family}`]);

/** What the firewall of a process's network has turned away, since that was forgotten last. */
export async function listRefused(pid: number): Promise<RefusedDestination[]> {
  const found: RefusedDestination[] = [];
  for (const set of refusedSets) {
    const text = await run([...inNetworkOf(pid), 'nft', '-n', 'list', 'set', ...set]).catch(() => '');
    for (const [, address = '', protocol, port] of text.matchAll(/([0-9a-f.:]+) \. (\d+) \. (\d+)/g))
      found.push({ address, protocol: protocol === '17' ? 'udp' : 'tcp', port: Number(port) });
  }
  return found;
}

export async function forgetRefused(pid: number): Promise<void> {
  const commands = refusedSets.map((set) => `flush set ${set.join(' ')}\n`).join('');
  await run([...inNetworkOf(pid), 'nft', '-f', '-'], commands);
}
