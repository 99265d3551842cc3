// Any bytes at all, through the printer (which walks every parser) and through each codec. A failure prints the seed and the bytes.
import test, { type ExecutionContext } from 'ava';
import { checkArp, emitArp, parseArp } from '../../lib/wire/arp.ts';
import { checkEthernet, emitEthernetHeader, parseEthernetHeader } from '../../lib/wire/ethernet.ts';
import {
  checkIcmp,
  emitIcmpHeader,
  formatIcmpHeader,
  formatIcmpv6Header,
  parseIcmpHeader,
} from '../../lib/wire/icmp.ts';
import { checkIpv4, emitIpv4Header, ipv4ChecksumIsValid, parseIpv4Header } from '../../lib/wire/ipv4.ts';
import { checkIpv6, emitIpv6Header, parseIpv6Header, walkIpv6 } from '../../lib/wire/ipv6.ts';
import { checkNdp, checkNdpPacket, emitNdp, parseNdp } from '../../lib/wire/ndp.ts';
import { printFrame, printPacket } from '../../lib/wire/print.ts';
import { checkTcp, emitTcpHeader, parseTcpHeader } from '../../lib/wire/tcp.ts';
import { checkUdp, emitUdpHeader, parseUdpHeader } from '../../lib/wire/udp.ts';
import { checkVxlan, emitVxlanHeader, parseVxlanHeader } from '../../lib/wire/vxlan.ts';
import { readVector } from '../capture/vectors.ts';
import { Dice } from '../golden/dice.ts';
import { randomDatagrams } from '../golden/random-datagrams.ts';
import { randomFrames } from '../golden/random-frames.ts';
import { randomNetwork } from '../golden/random-network.ts';
import { toHex, viewOf } from '../wire/bytes.ts';

const dice = new Dice();
const because = (bytes: Uint8Array) => `WEFT_SEED=${dice.seed}: ${toHex(bytes)}`;

/** t.true, but the message, which costs more than the test, is made for a failure only. */
function holds(t: ExecutionContext, condition: boolean, bytes: Uint8Array): void {
  if (!condition) t.fail(because(bytes));
}

const LAYER = /^(Ethernet|ARP|IP|IPv4|IPv6|TCP|UDP|ICMP|ICMPv6|VXLAN|about|protocol|extension|fragment|\d+ bytes)\b/;

/** A line of layers that it knows, whatever the bytes, of bounded length. */
function isALine(line: string): boolean {
  return line.length < 1500 && line.split(' | ').every((layer) => LAYER.test(layer));
}

/** Changes a few bytes, cuts, lengthens, or repeats a part. */
function mutate(original: Uint8Array): Uint8Array {
  let bytes = original.slice();
  for (let times = dice.between(1, 4); times > 0; times--) {
    switch (dice.below(5)) {
      case 0:
      case 1: // near the front, where the headers are
        if (bytes.length > 0)
          bytes[dice.below(Math.min(bytes.length, 100))] = dice.pick([0, 1, 0x45, 0x60, 0x7f, 0xff, dice.below(256)]);
        break;
      case 2:
        bytes = bytes.slice(0, dice.below(bytes.length + 1));
        break;
      case 3:
        bytes = Uint8Array.of(...bytes, ...dice.bytes(dice.below(40)));
        break;
      default: {
        const from = dice.below(bytes.length + 1);
        bytes.copyWithin(dice.below(bytes.length + 1), from, from + dice.below(60));
      }
    }
  }
  return bytes;
}

test('prints random bytes as packet and as frame', (t) => {
  for (let round = 0; round < 3000; round++) {
    const bytes = dice.bytes(dice.below(200));
    // Half of them begin like an IP packet, or the printer would give up at once.
    if (bytes.length > 0 && dice.oneIn(2)) bytes[0] = dice.pick([0x45, 0x46, 0x4f, 0x60]);
    holds(t, isALine(printPacket(bytes)), bytes);
    holds(t, isALine(printFrame(bytes)), bytes);
  }
  t.pass();
});

test('prints mutated packets of real flannelds', (t) => {
  const originals = [
    ...readVector('flanneld-udp/h1-underlay').packets,
    ...readVector('flanneld-vxlan/h1-underlay').packets.filter(({ length }) => length < 2000),
  ].map(({ bytes }) => bytes);
  for (let round = 0; round < 2000; round++) {
    const frame = mutate(dice.pick(originals));
    holds(t, isALine(printFrame(frame)), frame);
    holds(t, isALine(printPacket(frame.subarray(14))), frame);
  }
  t.pass();
});

