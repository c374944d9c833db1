/**
 * Addresses that nobody outside may make Kiln or a build talk to: this machine, its neighbours, the cloud's metadata
 * service, and forms of IPv6 that lead to any of these.
 */
export const closedBlocks = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4',
  '192.88.99.0/24', '::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', 'fec0::/10', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2002::/16', 'fc00::/7', 'fe80::/10',
  'ff00::/8',
] as const; // prettier-ignore
