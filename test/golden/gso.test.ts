import test from 'ava';
import { printPacket } from '../../lib/wire/print.ts';
import { readKernelSegmentation } from '../capture/kernel-segmentation.ts';
import { hex, toHex } from '../wire/bytes.ts';
import { finishIpv4Header } from './checksum.ts';
import { Dice } from './dice.ts';
import { cut, recut, withoutAtomicId } from './gso.ts';
import { buildTcp, buildUdp, NO_EXTENSIONS, randomExtensions, randomTcp } from './random-packets.ts';
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CSUM,
  PLAIN,
  readVnetHeader,
  VNET_HEADER,
  type VnetHeader,
  withVnetHeader,
} from './vnet-header.ts';

// Five bytes of payload in packets of two: FIN, PSH, ACK and CWR set, id and sequence number about to wrap.
const SUPER = hex(`
  4500 002d ffff 4000 4006 26c9 0a000001 0a000002
  0400 0050 fffffffe 00000007 5099 0100 1422 0000  6162636465`);
const CUTS = [
  '4500 002a ffff 4000 4006 26cc 0a000001 0a000002  0400 0050 fffffffe 00000007 5090 0100 3498 0000  6162',
  '4500 002a 0000 4000 4006 26cc 0a000001 0a000002  0400 0050 00000000 00000007 5010 0100 3315 0000  6364',
  '4500 0029 0001 4000 4006 26cc 0a000001 0a000002  0400 0050 00000002 00000007 5019 0100 316f 0000  65',
].map(hex);
const VNET: VnetHeader = {
  flags: NEEDS_CSUM,
  gsoType: GSO_TCPV4 | GSO_ECN,
  hdrLen: 40,
  gsoSize: 2,
  csumStart: 20,
  csumOffset: 16,
};

const hexOf = (packets: readonly Uint8Array[] | string) => (typeof packets === 'string' ? packets : packets.map(toHex));

test('cuts a super-packet into three packets, byte for byte', (t) => {
  t.deepEqual(hexOf(cut(VNET, SUPER)), CUTS.map(toHex));
});

test('does not believe hdrLen, and does not need NEEDS_CSUM', (t) => {
  t.deepEqual(hexOf(cut({ ...VNET, hdrLen: 1400 }, SUPER)), CUTS.map(toHex));
  t.deepEqual(hexOf(cut({ ...VNET, flags: 0, csumStart: 0, csumOffset: 0 }, SUPER)), CUTS.map(toHex));
});

test('a super-packet no longer than one packet stays whole, flags and all', (t) => {
  const whole = hex(`
    4500 002d ffff 4000 4006 26c9 0a000001 0a000002
    0400 0050 fffffffe 00000007 5099 0100 6c27 0000  6162636465`);
  for (const gsoSize of [5, 6, 65535]) t.deepEqual(hexOf(cut({ ...VNET, gsoSize }, SUPER)), [toHex(whole)]);
});

test('the packet given is left alone', (t) => {
  const before = SUPER.slice();
  cut(VNET, SUPER);
  t.deepEqual(SUPER, before);
});

const REFUSED: readonly (readonly [name: string, vnet: VnetHeader, packet?: Uint8Array])[] = [
  ['a gso_size of 0', { ...VNET, gsoSize: 0 }],
  ['TCPv6 around IPv4', { ...VNET, gsoType: GSO_TCPV6 }],
  ['UDP around TCP', { ...VNET, gsoType: GSO_UDP_L4 }],
  ['UDP fragmentation offload', { ...VNET, gsoType: 3 }],
  ['an unknown type', { ...VNET, gsoType: 2 }],
  ['ECN without a type', { ...VNET, gsoType: GSO_ECN }],
  ['a checksum that starts elsewhere', { ...VNET, csumStart: 24 }],
  ['a checksum that goes elsewhere', { ...VNET, csumOffset: 6 }],
  ['a partial checksum inside the IP header', { ...VNET, gsoType: GSO_NONE, csumStart: 19, csumOffset: 0 }],
  ['a partial checksum behind the packet', { ...VNET, gsoType: GSO_NONE, csumStart: 20, csumOffset: 24 }],
  ['a partial checksum that starts behind the packet', { ...VNET, gsoType: GSO_NONE, csumStart: 45, csumOffset: 0 }],
  ['a fragment', VNET, changed(6, 0x20)],
  ['a data offset below 5', VNET, changed(32, 0x40)],
  ['a data offset past the end', VNET, changed(32, 0x70)],
  ['another protocol', VNET, changed(9, 50)],
];

for (const [name, vnet, packet] of REFUSED)
  test(`refuses ${name}`, (t) => {
    t.is(cut(vnet, packet ?? SUPER), 'bad-offload-header');
  });

function changed(at: number, value: number): Uint8Array {
  const packet = SUPER.slice();
  packet[at] = value;
  finishIpv4Header(packet);
  return packet;
}

test('cuts and finishes what Linux cuts and finishes, byte for byte', (t) => {
  const { frames, packets } = readKernelSegmentation();
  const ours = frames.flatMap((frame) => {
    const packet = frame.slice(VNET_HEADER);
    // The kernel routed the packets it cut.
    if (packet[0]! >>> 4 === 4) {
      packet[8]! -= 1;
      finishIpv4Header(packet);
    } else {
      packet[7]! -= 1;
    }
    const parts = cut(readVnetHeader(frame), packet);
    return typeof parts === 'string' ? [] : parts;
  });
  t.is(frames.length, 22);
  t.is(ours.length, packets.length);
  for (const [at, bytes] of packets.entries()) t.is(toHex(ours[at]!), toHex(bytes), printPacket(bytes));
});

