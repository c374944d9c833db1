import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { run } from './command.ts';
import { isRootOfMachine } from './user-namespace.ts';

// One transaction: there is no moment without the wall. A machine may be its own resolver; which addresses of port 53
// are open, each room's own firewall says.
const wall = `table inet kiln
delete table inet kiln
table inet kiln {
chain input {
type filter hook input priority -10; policy accept;
iifname "kv*" meta l4proto { tcp, udp } th dport 53 accept
iifname "kv*" drop
}
chain forward {
type filter hook forward priority -10; policy accept;
iifname "kv*" oifname "kv*" drop
oifname "kv*" ct state new drop
}
chain postrouting {
type nat hook postrouting priority 100; policy accept;
ip saddr 10.213.0.0/16 oifname != "kv*" masquerade
}
}
`;

const firstTable = 21_300;

/**
 * Makes this machine ready for rooms with a network: forwarding, addresses translated on the way out, and a wall between
 * rooms and from rooms to the machine itself, beside the firewall that each room has of its own.
 * @param ways further ways out, each as `device=gateway`; a room that names number 1 leaves through the first of them
 */
export async function prepareHost(ways: readonly string[]): Promise<void> {
  const parsed = ways.map((it) => {
    const [, device, gateway] = /^([a-z][a-z0-9.-]{0,14})=(\d{1,3}(?:\.\d{1,3}){3})$/.exec(it) ?? [];
    if (device === undefined || gateway === undefined) throw new Error(`KILN_BUILD_WAYS: ${it} is not device=gateway`);
    return { device, gateway };
  });
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  if (isRootOfMachine) await makeRoomForGroups();
  await run(['nft', '-f', '-'], wall);
  for (const [index, { device, gateway }] of parsed.entries()) {
    const from = `10.213.${16 * (index + 1)}.0/20`;
    const table = firstTable + index + 1;
    const batch = [
      `route replace default via ${gateway} dev ${device} table ${table}`,
      // When the way is down, nothing goes by another one.
      `route replace unreachable default metric 9999 table ${table}`,
    ];
    if (!new RegExp(`lookup ${table}\\b`).test(await run(['ip', 'rule', 'show'])))
      batch.push(`rule add from ${from} lookup ${table}`);
    await run(['ip', '-batch', '-'], `${batch.join('\n')}\n`);
  }
}

/**
 * In a container with cgroups of version 2, the group at the top holds the container's own processes, and may then not
 * hand its controllers on: they go into a group beside the rooms'. The machine's own top is exempt from the rule, and
 * has no type.
 */
async function makeRoomForGroups(): Promise<void> {
  const top = '/sys/fs/cgroup';
  if (!existsSync(`${top}/cgroup.controllers`) || !existsSync(`${top}/cgroup.type`)) return;
  await mkdir(`${top}/kiln-host`, { recursive: true });
  for (const pid of (await readFile(`${top}/cgroup.procs`, 'utf8')).split('\n').filter(Boolean))
    // Ended meanwhile, or the kernel's.
    await writeFile(`${top}/kiln-host/cgroup.procs`, pid).catch(() => undefined);
}
