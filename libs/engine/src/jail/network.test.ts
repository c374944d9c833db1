import { addressesOf, firewallOf } from './network.ts';

const rules = {
  resolvers: ['10.0.0.53'],
  allow: ['10.9.0.0/16'],
  deny: ['10.0.0.0/8', 'fc00::/7'],
  only: [],
  connections: 64,
  way: 0,
};

it('every room has four addresses of its own, by its way out', () => {
  expect(addressesOf(0, 0)).toEqual({ outside: '10.213.0.1', inside: '10.213.0.2' });
  expect(addressesOf(65, 0)).toEqual({ outside: '10.213.1.5', inside: '10.213.1.6' });
  expect(addressesOf(999, 1)).toEqual({ outside: '10.213.31.157', inside: '10.213.31.158' });
});

describe('the firewall of a room', () => {
  it('sorts blocks by family, and refuses IPv6 that is not listed', () => {
    const text = firewallOf(rules);
    expect(text).toContain('set deny4 { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8 }; }');
    expect(text).toContain('set deny6 { type ipv6_addr; flags interval; auto-merge; elements = { fc00::/7 }; }');
    expect(text).toContain('ct count over 64 reject');
    expect(text).toContain('meta nfproto ipv6 goto refuse\naccept');
  });

  it('with a list of the only open blocks refuses everything else first', () => {
    const text = firewallOf({ ...rules, only: ['203.0.113.0/24'] });
    expect(text.indexOf('ip daddr != @only4 goto refuse')).toBeGreaterThan(0);
    expect(text.indexOf('ip daddr != @only4 goto refuse')).toBeLessThan(text.indexOf('ip daddr @allow4 accept'));
  });
});
