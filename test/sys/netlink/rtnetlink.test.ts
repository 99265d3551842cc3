import test from 'ava';
import { formatIp } from '../../../lib/addr/ip.ts';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../../../lib/addr/ipv6.ts';
import { formatMac } from '../../../lib/addr/mac.ts';
import { formatPrefix, parsePrefix } from '../../../lib/addr/prefix.ts';
import { addressAttributes, emitAddressBody, parseAddress } from '../../../lib/sys/netlink/address.ts';
import {
  addressAttribute,
  emitLinkBody,
  mtuAttribute,
  parseLink,
  parseLinkStats,
  txQueueLengthAttribute,
} from '../../../lib/sys/netlink/link.ts';
import { type Attribute, emitMessage, parseMessages, viewOf } from '../../../lib/sys/netlink/message.ts';
import { emitNeighbor, emitNeighborDeletion, parseNeighbor } from '../../../lib/sys/netlink/neighbor.ts';
import {
  emitRoute,
  emitRouteDeletion,
  emitRouteQuestion,
  parseRoute,
  type Route,
} from '../../../lib/sys/netlink/route.ts';
import { bytesOf, netlinkVectors } from './vectors.ts';

const { requests, answers } = netlinkVectors();
const U0 = 3;

const ip4 = (text: string) => parseIpv4(text)!;
const ip6 = (text: string) => parseIpv6(text)!;
const prefix = (text: string) => parsePrefix(text)!;

/** Our bytes for each of the commands, without header. */
const OURS: Record<string, { body: Uint8Array; attributes: Attribute[] }> = {
  up: { body: emitLinkBody({ index: U0, flags: 1, change: 1 }), attributes: [] },
  mtu: { body: emitLinkBody({ index: U0 }), attributes: [mtuAttribute(1400)] },
  qlen: { body: emitLinkBody({ index: U0 }), attributes: [txQueueLengthAttribute(77)] },
  mac: { body: emitLinkBody({ index: U0 }), attributes: [addressAttribute(0x02420af40102)] },
  neigh4: emitNeighbor({ interfaceIndex: U0, address: ip4('10.244.1.0'), mac: 0x02420af40100 }),
  neigh6: emitNeighbor({ interfaceIndex: U0, address: ip6('fd00:1::'), mac: 0xced564454c9e }),
  delneigh: emitNeighborDeletion(U0, ip4('10.244.1.0')),
  dell: { body: emitLinkBody({ index: U0 }), attributes: [] },
  addr4: {
    body: emitAddressBody(ip4('10.244.30.0'), 32, 0, U0),
    attributes: addressAttributes(ip4('10.244.30.0')),
  },
  addr6: { body: emitAddressBody(ip6('fd00:1::'), 128, 0, U0), attributes: addressAttributes(ip6('fd00:1::')) },
  dela: { body: emitAddressBody(ip4('10.244.30.0'), 32, 0, U0), attributes: addressAttributes(ip4('10.244.30.0')) },
  route4: emitRoute({ destination: prefix('10.244.0.0/16'), interfaceIndex: U0 }),
  routerep: emitRoute({
    destination: prefix('10.9.1.0/24'),
    interfaceIndex: U0,
    gateway: ip4('192.0.2.7'),
    onlink: true,
    metric: 50,
    source: ip4('10.244.30.0'),
  }),
  route6: emitRoute({
    destination: prefix('fd00:2::/64'),
    interfaceIndex: U0,
    gateway: ip6('fe80::1'),
    table: 1000,
  }),
  routevia: emitRoute({ destination: prefix('10.7.0.0/16'), interfaceIndex: U0, gateway: ip6('fe80::7') }),
  black: emitRoute({ destination: prefix('10.5.0.0/16'), type: 6 }),
  delr: emitRouteDeletion({ destination: prefix('10.244.0.0/16'), interfaceIndex: U0 }),
};

for (const [name, { body, attributes }] of Object.entries(OURS)) {
  test(`our bytes are those of "${requests[name]?.command}"`, (t) => {
    const theirs = bytesOf(requests[name]);
    const [header] = parseMessages(theirs);
    t.deepEqual(emitMessage(header!, body, attributes), theirs);
  });
}

test('asking for a route differs from "ip route get" only in asking for the table as well', (t) => {
  const theirs = bytesOf(requests.get);
  const question = emitRouteQuestion(ip4('10.244.3.4'));
  t.deepEqual(emitMessage(parseMessages(theirs)[0]!, question.body, question.attributes), theirs);
});

