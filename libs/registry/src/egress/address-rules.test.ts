import { guardedConnector, openAddressRules } from './address-rules.ts';

describe('address rules', () => {
  const rules = openAddressRules(['10.1.0.0/16', 'registry.corp:5000', 'fd00:1::/64']);

  it.each(['8.8.8.8', '104.16.99.52', '203.0.113.80', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001::1'])(
    '%s is open',
    (address) => {
      expect(rules.mayReach(address)).toBe(true);
    },
  );

  it.each([
    '127.0.0.1', '0.0.0.0', '10.0.0.1', '100.64.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.168.1.1', '198.18.0.1',
    '224.0.0.1', '255.255.255.255', '::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::',
    'fc00::1', 'fe80::1', 'ff02::1', 'localhost', '', '::127.0.0.1',
  ])('%s is closed', (address) => {
    expect(rules.mayReach(address)).toBe(false);
  }); // prettier-ignore

  it.each(['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5'])('%s is open, since the operator says so', (address) => {
    expect(rules.mayReach(address)).toBe(true);
  });

  it('takes a name with its port, or with any', () => {
    expect(rules.isListed('Registry.Corp', 5000)).toBe(true);
    expect(rules.isListed('registry.corp', 5001)).toBe(false);
    expect(openAddressRules(['registry.corp']).isListed('registry.corp', 5001)).toBe(true);
  });
});

it('a name that resolves to no address at all is an error of that connection', async () => {
  const connect = guardedConnector(openAddressRules([]), { timeout: 1000 }, () => Promise.resolve([]));
  const target = { hostname: 'empty.example.com', host: 'empty.example.com', protocol: 'http:', port: '80' };
  const error = await new Promise((resolve) => connect(target, (...[problem]) => resolve(problem)));
  expect(error).toMatchObject({ code: 'ENOTFOUND' });
});
