import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parsePrefix } from '../../lib/addr/prefix.ts';
import { printPacket } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { hex, toHex } from '../wire/bytes.ts';
import { finishIpv4Header } from './checksum.ts';
import { Dice } from './dice.ts';
import { tosOf, withTos } from './ecn.ts';
import { withFinishedChecksum } from './partial.ts';
import { buildIcmp, buildUdp, type IpFields, NO_EXTENSIONS } from './random-packets.ts';
import { type TwinConfig, twinInbound, twinOutbound } from './tun-twin.ts';
import { GSO_UDP_L4, NEEDS_CSUM, PLAIN, withVnetHeader } from './vnet-header.ts';

const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text)!);
const dice = new Dice(1);

// Node 10.244.1.0/24 with two peers; the second holds a reservation inside the first one's lease.
const CONFIG: TwinConfig = {
  peers: [
    { publicIp: 0xc0000202, subnets: prefixes('10.244.2.0/24', 'fd00:0:0:2::/64') },
    { publicIp: 0xc0000203, subnets: prefixes('10.244.3.0/24', '10.244.2.128/28') },
  ],
  own: prefixes('10.244.1.0/24', 'fd00:0:0:1::/64'),
  icmpSources: { ipv4: 0x0af40100, ipv6: (0xfdn << 120n) + (1n << 64n) },
  sourceCheck: true,
};
const V4: IpFields = {
  source: 0x0af40105,
  destination: 0x0af40205,
  ttl: 64,
  tos: 0,
  id: 7,
  dontFragment: true,
  options: new Uint8Array(0),
  flowLabel: 0,
  extensions: NO_EXTENSIONS,
};
const V6: IpFields = {
  ...V4,
  source: (0xfdn << 120n) + (1n << 64n) + 5n,
  destination: (0xfdn << 120n) + (2n << 64n) + 5n,
};
const udp = (ip: IpFields, length = 8) =>
  buildUdp(ip, { sourcePort: 1, destinationPort: 2 }, dice.bytes(length), 'finished').packet;
const at = (text: string) => parseIpv4(text)!;

test('outbound: sends what flanneld sent, and answers where flanneld was silent', (t) => {
  const config: TwinConfig = {
    peers: [{ publicIp: 0xc0000202, subnets: prefixes('10.244.99.0/24') }],
    own: prefixes('10.244.30.0/24'),
    icmpSources: { ipv4: at('10.244.30.0'), ipv6: undefined },
    sourceCheck: true,
  };
  const read = readVector('flanneld-udp/h1-overlay').packets.map(({ bytes }) => bytes);
  // What flanneld wrote to the device itself comes from the other host.
  const frames = read
    .filter((packet) => !printPacket(packet).startsWith('IPv4 10.244.99.'))
    .map((packet) => withVnetHeader(PLAIN, packet));
  const sent = readVector('flanneld-udp/h1-underlay')
    .packets.map(({ bytes }) => bytes)
    .filter((frame) => frame[29] === 1) // outer source 192.0.2.1
    .map((frame) => frame.subarray(42));
  const result = twinOutbound(config, frames);
  t.deepEqual(
    result.datagrams.map(({ bytes }) => toHex(bytes)),
    sent.map(toHex),
  );
  t.true(result.datagrams.every(({ peer }) => peer === 0));
  t.deepEqual(result.drops, ['ttl-expired', 'ttl-expired', 'multicast', 'no-route']);
  t.deepEqual(
    result.tunWrites.map((packet) => printPacket(packet).split(' | ')[1]),
    ['ICMP time exceeded', 'ICMP time exceeded', 'ICMP unreachable (net)'],
  );
});

test('inbound: delivers what flanneld delivered', (t) => {
  const config: TwinConfig = {
    peers: [{ publicIp: 0xc0000201, subnets: prefixes('10.244.30.0/24') }],
    own: prefixes('10.244.99.0/24'),
    icmpSources: { ipv4: at('10.244.99.0'), ipv6: undefined },
    sourceCheck: true,
  };
  const datagrams = readVector('flanneld-udp/h2-underlay')
    .packets.map(({ bytes }) => bytes)
    .filter((frame) => frame[29] === 1)
    .map((frame) => ({ outerSource: 0xc0000201, bytes: frame.subarray(42) }));
  const delivered = readVector('flanneld-udp/h2-overlay')
    .packets.map(({ bytes }) => bytes)
    .filter((packet) => printPacket(packet).startsWith('IPv4 10.244.30.'));
  const result = twinInbound(config, datagrams);
  t.deepEqual(
    result.packets.map(toHex),
    delivered.map((packet) => toHex(withFinishedChecksum(packet))),
  );
  t.deepEqual(result.drops, []);
});

