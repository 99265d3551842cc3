import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Ipv4Prefix, Ipv6Prefix } from '../../lib/addr/prefix.ts';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { groupByPublicIp, isHostAddress6, type OwnPlace, sortLeases, whyNot6 } from '../../lib/backend/peer-leases.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { prefix } from '../fastpath/harness.ts';

const PLACE: OwnPlace = {
  backendType: '',
  own: { ipv4: prefix('10.244.1.0/24') as Ipv4Prefix, ipv6: prefix('fd00:1::/64') as Ipv6Prefix },
  config: parseNetworkConfig('{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/16"}'),
  addresses: [parseIpv4('192.0.2.1')!, parseIpv4('203.0.113.1')!],
};

function lease(subnet: string, publicIp: string, ipv6?: string): Lease {
  return {
    subnets: {
      ipv4: prefix(subnet) as Ipv4Prefix,
      ipv6: ipv6 === undefined ? undefined : (prefix(ipv6) as Ipv6Prefix),
    },
    attrs: {
      publicIp: parseIpv4(publicIp)!,
      publicIpv6: undefined,
      backendType: '',
      backendData: undefined,
      backendV6Data: undefined,
    },
    expiresAtMs: undefined,
  };
}

test('leases of other hosts become peers, those of one host together', (t) => {
  const { usable, refused } = sortLeases(
    [
      lease('10.244.2.0/24', '192.0.2.2', 'fd00:2::/64'),
      lease('10.244.3.0/24', '192.0.2.3'),
      lease('10.244.4.0/24', '192.0.2.2'),
    ],
    PLACE,
  );
  t.deepEqual(refused, []);
  t.deepEqual(
    groupByPublicIp(usable).map((peer) => peer.prefixes.map(formatPrefix)),
    [['10.244.2.0/24', 'fd00:2::/64', '10.244.4.0/24'], ['10.244.3.0/24']],
  );
});

test('the own lease is neither a peer nor refused', (t) => {
  t.deepEqual(sortLeases([lease('10.244.1.0/24', '192.0.2.1')], PLACE), { usable: [], refused: [] });
});

const bad: readonly [string, Lease, RegExp][] = [
  ['another lease with our PublicIP', lease('10.244.2.0/24', '192.0.2.1'), /this host/],
  ['our interface address', lease('10.244.2.0/24', '203.0.113.1'), /this host/],
  ['PublicIP 0.0.0.0', lease('10.244.2.0/24', '0.0.0.0'), /not a host/],
  ['PublicIP loopback', lease('10.244.2.0/24', '127.0.0.1'), /not a host/],
  ['PublicIP multicast', lease('10.244.2.0/24', '224.0.0.1'), /not a host/],
  ['PublicIP broadcast', lease('10.244.2.0/24', '255.255.255.255'), /not a host/],
  [
    'PublicIP inside the overlay',
    lease('10.244.2.0/24', '10.244.3.1'),
    /in 10.244.1.0 to 10.244.255.255, which are for pods/,
  ],
  ['the default route', lease('0.0.0.0/0', '192.0.2.2'), /outside/],
  ['loopback as subnet', lease('127.0.0.0/8', '192.0.2.2'), /outside/],
  ['the underlay as subnet', lease('192.0.2.0/24', '192.0.2.2'), /outside/],
  ['the whole network', lease('10.244.0.0/16', '192.0.2.2'), /overlaps/],
  ['our own subnet', lease('10.244.1.0/24', '192.0.2.2'), /overlaps/],
  ['a part of our subnet', lease('10.244.1.128/25', '192.0.2.2'), /overlaps/],
];

for (const [name, one, reason] of bad) {
  test(`refused without harm to the others: ${name}`, (t) => {
    const { usable, refused } = sortLeases([one, lease('10.244.9.0/24', '192.0.2.9')], PLACE);
    t.is(usable.length, 1);
    t.is(refused.length, 1);
    t.regex(refused[0]!.reason, reason);
  });
}

/** flannel's own example, with hosts in 192.0.2.0/24. */
const WIDE: OwnPlace = {
  ...PLACE,
  own: { ipv4: prefix('192.16.0.0/20') as Ipv4Prefix, ipv6: undefined },
  config: parseNetworkConfig(
    '{"Network":"192.0.0.0/8","SubnetMin":"192.16.0.0","SubnetMax":"192.99.0.0","SubnetLen":20}',
  ),
};