function payloads(name: string, type: number): Uint8Array[] {
  return parseMessages(bytesOf(answers[name]))
    .filter((message) => message.type === type)
    .map((message) => message.payload);
}

function describe(route: Route): string {
  const hops = route.nextHops.map((hop) =>
    [
      hop.gateway === undefined ? '' : ` via ${formatIp(hop.gateway)}`,
      hop.interfaceIndex === undefined ? '' : ` dev ${hop.interfaceIndex}`,
      hop.onlink ? ' onlink' : '',
    ].join(''),
  );
  const to = route.destination === undefined ? 'default' : formatPrefix(route.destination);
  const source = route.source === undefined ? '' : ` src ${formatIp(route.source)}`;
  return `${to} type ${route.type}${hops.join(' nexthop')}${source} table ${route.table} proto ${route.protocol} scope ${route.scope} metric ${route.metric}`;
}

test('the routes of a dump are those that ip(8) printed', (t) => {
  const routes = payloads('show', 24).map((payload) => describe(parseRoute(payload)!));
  t.deepEqual(routes, [
    '10.5.0.0/16 type 6 table 254 proto 3 scope 0 metric 0',
    '10.6.0.0/16 type 1 via 192.0.2.7 dev 3 onlink nexthop dev 3 table 254 proto 3 scope 0 metric 0',
    '10.7.0.0/16 type 1 via fe80::7 dev 3 table 254 proto 3 scope 0 metric 0',
    '10.9.1.0/24 type 1 via 192.0.2.7 dev 3 onlink src 10.244.30.0 table 254 proto 3 scope 0 metric 50',
    '10.244.0.0/16 type 1 dev 3 table 254 proto 3 scope 253 metric 0',
    '192.0.2.0/24 type 1 dev 3 src 192.0.2.1 table 254 proto 2 scope 253 metric 0',
    '10.244.30.0/32 type 2 dev 3 src 10.244.30.0 table 255 proto 2 scope 254 metric 0',
    '127.0.0.0/8 type 2 dev 1 src 127.0.0.1 table 255 proto 2 scope 254 metric 0',
    '127.0.0.1/32 type 2 dev 1 src 127.0.0.1 table 255 proto 2 scope 254 metric 0',
    '127.255.255.255/32 type 3 dev 1 src 127.0.0.1 table 255 proto 2 scope 253 metric 0',
    '192.0.2.1/32 type 2 dev 3 src 192.0.2.1 table 255 proto 2 scope 254 metric 0',
    '192.0.2.255/32 type 3 dev 3 src 192.0.2.1 table 255 proto 2 scope 253 metric 0',
    'fd00:2::/64 type 1 via fe80::1 dev 3 table 1000 proto 3 scope 0 metric 1024',
    'fd00:1::/128 type 1 dev 3 table 254 proto 2 scope 0 metric 256',
    'fe80::/64 type 1 dev 3 table 254 proto 2 scope 0 metric 256',
    'fe80::/64 type 1 dev 2 table 254 proto 2 scope 0 metric 256',
    '::1/128 type 2 dev 1 table 255 proto 2 scope 0 metric 0',
    'ff00::/8 type 5 dev 3 table 255 proto 2 scope 0 metric 256',
    'ff00::/8 type 5 dev 2 table 255 proto 2 scope 0 metric 256',
  ]);
});

test('the answer for one destination is its route', (t) => {
  const [route] = payloads('get', 24).map(parseRoute);
  t.is(describe(route!), '10.244.3.4/32 type 1 dev 3 src 10.244.30.0 table 254 proto 0 scope 0 metric 0');
});

test('the links of a dump are those that ip(8) printed', (t) => {
  const links = payloads('links', 16).map(parseLink);
  t.like(links, [
    { index: 1, name: 'lo', mtu: 65536, up: true, kind: undefined, txQueueLength: 1000, gsoMaxSize: 65536 },
    { index: 2, name: 'u1', mtu: 1500, up: true, kind: 'veth', txQueueLength: 1000 },
    { index: 3, name: 'u0', mtu: 1400, up: true, kind: 'veth', txQueueLength: 77, masterIndex: undefined },
  ]);
  t.is(links[2]?.mac, 0xfa26f4027fe2);
});