test('undoes every write that Linux accepted', (t) => {
  const { frames, packets } = readKernelSegmentation();
  // As above, but for the hop; compare without TTL and what follows from it.
  const withoutHop = (packet: Uint8Array) => {
    const copy = packet.slice();
    copy[copy[0]! >>> 4 === 4 ? 8 : 7] = 1;
    if (copy[0]! >>> 4 === 4) finishIpv4Header(copy);
    return toHex(copy);
  };
  t.deepEqual(frames.flatMap(recut).map(withoutHop), packets.map(withoutHop));
});

const WRITE = withVnetHeader(VNET, SUPER);
const WRONG_WRITES: readonly (readonly [name: string, frame: Uint8Array, message: RegExp])[] = [
  ['a wrong hdrLen', withVnetHeader({ ...VNET, hdrLen: 54 }, SUPER), /hdrLen 54, headers end at 40/],
  ['a missing NEEDS_CSUM', withVnetHeader({ ...VNET, flags: 0 }, SUPER), /without NEEDS_CSUM/],
  ['flags nobody asked for', withVnetHeader({ ...VNET, flags: 3 }, SUPER), /flags 3/],
  ['one packet dressed up as several', withVnetHeader({ ...VNET, gsoSize: 5 }, SUPER), /single packet/],
  ['a finished checksum where a partial one belongs', withVnetHeader(VNET, changed(36, 0x34)), /partial checksum/],
  ['a header checksum of before', withVnetHeader(VNET, SUPER.with(11, 0)), /bad-header-checksum/],
  ['a total length of before', WRITE.slice(0, -1), /truncated/],
  ['bytes behind the packet', Uint8Array.of(...WRITE, 0), /1 bytes trail/],
  ['a gso_size of 0', withVnetHeader({ ...VNET, gsoSize: 0 }, SUPER), /does not fit/],
  ['an offset into the void', withVnetHeader({ ...VNET, gsoType: GSO_NONE, csumStart: 44 }, SUPER), /does not fit/],
];

for (const [name, frame, message] of WRONG_WRITES)
  test(`does not let a write pass with ${name}`, (t) => {
    t.throws(() => recut(frame), { message });
  });

test('does not let a UDP super-packet pass with the length of one datagram', (t) => {
  const dice = new Dice(1);
  const ip = {
    source: 0x0a000001,
    destination: 0x0a000002,
    ttl: 9,
    tos: 0,
    id: 1,
    dontFragment: true,
    options: new Uint8Array(0),
    flowLabel: 0,
    extensions: NO_EXTENSIONS,
  };
  const built = buildUdp(ip, { sourcePort: 1, destinationPort: 2 }, dice.bytes(30), 'partial');
  const vnet = { flags: NEEDS_CSUM, gsoType: GSO_UDP_L4, hdrLen: 28, gsoSize: 10, csumStart: 20, csumOffset: 6 };
  t.is(recut(withVnetHeader(vnet, built.packet)).length, 3);
  built.packet[25] = 18;
  t.throws(() => recut(withVnetHeader(vnet, built.packet)), { message: /UDP length 18, really 38/ });
});

test('a plain write is the packet itself', (t) => {
  t.deepEqual(hexOf(recut(withVnetHeader(PLAIN, CUTS[0]!))), [toHex(CUTS[0]!)]);
});

test('ids do not count where they mean nothing: DF and no fragment', (t) => {
  const [first, second] = CUTS as [Uint8Array, Uint8Array];
  t.is(toHex(withoutAtomicId(second)), toHex(second), 'an id of 0 stays');
  t.is(toHex(withoutAtomicId(first)).slice(12, 17), '00 00');
  const mayFragment = first.slice();
  mayFragment[6] = 0;
  finishIpv4Header(mayFragment);
  t.is(toHex(withoutAtomicId(mayFragment)), toHex(mayFragment));
  const fragment = first.slice();
  fragment[6] = 0x60;
  finishIpv4Header(fragment);
  t.is(toHex(withoutAtomicId(fragment)), toHex(fragment));
});

test('cuts behind IPv4 options and IPv6 extension headers, which every packet repeats', (t) => {
  const dice = new Dice(2);
  const ip = {
    ttl: 9,
    tos: 0,
    id: 1,
    dontFragment: true,
    flowLabel: 0,
    extensions: randomExtensions(dice, 3),
    options: dice.bytes(12),
  };
  for (const [addresses, gsoType, prefix] of [
    [{ source: 0x0a000001, destination: 0x0a000002 }, GSO_TCPV4, 32],
    [{ source: 1n << 100n, destination: 2n << 100n }, GSO_TCPV6, 40 + ip.extensions.length],
  ] as const) {
    const built = buildTcp({ ...ip, ...addresses }, randomTcp(dice), dice.bytes(25), 'partial');
    t.is(built.transport, prefix);
    const vnet = { ...VNET, gsoType, gsoSize: 10, csumStart: prefix, hdrLen: built.payload };
    const parts = cut(vnet, built.packet) as Uint8Array[];
    t.is(parts.length, 3);
    for (const part of parts) {
      t.notRegex(printPacket(part), /bad-|truncated/);
      t.is(
        toHex(part.subarray(20, prefix).slice(prefix === 32 ? 0 : 20)),
        toHex(built.packet.subarray(20, prefix).slice(prefix === 32 ? 0 : 20)),
      );
    }
  }
});