test('prints what hostile kernels and peers hand us', (t) => {
  const network = randomNetwork(dice);
  const packets = [
    ...randomFrames(dice, network, 300, 2000).map((frame) => frame.subarray(10)),
    ...randomDatagrams(dice, network, 500).map(({ bytes }) => bytes),
  ];
  for (const packet of packets) holds(t, isALine(printPacket(packet)), packet.subarray(0, 200));
  t.pass();
});

test('never reads beyond its bytes: what lies behind does not change the line', (t) => {
  for (let round = 0; round < 2000; round++) {
    const bytes = dice.bytes(dice.below(120));
    if (bytes.length > 0) bytes[0] = dice.pick([0x45, 0x46, 0x60]);
    const buffer = dice.bytes(bytes.length + 64);
    buffer.set(bytes, 32);
    t.is(printPacket(buffer.subarray(32, 32 + bytes.length)), printPacket(bytes), because(bytes));
  }
});

interface Codec<Header> {
  readonly name: string;
  readonly check: (view: DataView, offset: number, end: number) => string | undefined;
  readonly parse: (view: DataView, offset: number) => Header;
  readonly emit: (view: DataView, offset: number, header: Header) => number;
  /** Makes random bytes pass the check often enough. */
  readonly likely: (bytes: Uint8Array) => void;
  /** Bytes that parse leaves out: [offset, offset + 2) of the checksum, or reserved bits. */
  readonly ignore: (bytes: Uint8Array) => void;
}

const zero = (from: number, to: number) => (bytes: Uint8Array) => void bytes.fill(0, from, to);

const ipv4: Codec<ReturnType<typeof parseIpv4Header>> = {
  name: 'IPv4',
  check: checkIpv4,
  parse: parseIpv4Header,
  emit: emitIpv4Header,
  likely: (bytes) => bytes.set([dice.between(0x44, 0x4f), 0, 0, dice.below(80)]),
  ignore: zero(10, 12),
};
const ipv6: Codec<ReturnType<typeof parseIpv6Header>> = {
  name: 'IPv6',
  check: checkIpv6,
  parse: parseIpv6Header,
  emit: emitIpv6Header,
  likely: (bytes) => {
    bytes[0] = dice.between(0x60, 0x6f);
    bytes.set([0, dice.below(80), dice.pick([0, 43, 44, 60, 6])], 4);
  },
  ignore: () => undefined,
};
const udp: Codec<ReturnType<typeof parseUdpHeader>> = {
  name: 'UDP',
  check: checkUdp,
  parse: parseUdpHeader,
  emit: emitUdpHeader,
  likely: (bytes) => bytes.set([0, dice.below(80)], 4),
  ignore: zero(6, 8),
};
const tcp: Codec<ReturnType<typeof parseTcpHeader>> = {
  name: 'TCP',
  check: checkTcp,
  parse: parseTcpHeader,
  emit: emitTcpHeader,
  likely: () => undefined,
  ignore: zero(16, 18),
};
const icmp: Codec<ReturnType<typeof parseIcmpHeader>> = {
  name: 'ICMP',
  check: checkIcmp,
  parse: parseIcmpHeader,
  emit: emitIcmpHeader,
  likely: () => undefined,
  ignore: zero(2, 4),
};
const ethernet: Codec<ReturnType<typeof parseEthernetHeader>> = {
  name: 'Ethernet',
  check: checkEthernet,
  parse: parseEthernetHeader,
  emit: emitEthernetHeader,
  likely: () => undefined,
  ignore: () => undefined,
};
const arp: Codec<ReturnType<typeof parseArp>> = {
  name: 'ARP',
  check: checkArp,
  parse: parseArp,
  emit: emitArp,
  likely: (bytes) => bytes.set([0, 1, 8, 0, 6, 4]),
  ignore: () => undefined,
};
const ndp: Codec<ReturnType<typeof parseNdp>> = {
  name: 'NDP',
  // Without options: those it does not know are not written again.
  check: (view, offset, end) => checkNdp(view, offset, Math.min(end, offset + 24)),
  parse: (view, offset) => parseNdp(view, offset, offset + 24),
  emit: emitNdp,
  likely: (bytes) => bytes.set([dice.pick([135, 136]), 0]),
  ignore: (bytes) => {
    bytes.fill(0, 2, 4);
    bytes[4]! &= bytes[0] === 136 ? 0xe0 : 0;
    bytes.fill(0, 5, 8);
  },
};
const vxlan: Codec<ReturnType<typeof parseVxlanHeader>> = {
  name: 'VXLAN',
  check: checkVxlan,
  parse: parseVxlanHeader,
  emit: emitVxlanHeader,
  likely: () => undefined,
  ignore: (bytes) => {
    bytes[0] = 0x08;
    bytes.fill(0, 1, 4);
    bytes[7] = 0;
  },
};