const wrongSum = udp(V4);
wrongSum[8]! ^= 1;
const OUTBOUND: readonly (readonly [name: string, frame: Uint8Array, verdict: string, answered: boolean])[] = [
  ['to a peer', withVnetHeader(PLAIN, udp(V4)), 'peer 0', false],
  ['to a peer, IPv6', withVnetHeader(PLAIN, udp(V6)), 'peer 0', false],
  [
    'to a longer prefix inside another peer’s',
    withVnetHeader(PLAIN, udp({ ...V4, destination: at('10.244.2.130') })),
    'peer 1',
    false,
  ],
  ['with TTL 2', withVnetHeader(PLAIN, udp({ ...V4, ttl: 2 })), 'peer 0', false],
  ['a frame of 9 bytes', new Uint8Array(9), 'truncated', false],
  ['a frame without packet', new Uint8Array(10), 'truncated', false],
  ['version 0', new Uint8Array(60), 'not-ip', false],
  ['IHL 4', withVnetHeader(PLAIN, udp(V4).with(0, 0x44)), 'bad-header', false],
  ['a wrong header checksum', withVnetHeader(PLAIN, wrongSum), 'bad-header-checksum', false],
  ['to 224.0.0.1', withVnetHeader(PLAIN, udp({ ...V4, destination: 0xe0000001 })), 'multicast', false],
  ['to 255.255.255.255', withVnetHeader(PLAIN, udp({ ...V4, destination: 0xffffffff })), 'multicast', false],
  [
    'to ff02::1 with hop limit 1',
    withVnetHeader(PLAIN, udp({ ...V6, ttl: 1, destination: (0xff02n << 112n) + 1n })),
    'multicast',
    false,
  ],
  ['to nobody', withVnetHeader(PLAIN, udp({ ...V4, destination: at('10.244.9.1') })), 'no-route', true],
  [
    'to nobody with TTL 1: the route comes first',
    withVnetHeader(PLAIN, udp({ ...V4, ttl: 1, destination: at('10.244.9.1') })),
    'no-route',
    true,
  ],
  ['to ourselves', withVnetHeader(PLAIN, udp({ ...V4, destination: at('10.244.1.9') })), 'no-route', true],
  ['to nobody, IPv6', withVnetHeader(PLAIN, udp({ ...V6, destination: 0x2001_0db8n << 96n })), 'no-route', true],
  [
    'to nobody, an ICMP error',
    withVnetHeader(PLAIN, buildIcmp({ ...V4, destination: at('10.244.9.1') }, 3, 0, dice.bytes(28)).packet),
    'no-route',
    false,
  ],
  ['with TTL 1', withVnetHeader(PLAIN, udp({ ...V4, ttl: 1 })), 'ttl-expired', true],
  ['with TTL 0', withVnetHeader(PLAIN, udp({ ...V4, ttl: 0 })), 'ttl-expired', true],
  ['with hop limit 1', withVnetHeader(PLAIN, udp({ ...V6, ttl: 1 })), 'ttl-expired', true],
  [
    'with an offload header for something else',
    withVnetHeader({ ...PLAIN, gsoType: 1, gsoSize: 100 }, udp(V4)),
    'bad-offload-header',
    false,
  ],
  ['65,508 bytes', withVnetHeader(PLAIN, udp(V4, 65508 - 28)), 'too-big', false],
  ['65,507 bytes', withVnetHeader(PLAIN, udp(V4, 65507 - 28)), 'peer 0', false],
];

for (const [name, frame, verdict, answered] of OUTBOUND)
  test(`outbound: ${name}`, (t) => {
    const before = frame.slice();
    const result = twinOutbound(CONFIG, [frame]);
    t.is(result.datagrams.length + result.drops.length, 1);
    t.is(result.datagrams.length === 1 ? `peer ${result.datagrams[0]!.peer}` : result.drops[0], verdict);
    t.is(result.tunWrites.length, answered ? 1 : 0);
    t.deepEqual(frame, before, 'the frame given is left alone');
  });