test('the counters of a dump are those of its attribute', (t) => {
  const [lo] = payloads('links', 16).map(parseLinkStats);
  t.is(typeof lo?.txDropped, 'bigint');
  t.is(parseLinkStats(emitLinkBody()), undefined);
});

test('the VXLAN devices of a dump are those that ip(8) printed', (t) => {
  const links = payloads('vxlan', 16).map(parseLink);
  t.like(links, [
    { name: 'flannel.1', up: false, mac: 0x02506bcb74cc, vxlan: { vni: 1, port: 4789, families: [4] } },
    { name: 'vxlan6', vxlan: { vni: 0xffffff, port: 8472, families: [6] } },
    { name: 'any', vxlan: { vni: 0, port: 4790, families: [4, 6] } },
  ]);
});

test('the neighbours of a dump are those that ip(8) printed', (t) => {
  const neighbors = payloads('neighbors', 28).map((payload) => parseNeighbor(payload)!);
  t.deepEqual(
    neighbors.map(({ interfaceIndex, address, mac, state, permanent }) =>
      [formatIp(address), interfaceIndex, mac === undefined ? '-' : formatMac(mac), state.toString(16), permanent].join(
        ' ',
      ),
    ),
    [
      '192.0.2.10 3 - 20 false',
      '10.244.1.0 3 02:42:0a:f4:01:00 80 true',
      '192.0.2.9 3 02:00:00:00:00:09 4 false',
      'fd00:1:: 3 ce:d5:64:45:4c:9e 80 true',
      'ff02::1:ff70:3db6 3 33:33:ff:70:3d:b6 40 false',
      'ff02::16 2 33:33:00:00:00:16 40 false',
    ],
  );
});

test('the addresses of a dump are those that ip(8) printed', (t) => {
  const addresses = payloads('addrs', 20).map((payload) => parseAddress(payload)!);
  t.deepEqual(
    addresses.map((a) => `${a.interfaceIndex} ${formatIp(a.address)}/${a.prefixLength} ${a.scope} ${a.label ?? ''}`),
    [
      '1 127.0.0.1/8 254 lo',
      '3 10.244.30.0/32 0 u0',
      '3 192.0.2.1/24 0 u0',
      '1 ::1/128 254 ',
      '2 fe80::94dc:5dff:fee4:c48f/64 253 ',
      '3 fd00:1::/128 0 ',
      '3 fe80::f826:f4ff:fe02:7fe2/64 253 ',
    ],
  );
  // IFA_F_PERMANENT, and IFA_F_TENTATIVE while duplicate address detection runs.
  t.is(addresses[1]!.flags, 0x80);
  t.is(addresses[5]!.flags, 0xc0);
});

const BAD_ROUTES: Record<string, (payload: Uint8Array) => void> = {
  'with an IPv4 prefix length of 33': (payload) => (payload[1] = 33),
  'with an address of the other family': (payload) => (payload[0] = 10),
  // The destination attribute is the second; another type number hides it.
  'without its destination': (payload) => viewOf(payload).setUint16(22, 99, true),
};

for (const [name, spoil] of Object.entries(BAD_ROUTES)) {
  test(`refuses a route ${name}`, (t) => {
    const payload = payloads('get', 24)[0]!.slice();
    spoil(payload);
    t.throws(() => parseRoute(payload), { code: 'EBADMSG' });
  });
}

test('passes over families that are not IP', (t) => {
  const payload = payloads('get', 24)[0]!.slice();
  payload[0] = 28;
  t.is(parseRoute(payload), undefined);
  const bridge = payloads('neighbors', 28)[0]!.slice();
  bridge[0] = 7;
  t.is(parseNeighbor(bridge), undefined);
});

test('a neighbour cut short is refused', (t) => {
  const payload = payloads('neighbors', 28)[0]!;
  t.throws(() => parseNeighbor(payload.subarray(0, 11)), { code: 'EBADMSG' });
  t.throws(() => parseNeighbor(payload.subarray(0, 18)), { code: 'EBADMSG' });
});

test('IPv6 addresses keep all 128 bits', (t) => {
  const address = ip6('2001:db8:ffff:ffff:8000::1');
  const { attributes } = emitRouteQuestion(address);
  t.is(formatIpv6(address), '2001:db8:ffff:ffff:8000::1');
  t.is(Buffer.from(attributes[0]!.value).toString('hex'), '20010db8ffffffff8000000000000001');
});