function fuzzCodec<Header>(codec: Codec<Header>): void {
  test(`${codec.name}: what passes the check parses without reading beyond it, and emits as it was`, (t) => {
    let passed = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = dice.bytes(dice.below(90));
      if (bytes.length >= 8) codec.likely(bytes);
      // The view ends with the bytes: an access behind them throws.
      if (codec.check(viewOf(bytes), 0, bytes.length) !== undefined) continue;
      passed++;
      const header = codec.parse(viewOf(bytes), 0);
      const target = new Uint8Array(120).fill(0xa5);
      const length = codec.emit(viewOf(target), 0, header);
      const written = target.slice(0, length);
      const wanted = bytes.slice(0, length);
      codec.ignore(written);
      codec.ignore(wanted);
      t.is(toHex(written), toHex(wanted), because(bytes));
      t.true(
        target.subarray(length).every((byte) => byte === 0xa5),
        because(bytes),
      );
    }
    t.true(passed > 100, `only ${passed} of 3000 passed the check`);
  });
}

fuzzCodec(ipv4);
fuzzCodec(ipv6);
fuzzCodec(udp);
fuzzCodec(tcp);
fuzzCodec(icmp);
fuzzCodec(ethernet);
fuzzCodec(arp);
fuzzCodec(ndp);
fuzzCodec(vxlan);

test('an emitted IPv4 header has a checksum that holds', (t) => {
  for (let round = 0; round < 500; round++) {
    const bytes = dice.bytes(60);
    ipv4.likely(bytes);
    if (checkIpv4(viewOf(bytes), 0, 60) !== undefined) continue;
    emitIpv4Header(viewOf(bytes), 0, parseIpv4Header(viewOf(bytes), 0));
    holds(t, ipv4ChecksumIsValid(viewOf(bytes), 0), bytes);
  }
  t.pass();
});

test('the walk over IPv6 extension headers ends, inside the packet', (t) => {
  for (let round = 0; round < 3000; round++) {
    const bytes = dice.bytes(40 + 8 * dice.below(12));
    bytes[0] = 0x60;
    bytes.set([0, bytes.length - 40, dice.pick([0, 43, 44, 60])], 4);
    // Short headers that name each other, mostly.
    for (let at = 40; at < bytes.length; at += 8)
      bytes.set([dice.pick([0, 43, 44, 60, 17]), dice.oneIn(4) ? dice.below(256) : 0, 0, 0], at);
    const chain = walkIpv6(viewOf(bytes), 0, bytes.length);
    if (typeof chain === 'string') continue;
    holds(t, chain.offset <= bytes.length && chain.count <= 8, bytes);
  }
  t.pass();
});

test('neighbour discovery: the check ends, and what passes parses without reading beyond it', (t) => {
  const messages = readVector('neighbors/linux').packets.map(({ bytes }) => bytes.subarray(14));
  for (let round = 0; round < 3000; round++) {
    const bytes = mutate(dice.pick(messages));
    // The view ends with the bytes: an access behind them throws.
    if (checkNdpPacket(viewOf(bytes), 0, bytes.length) === undefined)
      parseNdp(viewOf(bytes), 40, 40 + bytes[4]! * 256 + bytes[5]!);
    if (checkNdp(viewOf(bytes), 0, bytes.length) === undefined) parseNdp(viewOf(bytes), 0, bytes.length);
  }
  t.pass();
});

test('prints every ICMP type and code', (t) => {
  for (let type = 0; type < 256; type++)
    for (const code of [0, 1, 3, 4, 5, 255]) {
      t.regex(formatIcmpHeader({ type, code, rest: 0xffffffff }), /^ICMP \S/);
      t.regex(formatIcmpv6Header({ type, code, rest: 0xffffffff }), /^ICMPv6 \S/);
    }
});