test('outbound: takes one off the TTL, repairs the checksum, and trims what trails', (t) => {
  const packet = hex('4500 001c 0007 4000 4011 2300 0af40105 0af40205  0001 0002 0008 0000');
  finishIpv4Header(packet);
  const wanted = packet.slice();
  wanted[8] = 63;
  finishIpv4Header(wanted);
  const result = twinOutbound(CONFIG, [withVnetHeader(PLAIN, Uint8Array.of(...packet, 1, 2, 3))]);
  t.is(toHex(result.datagrams[0]!.bytes), toHex(wanted));
});

test('outbound: a super-packet leaves as many datagrams, in order, and drops as one', (t) => {
  const super_ = (ip: IpFields) => {
    const built = buildUdp(ip, { sourcePort: 1, destinationPort: 2 }, dice.bytes(25), 'partial');
    const vnet = { flags: NEEDS_CSUM, gsoType: GSO_UDP_L4, hdrLen: 28, gsoSize: 10, csumStart: 20, csumOffset: 6 };
    return withVnetHeader(vnet, built.packet);
  };
  const sent = twinOutbound(CONFIG, [super_(V4)]);
  t.deepEqual(
    sent.datagrams.map(({ bytes }) => printPacket(bytes)),
    [7, 8, 9].map(
      (id) =>
        `IPv4 10.244.1.5 > 10.244.2.5 ttl 63 id ${id} DF | UDP 1 > 2 length ${id === 9 ? 13 : 18} | ${id === 9 ? 5 : 10} bytes`,
    ),
  );
  const dropped = twinOutbound(CONFIG, [super_({ ...V4, destination: at('10.244.9.1') })]);
  t.deepEqual(dropped.drops, ['no-route']);
  t.is(dropped.tunWrites.length, 1);
});

const FROM = { ...V4, source: at('10.244.2.5'), destination: at('10.244.1.5') };
const badTransport = udp(FROM);
badTransport[30]! ^= 1;
const INBOUND: readonly (readonly [name: string, outer: string, bytes: Uint8Array, verdict: string])[] = [
  ['from a peer', '192.0.2.2', udp(FROM), 'delivered'],
  ['from a peer, IPv6', '192.0.2.2', udp({ ...V6, source: V6.destination, destination: V6.source }), 'delivered'],
  ['a wrong UDP checksum is passed on', '192.0.2.2', badTransport, 'delivered'],
  ['to the address of the device', '192.0.2.2', udp({ ...FROM, destination: at('10.244.1.0') }), 'delivered'],
  ['from a stranger', '192.0.2.9', udp(FROM), 'unknown-peer'],
  ['garbage from a stranger', '192.0.2.9', new Uint8Array(3), 'unknown-peer'],
  ['nothing', '192.0.2.2', new Uint8Array(0), 'truncated'],
  ['60 bytes of 0xaa', '192.0.2.2', new Uint8Array(60).fill(0xaa), 'not-ip'],
  ['IHL 4', '192.0.2.2', udp(FROM).with(0, 0x44), 'bad-header'],
  ['a total length beyond the datagram', '192.0.2.2', udp(FROM).slice(0, -1), 'truncated'],
  ['a wrong header checksum', '192.0.2.2', udp(FROM).with(8, 9), 'bad-header-checksum'],
  ['an inner source of another peer', '192.0.2.2', udp({ ...FROM, source: at('10.244.3.5') }), 'spoofed-source'],
  [
    'an inner source of another peer inside its own lease',
    '192.0.2.2',
    udp({ ...FROM, source: at('10.244.2.130') }),
    'spoofed-source',
  ],
  ['that source from its owner', '192.0.2.3', udp({ ...FROM, source: at('10.244.2.130') }), 'delivered'],
  ['an inner source of ours', '192.0.2.2', udp({ ...FROM, source: at('10.244.1.7') }), 'spoofed-source'],
  ['an inner source of nobody', '192.0.2.2', udp({ ...FROM, source: at('1.2.3.4') }), 'spoofed-source'],
  ['for another host', '192.0.2.2', udp({ ...FROM, destination: at('10.244.3.5') }), 'foreign-destination'],
  ['for the whole world', '192.0.2.2', udp({ ...FROM, destination: at('8.8.8.8') }), 'foreign-destination'],
  ['for 224.0.0.1', '192.0.2.2', udp({ ...FROM, destination: at('224.0.0.1') }), 'foreign-destination'],
  ['TTL 1', '192.0.2.2', udp({ ...FROM, ttl: 1 }), 'ttl-expired'],
  ['TTL 0, which flanneld makes 255', '192.0.2.2', udp({ ...FROM, ttl: 0 }), 'ttl-expired'],
];