test('hosts may have addresses of the network that nodes cannot lease (H16)', (t) => {
  const leases = ['192.0.2.2', '192.15.255.255', '192.99.16.0'].map((host) => lease('192.17.0.0/20', host));
  t.deepEqual(sortLeases(leases, WIDE).refused, []);
  const inside = sortLeases([lease('192.17.0.0/20', '192.16.0.0'), lease('192.17.0.0/20', '192.99.15.255')], WIDE);
  const reason = 'its PublicIP lies in 192.16.0.0 to 192.99.15.255, which are for pods';
  t.deepEqual(
    inside.refused.map((one) => one.reason),
    [reason, reason],
  );
});

test('a PublicIP in a subnet that is leased, from when SubnetMin was lower, is refused (H16)', (t) => {
  const old = lease('192.1.0.0/20', '192.0.2.9');
  const { usable, refused } = sortLeases([lease('192.17.0.0/20', '192.1.2.3'), old], WIDE);
  t.deepEqual(usable, [old]);
  t.is(refused[0]?.reason, 'its PublicIP lies in a subnet that is leased');
});

test("a subnet that holds this host's own address is refused: its route would be the underlay's (H16)", (t) => {
  const { refused } = sortLeases([lease('192.0.2.0/24', '203.0.113.9'), lease('192.17.0.0/20', '192.0.2.2')], WIDE);
  t.deepEqual(
    refused.map((one) => one.reason),
    ["its subnet holds this host's own address 192.0.2.1"],
  );
});

test('a PublicIPv6 of the network that nodes cannot lease is good (H16)', (t) => {
  const one = lease('10.244.2.0/24', '192.0.2.2');
  const config = parseNetworkConfig(
    '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/16","IPv6SubnetMin":"fd00:1::","IPv6SubnetMax":"fd00:2::"}',
  );
  const why = (host: string): string | undefined => {
    const publicIpv6 = (prefix(`${host}/128`) as Ipv6Prefix).address;
    return whyNot6({ ...one, attrs: { ...one.attrs, publicIpv6 } }, { config, addresses: [] });
  };
  t.is(why('fd00::7'), undefined);
  t.is(why('fd00:1::7'), 'its PublicIPv6 lies in fd00:1:: to fd00:2::ffff:ffff:ffff:ffff, which are for pods');
});

test('a foreign IPv6 subnet is left out, the IPv4 one stays', (t) => {
  const { usable, refused } = sortLeases([lease('10.244.2.0/24', '192.0.2.2', '2001:db8::/64')], PLACE);
  t.is(usable[0]!.subnets.ipv6, undefined);
  t.deepEqual(refused, []);
});

test('leases of another backend are refused, and the reason names both', (t) => {
  const reasonFor = (theirs: string, ours: string): string | undefined => {
    const one = lease('10.244.2.0/24', '192.0.2.2');
    const place = { ...PLACE, backendType: ours };
    return sortLeases([{ ...one, attrs: { ...one.attrs, backendType: theirs } }], place).refused[0]?.reason;
  };
  t.is(reasonFor('vxlan', ''), 'its backend type is vxlan, ours is udp');
  t.is(reasonFor('', 'vxlan'), 'its backend type is udp, ours is vxlan');
  t.is(reasonFor('ipip', 'host-gw'), 'its backend type is ipip, ours is host-gw');
  for (const same of ['', 'udp', 'alloc']) t.is(reasonFor(same, ''), undefined, 'udp and alloc write no type');
  t.is(reasonFor('vxlan', 'vxlan'), undefined);
  t.is(reasonFor('\u001b[31mred', ''), 'its backend type is "\\u001b[31mred", ours is udp');
});

test('addresses at which no other host can be are no IPv6 underlay addresses', (t) => {
  const parse = (text: string): bigint => (prefix(`${text}/128`) as Ipv6Prefix).address;
  for (const text of ['::', '::1', 'ff02::1', 'fe80::1', 'febf::1', '::ffff:192.0.2.1'])
    t.false(isHostAddress6(parse(text)), text);
  for (const text of ['2001:db8::1', 'fd00::1', 'fec0::1', '::2']) t.true(isHostAddress6(parse(text)), text);
});
