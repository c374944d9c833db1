import { BlockList, isIP, type Socket } from 'node:net';
import { closedBlocks, Fault } from '@kiln/domain';
import { buildConnector } from 'undici';
import { asTheMachine, type FindAddresses } from './name-servers.ts';

type Family = 'ipv4' | 'ipv6';
const familyOf = (address: string): Family => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** An address of IPv4 that is written as one of IPv6 is that address of IPv4. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const [, high, low] =
    /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(new URL(`http://[${address}]/`).hostname) ?? [];
  if (high === undefined || low === undefined) return address;
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

/** Blocks of each family by themselves: node's own list takes every address of IPv4 for one of IPv6, too. */
function listOf(blocks: readonly string[]): { has(address: string): boolean } {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const it of blocks) {
    const [address = '', bits] = it.split('/');
    const family = familyOf(address);
    lists[family].addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return { has: (address) => lists[familyOf(address)].check(address, familyOf(address)) };
}
const closed = listOf(closedBlocks);

/** Which addresses may be connected to. */
export interface AddressRules {
  /** Whether a host with its port was listed by name: then its addresses are the operator's business. */
  isListed(host: string, port: number): boolean;
  mayReach(address: string): boolean;
  /** Whether the operator has opened a host with its port by name, or the address that it is. */
  isOpened(host: string, port: number): boolean;
  /** The setting that opens addresses. */
  setting: string;
}

/**
 * @param written what the operator opens of the closed addresses: `host`, `host:port`, an address or a block of them
 * @param setting what the operator lists them in
 */
export function openAddressRules(written: readonly string[], setting = 'KILN_OPEN_ADDRESSES'): AddressRules {
  // `[::1]` is an address, too; with a port after it, it stays as it is written.
  const listed = written.map((it) => /^\[([^\]]*)\]$/.exec(it)?.[1] ?? it);
  const isBlock = (it: string) => isIP(it.split('/')[0] ?? '') !== 0;
  const open = listOf(listed.filter(isBlock));
  const names = new Set(listed.filter((it) => !isBlock(it)).map((it) => it.toLowerCase()));
  const isListed = (host: string, port: number) =>
    names.has(host.toLowerCase()) || names.has(`${host.toLowerCase()}:${port}`);
  return {
    setting,
    isListed,
    isOpened: (host, port) => isListed(host, port) || (isIP(host) !== 0 && open.has(unmapped(host))),
    mayReach: (written) => {
      const address = unmapped(written);
      return isIP(address) !== 0 && (open.has(address) || !closed.has(address));
    },
  };
}

/** Says that a host, or the address that it resolves to, is closed. */
export const addressRefused = ({ setting }: AddressRules, host: string, address = host) =>
  new Fault(
    'AddressNotAllowed',
    host === address
      ? `${host} is an address that Kiln does not connect to; an operator can open it (${setting})`
      : `${host} resolves to ${address}, to which Kiln does not connect; an operator can open it (${setting})`,
  );

/**
 * Where an address of HTTP leads: its host, without the brackets of IPv6, and its port, also where that is not written.
 */
export const placeOf = ({ hostname, port, protocol }: Pick<URL, 'hostname' | 'port' | 'protocol'>) => ({
  host: hostname.replace(/^\[|\]$/g, ''),
  port: Number(port) || (protocol === 'https:' ? 443 : 80),
});

/** As Node says it of a name that does not resolve. */
const nameWithoutAddress = (host: string) => Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' });

type Connector = ReturnType<typeof buildConnector>;

/**
 * Connects where the rules allow, and decides on the very address that is then used: what a name resolves to a moment
 * later does not matter, and how a literal address is spelt neither.
 * @throws Fault AddressNotAllowed through its callback
 */
export function guardedConnector(
  rules: AddressRules,
  options: buildConnector.BuildOptions,
  find: FindAddresses = asTheMachine,
): Connector {
  const plain = buildConnector(options);
  const checked = buildConnector({
    ...options,
    lookup: (host, _options, answer) =>
      void find(host).then(
        (found) => {
          const closedOne = found.find((it) => !rules.mayReach(it.address));
          if (closedOne) answer(addressRefused(rules, host, closedOne.address), []);
          // Node ends the process over an empty answer, which a name server may well give.
          else if (found.length === 0) answer(nameWithoutAddress(host), []);
          else answer(null, found);
        },
        (error: Error) => answer(error, []),
      ),
  });
  return (target, callback) => {
    const { host, port } = placeOf(target);
    if (rules.isListed(host, port)) return plain(target, callback);
    // A literal is never looked up.
    if (isIP(host) !== 0) {
      if (rules.mayReach(host)) return plain(target, callback);
      return callback(addressRefused(rules, host), null);
    }
    return checked(target, callback);
  };
}

/**
 * Opens a connection that is no HTTP where the rules allow it.
 * @throws Fault AddressNotAllowed; Error as Node says it
 */
export const connectGuarded = (rules: AddressRules, host: string, port: number, timeoutMs: number): Promise<Socket> =>
  new Promise((resolve, reject) =>
    guardedConnector(rules, { timeout: timeoutMs })(
      { hostname: host, host, port: String(port), protocol: 'http:' },
      (error, socket) => (error ? reject(error) : resolve(socket)),
    ),
  );