for (const [name, outer, bytes, verdict] of INBOUND)
  test(`inbound: ${name}`, (t) => {
    const result = twinInbound(CONFIG, [{ outerSource: at(outer), bytes }]);
    t.is(result.packets.length + result.drops.length, 1);
    t.is(result.packets.length === 1 ? 'delivered' : result.drops[0], verdict);
  });

test('inbound: takes one off the TTL, trims what trails, and touches nothing else', (t) => {
  const packet = udp(FROM);
  const wanted = packet.slice();
  wanted[8] = 63;
  finishIpv4Header(wanted);
  const result = twinInbound(CONFIG, [{ outerSource: at('192.0.2.2'), bytes: Uint8Array.of(...packet, 9, 9) }]);
  t.is(toHex(result.packets[0]!), toHex(wanted));
});

test('inbound: without the source check strangers and any source pass, foreign destinations do not', (t) => {
  const open = { ...CONFIG, sourceCheck: false };
  const result = twinInbound(open, [
    { outerSource: at('192.0.2.9'), bytes: udp(FROM) },
    { outerSource: at('192.0.2.2'), bytes: udp({ ...FROM, source: at('1.2.3.4') }) },
    { outerSource: at('192.0.2.2'), bytes: udp({ ...FROM, destination: at('8.8.8.8') }) },
  ]);
  t.is(result.packets.length, 2);
  t.deepEqual(result.drops, ['foreign-destination']);
});

test('inbound: what the underlay marked comes through, with the checksum right', (t) => {
  for (const ip of [FROM, { ...V6, source: V6.destination, destination: V6.source }]) {
    const datagram = { outerSource: at('192.0.2.2'), outerTos: 3, bytes: udp({ ...ip, tos: 0xba }) };
    const { packets } = twinInbound(CONFIG, [datagram]);
    t.is(packets.length, 1);
    t.is(tosOf(packets[0]!), 0xbb);
    t.is(toHex(withTos(packets[0]!, 0xba)), toHex(twinInbound(CONFIG, [{ ...datagram, outerTos: 0 }]).packets[0]!));
  }
});

test('inbound: a mark on a packet whose sender does not know ECN is a drop, after all other reasons', (t) => {
  const marked = (bytes: Uint8Array) => ({ outerSource: at('192.0.2.2'), outerTos: 3, bytes });
  const { drops } = twinInbound(CONFIG, [marked(udp(FROM)), marked(udp({ ...FROM, ttl: 1 }))]);
  t.deepEqual(drops, ['ecn-not-capable', 'ttl-expired']);
});

test('outbound: the outer TOS octet has the inner ECN and, if asked for, the inner DSCP', (t) => {
  const frames = [withVnetHeader(PLAIN, udp({ ...V4, tos: 0xba })), withVnetHeader(PLAIN, udp({ ...V6, tos: 0x01 }))];
  const tosFor = (dscp: number | 'inherit') =>
    twinOutbound({ ...CONFIG, dscp }, frames).datagrams.map(({ tos }) => tos);
  t.deepEqual(tosFor(0), [0x02, 0x01]);
  t.deepEqual(tosFor(46), [0xba, 0xb9]);
  t.deepEqual(tosFor('inherit'), [0xba, 0x01]);
});

test('a tunnel that is a link, not a hop, looks at no TTL and lowers none', (t) => {
  const link = { ...CONFIG, isHop: false };
  const sent = udp({ ...V4, ttl: 1 });
  t.is(toHex(twinOutbound(link, [withVnetHeader(PLAIN, sent)]).datagrams[0]!.bytes), toHex(sent));
  const came = udp({ ...FROM, ttl: 0 });
  t.is(toHex(twinInbound(link, [{ outerSource: at('192.0.2.2'), bytes: came }]).packets[0]!), toHex(came));
});
