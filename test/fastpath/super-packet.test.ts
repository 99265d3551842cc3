/**
 * Super-packets from the underlay: what the kernel hands over whole because nothing on the way cut it. The packets they stand
 * for are compared with test/golden/gso.ts, which was checked against Linux itself.
 */
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import {
  COUNT_IN_BYTES,
  COUNT_IN_FORWARDED,
  COUNT_IN_RECEIVED,
  ENCAPSULATION_IPIP,
  ENCAPSULATION_VXLAN,
} from '../../lib/fastpath/abi.ts';
import { readVector } from '../capture/vectors.ts';
import { addWords, slowPseudoSum, slowSum } from '../golden/checksum.ts';
import { readFrame } from '../golden/ethernet.ts';
import { recut } from '../golden/gso.ts';
import { get16, put16 } from '../golden/octets.ts';
import { Harness, type HarnessOptions, type ReceivedMessage, SEGMENT } from './harness.ts';
import { frame, payload, tcp4, udp4 } from './packets.ts';

const PEER = parseIpv4('192.0.2.2')!;
const OWN_MAC = 0x02_00_00_00_00_01;
const PEER_MAC = 0x02_00_00_00_00_02;
const VXLAN_HEADER = [8, 0, 0, 0, 0, 0, 1, 0];
const ETHERNET = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
const MTU = 1472;

function harness(change: Partial<HarnessOptions> = {}): Harness {
  return new Harness({
    own4: '10.244.1.0/24',
    encapsulation: ENCAPSULATION_VXLAN,
    ethernet: { vni: 1, family: 4, mac: OWN_MAC, learning: false },
    peers: [
      {
        publicIp: PEER,
        prefixes: ['10.244.2.0/24'],
        vtep: { mac: PEER_MAC, tunnel4: undefined, tunnel6: undefined },
      },
    ],
    ...change,
  });
}

/** The packet as the kernel leaves it for a network card: the checksum field holds the pseudo-header's sum. */
function unfinished(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  put16(copy, copy[9] === 6 ? 36 : 26, slowPseudoSum(copy, copy[9]!, copy.length - 20));
  return copy;
}

