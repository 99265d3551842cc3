import test from 'ava';
import { printPacket } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { finishIpv4Header, slowSum } from './checksum.ts';
import { Dice } from './dice.ts';
import { type IcmpErrorKind, icmpError } from './icmp-error.ts';
import { put16 } from './octets.ts';
import {
  buildFragment,
  buildIcmp,
  buildUdp,
  type IpFields,
  NO_EXTENSIONS,
  randomExtensions,
} from './random-packets.ts';

const dice = new Dice(1);
const SOURCES = { ipv4: 0x0af40100, ipv6: (0xfdn << 120n) + 0x1n };
const V4: IpFields = {
  source: 0x0af40105,
  destination: 0x0af40205,
  ttl: 1,
  tos: 0,
  id: 7,
  dontFragment: true,
  options: new Uint8Array(0),
  flowLabel: 0,
  extensions: NO_EXTENSIONS,
};
const V6: IpFields = { ...V4, source: (0xfdn << 120n) + 5n, destination: (0xfdn << 120n) + 6n };
const PORTS = { sourcePort: 1, destinationPort: 2 };
const udp = (ip: IpFields, length: number) => buildUdp(ip, PORTS, dice.bytes(length), 'finished').packet;

test('says what Linux says when a TTL runs out, but for the id, which we leave 0 under DF', (t) => {
  // The first ping with TTL 1 on flannel.1, and the answer of the peer's kernel, 10.244.62.0.
  const { packets } = readVector('flanneld-vxlan/h1-overlay');
  const [request, answer] = [packets[10]!, packets[11]!].map(({ bytes }) => bytes.slice(14)) as [
    Uint8Array,
    Uint8Array,
  ];
  t.regex(printPacket(request), /ttl 1 .* ICMP echo request/);
  const wanted = answer.slice();
  put16(wanted, 4, 0);
  put16(wanted, 6, 0x4000);
  finishIpv4Header(wanted);
  t.is(toHex(icmpError('time-exceeded', request, { ipv4: 0x0af43e00, ipv6: undefined })!), toHex(wanted));
});

const MESSAGES: readonly (readonly [name: string, kind: IcmpErrorKind, ip: IpFields, printed: string])[] = [
  [
    'no route, IPv4',
    'no-route',
    V4,
    'ICMP unreachable (net) | about IPv4 10.244.1.5 > 10.244.2.5 ttl 1 id 7 DF | 36 bytes',
  ],
  [
    'time exceeded, IPv4',
    'time-exceeded',
    V4,
    'ICMP time exceeded | about IPv4 10.244.1.5 > 10.244.2.5 ttl 1 id 7 DF | 36 bytes',
  ],
  [
    'too big, IPv4',
    { mtu: 1472 },
    V4,
    'ICMP fragmentation needed mtu 1472 | about IPv4 10.244.1.5 > 10.244.2.5 ttl 1 id 7 DF | 36 bytes',
  ],
  [
    'no route, IPv6',
    'no-route',
    V6,
    'ICMPv6 unreachable (no route) | about IPv6 fd00::5 > fd00::6 hop-limit 1 | 56 bytes',
  ],
  [
    'time exceeded, IPv6',
    'time-exceeded',
    V6,
    'ICMPv6 time exceeded | about IPv6 fd00::5 > fd00::6 hop-limit 1 | 56 bytes',
  ],
  [
    'too big, IPv6',
    { mtu: 1452 },
    V6,
    'ICMPv6 packet too big mtu 1452 | about IPv6 fd00::5 > fd00::6 hop-limit 1 | 56 bytes',
  ],
];

for (const [name, kind, ip, printed] of MESSAGES)
  test(`writes ${name}, from whom the sender takes it (H17)`, (t) => {
    const line = printPacket(icmpError(kind, udp(ip, 8), SOURCES)!);
    const [router, destination] = typeof ip.source === 'number' ? ['10.244.1.0', '10.244.2.5'] : ['fd00::1', 'fd00::6'];
    const from = kind === 'time-exceeded' ? router : destination;
    // The printer would say so if a checksum were wrong.
    const head =
      typeof ip.source === 'number'
        ? `IPv4 ${from} > 10.244.1.5 ttl 64 tos 0xc0 id 0 DF`
        : `IPv6 ${from} > fd00::5 hop-limit 64`;
    t.is(line, `${head} | ${printed}`);
  });

