import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../../lib/addr/ipv6.ts';
import { formatPrefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { addressAttributes, emitAddressBody, parseAddress } from '../../lib/sys/netlink/address.ts';
import { formatIp } from '../../lib/sys/netlink/ip.ts';
import { emitLinkBody, mtuAttribute, parseLink, txQueueLengthAttribute } from '../../lib/sys/netlink/link.ts';
import { type Attribute, emitMessage, parseMessages, viewOf } from '../../lib/sys/netlink/message.ts';
import {
  emitRoute,
  emitRouteDeletion,
  emitRouteQuestion,
  parseRoute,
  type Route,
} from '../../lib/sys/netlink/route.ts';
import { bytesOf, netlinkVectors } from './netlink-vectors.ts';

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
  t.deepEqual(links[2]?.mac, Uint8Array.of(0xfa, 0x26, 0xf4, 0x02, 0x7f, 0xe2));
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

test('a parsed MAC is a copy, not a view of the receive buffer', (t) => {
  const datagram = bytesOf(answers.links);
  const [, , message] = parseMessages(datagram);
  const link = parseLink(message!.payload);
  datagram.fill(0xa5);
  t.deepEqual(link.mac, Uint8Array.of(0xfa, 0x26, 0xf4, 0x02, 0x7f, 0xe2));
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
});

test('IPv6 addresses keep all 128 bits', (t) => {
  const address = ip6('2001:db8:ffff:ffff:8000::1');
  const { attributes } = emitRouteQuestion(address);
  t.is(formatIpv6(address), '2001:db8:ffff:ffff:8000::1');
  t.is(Buffer.from(attributes[0]!.value).toString('hex'), '20010db8ffffffff8000000000000001');
});