function vxlan(packet: Uint8Array, gsoSize?: number): ReceivedMessage {
  const bytes = Uint8Array.from([...VXLAN_HEADER, ...ETHERNET, ...packet]);
  return { outerSource: PEER, bytes, ...(gsoSize === undefined ? {} : { gsoSize }) };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The packets that the writes stand for, as the receiving kernel sees them; their Ethernet headers are checked. */
function packetsOf(writes: ReturnType<Harness['inbound']>['writes'], t: { is(a: string, b: string): void }): string[] {
  return writes.flatMap(({ vnet, packet }) => {
    t.is(hex(packet.subarray(0, 14)), hex(Uint8Array.from(ETHERNET)));
    if (vnet.length === 0) return [hex(packet.subarray(14))];
    // Offsets count from the Ethernet header.
    const moved = vnet.slice();
    if (moved[0] !== 0) for (const at of moved[1] === 0 ? [6] : [2, 6]) moved[at]! -= 14;
    return recut(Uint8Array.from([...moved, ...packet.subarray(14)])).map(hex);
  });
}

const TOTAL = 30_000;
const big = tcp4({ sequence: 4_294_960_000, id: 65_530, payload: payload(TOTAL, 7), flags: 0x18 });
/** What the sender's TCP meant. */
function cuts(size: number): string[] {
  const count = Math.ceil(TOTAL / size);
  return Array.from({ length: count }, (_, i) => {
    const part = payload(TOTAL, 7).subarray(i * size, (i + 1) * size);
    const sequence = (4_294_960_000 + i * size) % 2 ** 32;
    return hex(tcp4({ sequence, id: (65_530 + i) % 65_536, payload: part, flags: i === count - 1 ? 0x18 : 0x10 }));
  });
}

test('a super-packet in one datagram goes on whole, cut to the size the kernel names', (t) => {
  const { writes, drops } = harness().inbound([vxlan(unfinished(big), 1398)]);
  t.deepEqual(drops, []);
  t.is(writes.length, 1);
  t.is(writes[0]!.count, Math.ceil(TOTAL / 1398));
  t.deepEqual(packetsOf(writes, t), cuts(1398));
});

test('without it, its cuts are as long as the device allows', (t) => {
  const { writes } = harness().inbound([vxlan(unfinished(big))]);
  t.is(writes.length, 1);
  t.deepEqual(packetsOf(writes, t), cuts(MTU - 40));
});

test('a device that takes no joined packets gets the cuts', (t) => {
  for (const change of [{ tunGro: false }, { tunGro: false, vnetHeader: false }]) {
    const { writes, drops } = harness(change).inbound([vxlan(unfinished(big), 1398)]);
    t.deepEqual(drops, []);
    t.is(writes.length, Math.ceil(TOTAL / 1398));
    t.deepEqual(packetsOf(writes, t), cuts(1398));
  }
});

test('a batch full of super-packets for such a device is delivered to the last cut', (t) => {
  const messages = Array.from({ length: 64 }, () => vxlan(unfinished(big), 500));
  const { writes, drops } = harness({ tunGro: false }).inbound(messages, 64);
  t.deepEqual(drops, []);
  t.is(writes.length, 64 * Math.ceil(TOTAL / 500));
});

test('a super-packet counts as the packets it stands for, as a whole and cut', (t) => {
  const count = Math.ceil(TOTAL / 1398);
  const bytes = TOTAL + count * (14 + 40);
  for (const tunGro of [true, false]) {
    const host = harness({ tunGro });
    host.inbound([vxlan(unfinished(big), 1398)]);
    t.is(host.counter(COUNT_IN_RECEIVED), count);
    t.is(host.counter(COUNT_IN_FORWARDED), count);
    t.is(host.counter(COUNT_IN_BYTES), bytes);
    const [peer] = host.tables.peerStats(SEGMENT);
    t.is(peer!.inboundPackets, count);
    t.is(peer!.inboundBytes, bytes);
  }
});

test('a super-packet that the device refuses is there to be written part by part', (t) => {
  const host = harness();
  const parts = host.partsOf([vxlan(unfinished(big), 1398)]);
  t.deepEqual(
    parts.map((frame) => hex(frame.subarray(14))),
    cuts(1398),
  );
});

const bridged: Partial<HarnessOptions> = { ethernet: { vni: 1, family: 4, mac: OWN_MAC, learning: true } };
const LEFT = {
  'header checksum': (packet: Uint8Array) => packet.slice().fill(0, 10, 12),
  length: (packet: Uint8Array) => packet.slice().fill(0, 2, 4),
  'header checksum and length': (packet: Uint8Array) => packet.slice().fill(0, 2, 4).fill(0, 10, 12),
};

for (const [name, leave] of Object.entries(LEFT)) {
  test(`a super-packet whose ${name} was left to hardware arrives like one with it, whole or cut (H18)`, (t) => {
    for (const change of [{}, { tunGro: false }])
      for (const gsoSize of [1398, undefined]) {
        const host = harness({ ...bridged, ...change });
        const { writes, drops } = host.inbound([vxlan(leave(unfinished(big)), gsoSize)]);
        t.deepEqual(drops, []);
        t.deepEqual(packetsOf(writes, t), cuts(gsoSize ?? MTU - 40));
      }
  });

  test(`a frame longer than any packet, which is no super-packet, is dropped and counted: no ${name} (H18)`, (t) => {
    const host = harness(bridged);
    const { writes, drops } = host.inbound([vxlan(leave(big))]);
    t.is(writes.length, 0);
    t.deepEqual(drops, [name === 'header checksum' ? 'bad-header-checksum' : 'bad-header']);
  });
}

test('a super-packet that left its header to hardware leaves a TAP cut, with everything filled in (H18)', (t) => {
  for (const leave of Object.values(LEFT)) {
    const sent = (packet: Uint8Array) => {
      const read = frame(Uint8Array.from([...ETHERNET.slice(6, 12), ...ETHERNET.slice(0, 6), 8, 0, ...packet]), {
        flags: 1,
        gsoType: 1,
        headerLength: 54,
        gsoSize: 1398,
        checksumStart: 34,
        checksumOffset: 16,
      });
      const { datagrams, drops } = harness(bridged).outbound([read], { learning: true });
      t.deepEqual(drops, []);
      return datagrams.map(({ bytes }) => hex(bytes.subarray(8 + 14)));
    };
    t.deepEqual(sent(leave(unfinished(big))), cuts(1398));
  }
});

test('a UDP super-packet goes on whole, or is cut', (t) => {
  const packet = unfinished(udp4({ payload: payload(20_000, 3), id: 9 }));
  const count = Math.ceil(20_000 / 1200);
  const whole = harness().inbound([vxlan(packet, 1200)]).writes;
  t.is(whole.length, 1);
  const cut = harness({ tunUso: false }).inbound([vxlan(packet, 1200)]).writes;
  t.is(cut.length, count);
  t.deepEqual(packetsOf(whole, t), packetsOf(cut, t));
});

test('a cut whose finished checksum looks unfinished is one packet all the same', (t) => {
  // Longer than the device's packets, so that it might be taken for a super-packet itself.
  const size = MTU;
  const meant = udp4({ payload: payload(5 * size, 3), id: 9 });
  // Two bytes of the second cut are chosen so that its checksum is the pseudo-header's sum.
  const at = 28 + size;
  put16(meant, at, 0);
  const pseudo = slowPseudoSum(meant, 17, 8 + size);
  const header = addWords(slowSum(meant, 20, 24), 8 + size);
  const rest = addWords(addWords(header, pseudo), slowSum(meant, at, at + size));
  put16(meant, at, addWords(65_535 - pseudo, 65_535 - rest));
  const { writes, drops } = harness({ tunUso: false }).inbound([vxlan(unfinished(meant), size)]);
  t.deepEqual(drops, []);
  t.is(writes.length, 5);
  t.is(get16(writes[1]!.packet, 14 + 26), pseudo, 'the second is such a one');
  const parts = writes.map(({ packet }) => hex(packet.subarray(14 + 28)));
  t.is(parts.join(''), hex(meant.subarray(28)));
});

test('a long packet with a good checksum is no super-packet', (t) => {
  const { writes } = harness().inbound([vxlan(big)]);
  t.deepEqual(
    writes.map(({ vnet, packet }) => [hex(vnet), hex(packet.subarray(14))]),
    [['00'.repeat(10), hex(big)]],
  );
});

test('a train of datagrams with equal frames is still a train', (t) => {
  const packets = [0, 1, 2].map((i) => tcp4({ sequence: i * 1000, id: i, payload: payload(1000, i) }));
  const bytes = Uint8Array.from(packets.flatMap((packet) => [...vxlan(packet).bytes]));
  const { writes } = harness().inbound([{ outerSource: PEER, bytes, gsoSize: vxlan(packets[0]!).bytes.length }]);
  t.deepEqual(packetsOf(writes, t), packets.map(hex));
});

test('the kernel joins packets of an IP-in-IP tunnel too (GRO): they go on whole', (t) => {
  const outer = Uint8Array.from([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 4, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1]);
  put16(outer, 2, 20 + big.length);
  const host = new Harness({
    own4: '10.244.1.0/24',
    encapsulation: ENCAPSULATION_IPIP,
    peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24'] }],
  });
  const bytes = Uint8Array.from([...outer, ...unfinished(big)]);
  const { writes, drops } = host.inbound([{ outerSource: PEER, bytes }]);
  t.deepEqual(drops, []);
  t.is(writes.length, 1);
  const { vnet, packet } = writes[0]!;
  t.deepEqual(recut(Uint8Array.from([...vnet, ...packet])).map(hex), cuts(MTU - 40));
});

test('super-packets of flanneld’s kernel, as they crossed its veth, arrive as the TCP stream they were', (t) => {
  const frames = readVector('flanneld-vxlan/h1-overlay').packets.map(({ bytes }) => bytes);
  const sent = frames.filter((frame) => frame[23] === 6 && frame.length > 1464);
  t.true(sent.length > 3);
  const { source, destination } = readFrame(sent[0]!);
  const host = harness({
    own4: '10.244.62.0/24',
    ethernet: { vni: 1, family: 4, mac: destination, learning: false },
    peers: [
      {
        publicIp: PEER,
        prefixes: ['10.244.15.0/24'],
        vtep: { mac: source, tunnel4: undefined, tunnel6: undefined },
      },
    ],
  });
  for (const frame of sent) {
    const bytes = Uint8Array.from([...VXLAN_HEADER, ...frame]);
    const { writes, drops } = host.inbound([{ outerSource: PEER, bytes, gsoSize: 1398 }]);
    t.deepEqual(drops, []);
    const [{ vnet, packet }] = writes as [(typeof writes)[0]];
    const moved = vnet.slice();
    for (const at of [2, 6]) moved[at]! -= 14;
    const packets = recut(Uint8Array.from([...moved, ...packet.subarray(14)]));
    t.true(packets.length > 1 && packets.every((one) => one.length <= 1450));
    t.is(packets.map((one) => hex(one.subarray(52))).join(''), hex(frame.subarray(66)));
  }
});
