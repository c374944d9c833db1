import { lookup as resolve, type LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { closedBlocks, Fault } from '@kiln/schemas';
import { buildConnector } from 'undici';

const listOf = (blocks: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const it of blocks) {
    const [address = '', bits] = it.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return list;
};
const closed = listOf(closedBlocks);
const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Which addresses may be connected to. */
export interface AddressRules {
  /** Whether a host with its port was listed by name: then its addresses are the operator's business. */
  isListed(host: string, port: number): boolean;
  mayReach(address: string): boolean;
}

/** @param listed what the operator opens of the closed addresses: `host`, `host:port`, an address or a block of them */
export function openAddressRules(listed: readonly string[]): AddressRules {
  const isBlock = (it: string) => isIP(it.split('/')[0] ?? '') !== 0;
  const open = listOf(listed.filter(isBlock));
  const names = new Set(listed.filter((it) => !isBlock(it)).map((it) => it.toLowerCase()));
  return {
    isListed: (host, port) => names.has(host.toLowerCase()) || names.has(`${host.toLowerCase()}:${port}`),
    mayReach: (address) =>
      isIP(address) !== 0 && (open.check(address, familyOf(address)) || !closed.check(address, familyOf(address))),
  };
}

const refused = (host: string, address: string) =>
  new Fault(
    'AddressNotAllowed',
    host === address
      ? `${host} is an address that Kiln does not connect to; an operator can open it (KILN_OPEN_ADDRESSES)`
      : `${host} resolves to ${address}, to which Kiln does not connect; an operator can open it (KILN_OPEN_ADDRESSES)`,
  );

type Connector = ReturnType<typeof buildConnector>;

/**
 * Connects where the rules allow, and decides on the very address that is then used: what a name resolves to a moment later does
 * not matter, and how a literal address is spelt neither.
 * @throws Fault AddressNotAllowed through its callback
 */
export function guardedConnector(rules: AddressRules, options: buildConnector.BuildOptions): Connector {
  const plain = buildConnector(options);
  const checked = buildConnector({
    ...options,
    lookup: (host, _options, answer) =>
      resolve(host, { all: true }, (error, found: LookupAddress[]) => {
        const closedOne = found?.find((it) => !rules.mayReach(it.address));
        if (error ?? closedOne) answer(error ?? refused(host, closedOne?.address ?? ''), []);
        else answer(null, found);
      }),
  });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
    if (rules.isListed(host, port)) return plain(target, callback);
    // A literal is never looked up.
    if (isIP(host) !== 0) {
      if (rules.mayReach(host)) return plain(target, callback);
      return callback(refused(host, host), null);
    }
    return checked(target, callback);
  };
}
