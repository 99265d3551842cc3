import test from 'ava';
import { formatMac, parseMac } from '../../../lib/addr/mac.ts';
import { formatPrefix, type Ipv4Prefix, type Ipv6Prefix } from '../../../lib/addr/prefix.ts';
import { type SortedVteps, sortVteps4, sortVteps6 } from '../../../lib/backend/vxlan/leases.ts';
import type { Lease } from '../../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../../lib/lease/lease-attrs.ts';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { prefix } from '../../fastpath/harness.ts';

const OWN = { vni: 1, mac: parseMac('02:00:00:00:00:01')! };
const PLACE6 = {
  config: parseNetworkConfig('{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/16"}'),
  addresses: [0x20010db8_00000000_00000000_00000001n],
};

function lease(subnet: string, value: string, ipv6?: string): Lease {
  return {
    subnets: {
      ipv4: prefix(subnet) as Ipv4Prefix,
      ipv6: ipv6 === undefined ? undefined : (prefix(ipv6) as Ipv6Prefix),
    },
    attrs: decodeLeaseAttrs(value),
    expiresAtMs: undefined,
  };
}

const withData = (subnet: string, publicIp: string, data: string): Lease =>
  lease(subnet, `{"PublicIP":"${publicIp}","BackendType":"vxlan","BackendData":${data}}`);

/** "02:.. 10.244.2.0/24,10.244.3.0/24" for each. */
function lines({ vteps }: SortedVteps): string[] {
  return vteps.map(({ mac, subnets }) => `${formatMac(mac)} ${subnets.map(formatPrefix).join(',')}`);
}

const good: readonly [string, string][] = [
  ['as flanneld writes it', '{"VNI":1,"VtepMAC":"76:6b:d9:64:b4:40"}'],
  ['without a VNI, as old leases', '{"VtepMAC":"76:6b:d9:64:b4:40"}'],
  ['in another case', '{"vni":1,"vtepmac":"76:6B:D9:64:B4:40"}'],
  ['of several keys the last', '{"VtepMAC":"02:00:00:00:00:09","VTEPMAC":"76:6b:d9:64:b4:40"}'],
  ['with more in it', '{"VNI":1,"Foo":{},"VtepMAC":"76:6b:d9:64:b4:40","__proto__":{"VNI":2}}'],
];

for (const [name, data] of good) {
  test(`BackendData is read: ${name}`, (t) => {
    const sorted = sortVteps4([withData('10.244.2.0/24', '192.0.2.2', data)], OWN);
    t.deepEqual(lines(sorted), ['76:6b:d9:64:b4:40 10.244.2.0/24']);
    t.deepEqual(sorted.refused, []);
  });
}

const bad: readonly [string, string][] = [
  ['null', 'it has no VXLAN data (BackendData)'],
  ['[]', 'it has no VXLAN data (BackendData)'],
  ['"x"', 'it has no VXLAN data (BackendData)'],
  ['{}', 'it has no VtepMAC'],
  ['{"VNI":1}', 'it has no VtepMAC'],
  ['{"VNI":1,"VtepMAC":null}', 'it has no VtepMAC'],
  ['{"VNI":2,"VtepMAC":"02:00:00:00:00:02"}', 'its VNI is 2, ours is 1'],
  ['{"VNI":0,"VtepMAC":"02:00:00:00:00:02"}', 'its VNI is 0, ours is 1'],
  ['{"VNI":"1","VtepMAC":"02:00:00:00:00:02"}', 'its VNI is "1", ours is 1'],
  ['{"VNI":1,"VtepMAC":""}', 'its VtepMAC is "", which is no MAC address'],
  ['{"VNI":1,"VtepMAC":7}', 'its VtepMAC is 7, which is no MAC address'],
  ['{"VNI":1,"VtepMAC":"02:00:00:00:00"}', 'its VtepMAC is "02:00:00:00:00", which is no MAC address'],
  ['{"VNI":1,"VtepMAC":"00:00:00:00:00:00"}', 'its VtepMAC is all zeros'],
  ['{"VNI":1,"VtepMAC":"ff:ff:ff:ff:ff:ff"}', 'its VtepMAC ff:ff:ff:ff:ff:ff is a multicast address'],
  ['{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}', 'its VtepMAC 01:00:5e:00:00:01 is a multicast address'],
  ['{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}', 'its VtepMAC 02:00:00:00:00:01 is ours'],
];

for (const [data, reason] of bad) {
  test(`refused with the reason, without harm to the others: ${data}`, (t) => {
    const other = withData('10.244.9.0/24', '192.0.2.9', '{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}');
    const sorted = sortVteps4([withData('10.244.2.0/24', '192.0.2.2', data), other], OWN);
    t.deepEqual(sorted.refused, [{ subnet: '10.244.2.0/24', publicIp: '192.0.2.2', reason }]);
    t.deepEqual(lines(sorted), ['02:00:00:00:00:09 10.244.9.0/24']);
  });
}

test('a VtepMAC in use cannot be taken over by a later lease', (t) => {
  const data = '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}';
  const sorted = sortVteps4(
    [withData('10.244.2.0/24', '192.0.2.2', data), withData('10.244.3.0/24', '192.0.2.3', data)],
    OWN,
  );
  t.deepEqual(lines(sorted), ['02:00:00:00:00:02 10.244.2.0/24']);
  t.is(
    sorted.refused[0]!.reason,
    'its VtepMAC 02:00:00:00:00:02 is that of lease 10.244.2.0/24 of 192.0.2.2; delete that lease if its node is gone',
  );
});