test('quotes as much as fits 576 bytes, or 1280 in IPv6', (t) => {
  for (const [ip, overhead, longest] of [
    [V4, 28, 576],
    [V6, 48, 1280],
  ] as const)
    for (const size of [longest - overhead - 1, longest - overhead, longest - overhead + 1, 1400]) {
      const packet = udp(ip, size - (ip === V4 ? 28 : 48));
      const error = icmpError('no-route', packet, SOURCES)!;
      t.is(error.length, Math.min(longest, overhead + size));
      t.is(toHex(error.subarray(overhead)), toHex(packet.subarray(0, error.length - overhead)));
      t.is(slowSum(error, 0, 20) === 65535, ip === V4);
    }
});

const icmp = (ip: IpFields, type: number) => buildIcmp(ip, type, 0, dice.bytes(20)).packet;
const SILENT: readonly (readonly [name: string, packet: Uint8Array])[] = [
  ...[3, 4, 5, 11, 12].map((type) => [`an ICMP error, type ${type}`, icmp(V4, type)] as const),
  ...[1, 2, 3, 4, 127, 137].map((type) => [`an ICMPv6 error, type ${type}`, icmp(V6, type)] as const),
  ['an ICMPv6 error behind extension headers', icmp({ ...V6, extensions: randomExtensions(dice, 2) }, 1)],
  ['an ICMP message without a type', concat(hex('4500 0014 0000 4000 0101 0000 0af40105 0af40205'))],
  ['a later fragment', buildFragment(V4, 8, true, dice.bytes(8))],
  ['a last fragment', buildFragment(V4, 65528, false, dice.bytes(7))],
  ['a later IPv6 fragment', buildFragment(V6, 8, false, dice.bytes(8))],
  ['a chain of nine extension headers', udp({ ...V6, extensions: randomExtensions(dice, 9) }, 8)],
  ...[0, 1, 0x7f000001, 0xe0000001, 0xf0000001, 0xffffffff].map(
    (source) => [`a packet from ${source.toString(16)}`, udp({ ...V4, source }, 8)] as const,
  ),
  ...[0n, 1n, 0xff02n << 112n].map(
    (source) => [`a packet from ${source.toString(16)} (IPv6)`, udp({ ...V6, source }, 8)] as const,
  ),
  ...[0xe0000001, 0xffffffff].map(
    (destination) => [`a packet to ${destination.toString(16)}`, udp({ ...V4, destination }, 8)] as const,
  ),
  ['a packet to ff02::1', udp({ ...V6, destination: (0xff02n << 112n) + 1n }, 8)],
];

for (const [name, packet] of SILENT)
  test(`is silent about ${name}`, (t) => {
    t.is(icmpError('no-route', packet, SOURCES), undefined);
    t.is(icmpError('time-exceeded', packet, SOURCES), undefined);
  });

const ANSWERED: readonly (readonly [name: string, packet: Uint8Array])[] = [
  ['an echo request', icmp(V4, 8)],
  ['an echo reply', icmp(V4, 0)],
  ['an ICMPv6 echo request', icmp(V6, 128)],
  ['a first fragment', buildFragment(V4, 0, true, dice.bytes(8))],
  ['a first IPv6 fragment', buildFragment(V6, 0, true, dice.bytes(8))],
  ['UDP behind extension headers', udp({ ...V6, extensions: randomExtensions(dice, 8) }, 8)],
  ['a protocol that ends with the IP header', concat(hex('4500 0014 0000 4000 0132 0000 0af40105 0af40205'))],
];

for (const [name, packet] of ANSWERED)
  test(`answers ${name}`, (t) => {
    t.truthy(icmpError('no-route', packet, SOURCES));
  });

test('without an IPv6 address of our own there is no ICMPv6', (t) => {
  t.is(icmpError('no-route', udp(V6, 8), { ipv4: 1, ipv6: undefined }), undefined);
});