test("of two leases for one subnet the first is used, and one that is refused stands in nobody's way (L15)", (t) => {
  const data = (mac: string, vni = 1): string => `{"VNI":${vni},"VtepMAC":"02:00:00:00:00:${mac}"}`;
  const sorted = sortVteps4(
    [
      withData('10.244.2.0/24', '192.0.2.9', data('09', 3)),
      withData('10.244.2.0/24', '192.0.2.2', data('0b')),
      withData('10.244.2.0/24', '192.0.2.3', data('03')),
    ],
    OWN,
  );
  t.deepEqual(lines(sorted), ['02:00:00:00:00:0b 10.244.2.0/24']);
  t.deepEqual(
    sorted.refused.map(({ publicIp, reason }) => `${publicIp}: ${reason}`),
    [
      '192.0.2.9: its VNI is 3, ours is 1',
      '192.0.2.3: its subnet is leased to 192.0.2.2 too, by an older key: delete the wrong one',
    ],
  );
});

test('two leases of one host are one VTEP; two hosts behind one address are two', (t) => {
  const sorted = sortVteps4(
    [
      withData('10.244.2.0/24', '192.0.2.2', '{"VtepMAC":"02:00:00:00:00:02"}'),
      withData('10.244.3.0/24', '192.0.2.2', '{"VtepMAC":"02:00:00:00:00:02"}'),
      withData('10.244.4.0/24', '192.0.2.2', '{"VtepMAC":"02:00:00:00:00:04"}'),
    ],
    OWN,
  );
  t.deepEqual(lines(sorted), ['02:00:00:00:00:02 10.244.2.0/24,10.244.3.0/24', '02:00:00:00:00:04 10.244.4.0/24']);
});

const dual = (publicIpv6: string, v6Data: string, ipv6 = 'fd00:2::/64'): Lease =>
  lease(
    '10.244.2.0/24',
    `{"PublicIP":"192.0.2.2","PublicIPv6":${publicIpv6},"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:02"},"BackendV6Data":${v6Data}}`,
    ipv6,
  );

test('the IPv6 end has its own address and MAC', (t) => {
  const one = dual('"2001:db8::2"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}');
  const sorted = sortVteps6([one], OWN, PLACE6);
  t.deepEqual(lines(sorted), ['02:00:00:00:06:02 fd00:2::/64']);
  t.is(sorted.vteps[0]!.address, 0x20010db8_00000000_00000000_00000002n);
  t.deepEqual(lines(sortVteps4([one], OWN)), ['02:00:00:00:00:02 10.244.2.0/24']);
});

const bad6: readonly [string, string, RegExp][] = [
  ['null', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /has no PublicIPv6/],
  ['"2001:db8::1"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /PublicIPv6 is this host/],
  ['"fd00:5::1"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /which are for pods/],
  ['"ff02::1"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /not a host address/],
  ['"fe80::1"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /not a host address/],
  ['"::"', '{"VNI":1,"VtepMAC":"02:00:00:00:06:02"}', /not a host address/],
  ['"2001:db8::2"', 'null', /no VXLAN data/],
  ['"2001:db8::2"', '{"VNI":3,"VtepMAC":"02:00:00:00:06:02"}', /VNI is 3/],
];

for (const [publicIpv6, data, reason] of bad6) {
  test(`only the IPv6 part is refused: PublicIPv6 ${publicIpv6}, data ${data}`, (t) => {
    const one = dual(publicIpv6, data);
    const { vteps, refused } = sortVteps6([one], OWN, PLACE6);
    t.deepEqual(vteps, []);
    t.is(refused[0]!.subnet, 'fd00:2::/64');
    t.regex(refused[0]!.reason, reason);
    t.is(sortVteps4([one], OWN).vteps.length, 1);
  });
}

test('a node without an IPv6 subnet is no IPv6 peer, and nothing is wrong with that', (t) => {
  const one = withData('10.244.2.0/24', '192.0.2.2', '{"VtepMAC":"02:00:00:00:00:02"}');
  t.deepEqual(sortVteps6([one], OWN, PLACE6), { vteps: [], refused: [] });
});

test('a VNI beyond 16 bits is known in both forms: whole, and cut as flannel before 0.24 writes it (F2)', (t) => {
  const own = { ...OWN, vni: 70000 };
  const leases = [
    withData('10.244.2.0/24', '192.0.2.2', '{"VNI":70000,"VtepMAC":"02:00:00:00:00:02"}'),
    withData('10.244.3.0/24', '192.0.2.3', '{"VNI":4464,"VtepMAC":"02:00:00:00:00:03"}'),
    withData('10.244.4.0/24', '192.0.2.4', '{"VNI":4465,"VtepMAC":"02:00:00:00:00:04"}'),
  ];
  const sorted = sortVteps4(leases, own);
  t.deepEqual(lines(sorted), ['02:00:00:00:00:02 10.244.2.0/24', '02:00:00:00:00:03 10.244.3.0/24']);
  t.is(sorted.refused[0]?.reason, 'its VNI is 4465, ours is 70000');
  t.is(sortVteps4(leases, { ...OWN, vni: 4464 }).vteps.length, 1, 'a small VNI has one form');
});
