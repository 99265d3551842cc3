/** What the packet code records for readers of the tap, against the slow twins: the verdict and the reason of every packet. */
import test from 'ava';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { type RawTapRecord, readTapRecord } from '../../lib/control/tap-messages.ts';
import { DROP_REASONS, type DropReason } from '../../lib/dataplane/drop.ts';
import { TapRings, tapWanted } from '../../lib/dataplane/tap-ring.ts';
import {
  COUNT_TAP_LOST,
  COUNT_TAP_RECORDS,
  DROP_DEVICE_REFUSED,
  DROP_TOO_BIG,
  DROP_UNDERLAY_REFUSED,
  ENCAPSULATION_IP_IN_UDP,
  ENCAPSULATION_IPIP,
  ENCAPSULATION_VXLAN,
  IN_CONTROL,
  IN_MESSAGES,
  IN_NAMES,
  IN_SLOTS,
  OUT_FRAMES,
  TAP_SIZE,
} from '../../lib/fastpath/abi.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { Dice } from '../golden/dice.ts';
import { randomDatagrams } from '../golden/random-datagrams.ts';
import { randomFrames } from '../golden/random-frames.ts';
import { randomNetwork } from '../golden/random-network.ts';
import { randomVxlanDatagrams } from '../golden/random-vxlan-datagrams.ts';
import { randomTapFrames } from '../golden/random-vxlan-frames.ts';
import { randomVxlanNetwork } from '../golden/random-vxlan-network.ts';
import { twinVxlanInbound, twinVxlanOutbound } from '../golden/tap-twin.ts';
import { type TwinConfig, twinInbound, twinOutbound } from '../golden/tun-twin.ts';
import { VNET_HEADER } from '../golden/vnet-header.ts';
import { SlowFdb } from '../golden/vxlan-fdb.ts';
import { Harness, type HarnessOptions, NETWORK, SEGMENT } from './harness.ts';
import { frame, payload, tcp4, udp4 } from './packets.ts';

const ROUNDS = 10;
const SNAP = 128;
const VXLAN_HEADER = 8;
/** Above every packet of the generators (twin.test.ts). */
const MTU = 9000;
const REASONS = Object.keys(DROP_REASONS);
const VERDICTS = ['forwarded', 'dropped', 'flooded', 'answered'];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function tapped(harness: Harness, sample: number | 'none' = 1, snap = SNAP): TapRings {
  harness.fastpath.tapSet(tapWanted(sample === 'none' ? undefined : sample, snap));
  return new TapRings(harness.memory.buffer);
}

/** What a reader of all would get: the message is the record as it lies in the ring. */
function drained(rings: TapRings): RawTapRecord[] {
  const records: RawTapRecord[] = [];
  rings.drain((at) => {
    const size = new DataView(rings.bytes.buffer).getUint32(at + TAP_SIZE, true);
    records.push(readTapRecord(new Uint8Array(rings.bytes.subarray(at, at + size)), rings.clock)!);
  });
  return records;
}

/** One record in a line: what became of the packet, its length, its first bytes. */
function lineOf({ verdict, reason, length, bytes }: RawTapRecord): string {
  return `${VERDICTS[verdict]} ${REASONS[reason] ?? ''} ${length} ${hex(bytes)}`;
}

function expectedLine(verdict: string, packet: Uint8Array, reason = ''): string {
  return `${verdict} ${reason} ${packet.length} ${hex(packet.subarray(0, SNAP))}`;
}

/** Dropped for what its offload header says, when its header has been worked on already: which packet it was shows in the length. */
const CHANGED: ReadonlySet<string> = new Set(['bad-offload-header', 'too-big']);
const withoutBytes = (line: string): string => {
  const [verdict, reason = '', length] = line.split(' ');
  return CHANGED.has(reason) ? [verdict, reason, length].join(' ') : line;
};

function tunHarness(config: TwinConfig, change: Partial<HarnessOptions> = {}): Harness {
  const [own4, own6] = config.own;
  return new Harness({
    peers: config.peers.map(({ publicIp, subnets }) => ({ publicIp, prefixes: subnets.map(formatPrefix) })),
    own4: formatPrefix(own4!),
    own6: formatPrefix(own6!),
    tunnel4: config.icmpSources.ipv4,
    sourceCheck: config.sourceCheck,
    encapsulation: (config.isHop ?? true) ? ENCAPSULATION_IP_IN_UDP : ENCAPSULATION_IPIP,
    mtu: MTU,
    ...change,
  });
}

test('outbound from a TUN: a record for every datagram and every drop, in their order', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const config = { ...randomNetwork(dice), isHop: !dice.oneIn(3) };
    const harness = tunHarness(config, { maxTrain: dice.pick([1, 2, 64]) });
    const rings = tapped(harness);
    for (let group = 0; group < 20; group++) {
      const frames = randomFrames(dice, config, dice.between(1, 3), dice.pick([3000, 20_000, 65_000]));
      const expected = frames.flatMap((read) => {
        const { datagrams, drops } = twinOutbound(config, [read]);
        if (drops.length > 0) return [expectedLine('dropped', read.slice(VNET_HEADER), drops[0])];
        return datagrams.map(({ bytes }) => expectedLine('forwarded', bytes));
      });
      harness.outbound(frames);
      const records = drained(rings);
      t.deepEqual(records.map(lineOf).map(withoutBytes), expected.map(withoutBytes), `WEFT_SEED=${dice.seed}`);
      for (const { verdict, timeIn, timeOut, network, inbound, trainPackets, trainIndex } of records) {
        t.deepEqual([network, inbound], [NETWORK, false]);
        t.true(timeIn > 0n);
        if (verdict === 0) t.true(timeOut >= timeIn && trainIndex < trainPackets, `WEFT_SEED=${dice.seed}`);
        else t.is(timeOut, 0n);
      }
    }
  }
});

test('inbound to a TUN: a record for every datagram, as it was received, in their order', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const config = { ...randomNetwork(dice), sourceCheck: !dice.oneIn(5) };
    const harness = tunHarness(config);
    const rings = tapped(harness);
    const datagrams = randomDatagrams(dice, config, 300, dice.oneIn(2));
    const expected = datagrams.map((datagram) => {
      const [reason] = twinInbound(config, [datagram]).drops;
      return expectedLine(reason === undefined ? 'forwarded' : 'dropped', datagram.bytes, reason);
    });
    harness.inbound(datagrams, dice.between(1, 32));
    const records = drained(rings);
    t.deepEqual(records.map(lineOf), expected, `WEFT_SEED=${dice.seed}`);
    for (const { verdict, timeIn, timeOut, peer, inbound } of records) {
      t.true(inbound && peer.length === 4);
      if (verdict === 0) t.true(timeOut >= timeIn, `WEFT_SEED=${dice.seed}`);
    }
    const addresses = records.map(({ peer }) => new DataView(peer.buffer, peer.byteOffset).getUint32(0));
    t.deepEqual(
      addresses,
      datagrams.map(({ outerSource }) => outerSource),
    );
  }
});

function vxlanNode(dice: Dice) {
  const network = randomVxlanNetwork(dice);
  const segment = network.segments[0]!;
  const config = { ...network, segments: [segment] };
  const own = segment.own.map(formatPrefix);
  const { vni, family, mac, learning } = segment;
  const harness = new Harness({
    own4: own[0]!,
    ...(own[1] === undefined ? {} : { own6: own[1] }),
    sourceCheck: config.sourceCheck,
    encapsulation: ENCAPSULATION_VXLAN,
    ethernet: { vni, family, mac, learning },
    peers: segment.peers.map(({ address, mac: vtepMac, prefixes }) => ({
      publicIp: address,
      prefixes: prefixes.map(formatPrefix),
      vtep: { mac: vtepMac, tunnel4: undefined, tunnel6: undefined },
    })),
    mtu: MTU,
  });
  harness.setTime(1000);
  const state = { fdb: new SlowFdb(), now: 1000, mayFlood: () => true, neighbors: () => undefined };
  return { config: { ...config, dscp: 0 as const }, segment, harness, state };
}

test('inbound to a TAP: a record for every datagram, the frame as it was received', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const { config, harness, state } = vxlanNode(dice);
    const rings = tapped(harness);
    const datagrams = randomVxlanDatagrams(dice, config, 200);
    const expected = datagrams.map((datagram) => {
      const [reason] = twinVxlanInbound(config, state, [datagram]).drops;
      const packet = datagram.bytes.slice(VXLAN_HEADER);
      return expectedLine(reason === undefined ? 'forwarded' : 'dropped', packet, reason);
    });
    harness.inbound(datagrams, dice.between(1, 32));
    const records = drained(rings);
    t.deepEqual(records.map(lineOf), expected, `WEFT_SEED=${dice.seed}`);
    t.true(records.every(({ ethernet }) => ethernet));
  }
});

test('outbound from a TAP: a record for every datagram and every drop, and one for each frame that is flooded', (t) => {
  let flooded = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const { config, segment, harness, state } = vxlanNode(dice);
    const rings = tapped(harness);
    for (const read of randomTapFrames(dice, segment, 60, dice.pick([3000, 20_000]))) {
      const { datagrams, drops } = twinVxlanOutbound(config, segment, state, [read]);
      // The harness has no neighbour table.
      if (drops[0] === 'bad-neighbor-message') continue;
      harness.outbound([read], { learning: segment.learning });
      const records = drained(rings);
      const because = `WEFT_SEED=${dice.seed}`;
      const [first] = records;
      if (drops.length > 0) {
        // A flood that cannot be cut is dropped for each peer.
        const expected = expectedLine('dropped', read.slice(VNET_HEADER), drops[0]);
        t.deepEqual([...new Set(records.map(lineOf).map(withoutBytes))], [withoutBytes(expected)], because);
      } else if (first !== undefined && VERDICTS[first.verdict] === 'flooded') {
        flooded++;
        t.is(records.length, 1, because);
        t.is(first.packets, segment.peers.length, because);
        t.is(first.length, read.length - VNET_HEADER, because);
        t.true(first.timeOut >= first.timeIn, because);
      } else {
        const expected = datagrams.map(({ bytes }) => expectedLine('forwarded', bytes.subarray(VXLAN_HEADER)));
        t.deepEqual(records.map(lineOf), expected, because);
      }
    }
  }
  t.true(flooded > 0);
});

const PEER = 0xc0000202;
const OUT = { source: '10.244.1.2', destination: '10.244.2.2' };
const IN = { source: '10.244.2.2', destination: '10.244.1.2' };

function pair(change: Partial<HarnessOptions> = {}): Harness {
  return new Harness({ own4: '10.244.1.0/24', peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24'] }], ...change });
}

const packetOut = (id: number): Uint8Array => frame(udp4({ ...OUT, id, payload: payload(64, id), ttl: 63 }), {});

test('of the forwarded packets one in N is recorded, of the dropped every one', (t) => {
  const harness = pair();
  const rings = tapped(harness, 7);
  const lost = frame(udp4({ source: '10.244.1.2', destination: '192.0.2.77', payload: payload(9), ttl: 63 }), {});
  for (let i = 0; i < 10; i++) harness.outbound([...Array.from({ length: 10 }, (_, id) => packetOut(id)), lost]);
  const verdicts = drained(rings).map(({ verdict }) => VERDICTS[verdict]);
  t.is(verdicts.filter((verdict) => verdict === 'forwarded').length, Math.floor(100 / 7));
  t.is(verdicts.filter((verdict) => verdict === 'dropped').length, 10);
  t.is(harness.counter(COUNT_TAP_RECORDS), 24);
});

test('inbound too, with what came as a train', (t) => {
  const harness = pair();
  const rings = tapped(harness, 10);
  const packets = Array.from({ length: 40 }, (_, i) =>
    tcp4({ ...IN, sequence: 1000 + i * 500, id: i, payload: payload(500, i), ttl: 63 }),
  );
  harness.inbound([{ outerSource: PEER, bytes: Buffer.concat(packets), gsoSize: packets[0]!.length }]);
  const records = drained(rings);
  t.deepEqual(
    records.map(({ trainIndex, trainPackets }) => [trainIndex, trainPackets]),
    [9, 19, 29, 39].map((index) => [index, 40]),
  );
  for (const { bytes, trainIndex, timeIn, timeOut } of records) {
    t.deepEqual(bytes, packets[trainIndex]!.slice(0, SNAP));
    t.true(timeOut >= timeIn);
  }
});

test('asked for dropped packets alone, it records no other', (t) => {
  const harness = pair();
  const rings = tapped(harness, 'none');
  harness.outbound(Array.from({ length: 500 }, (_, id) => packetOut(id)));
  harness.inbound([{ outerSource: PEER, bytes: udp4({ ...IN, payload: payload(5), ttl: 63 }) }]);
  harness.inbound([{ outerSource: 0x01020304, bytes: udp4({ ...IN, payload: payload(5), ttl: 63 }) }]);
  t.deepEqual(
    drained(rings).map(({ reason }) => REASONS[reason]),
    ['unknown-peer'],
  );
});

test('off, it records nothing, and nothing of what was recorded before is changed', (t) => {
  const harness = pair();
  const rings = tapped(harness);
  harness.outbound([packetOut(1)]);
  harness.fastpath.tapSet(0);
  harness.outbound([packetOut(2)]);
  harness.inbound([{ outerSource: PEER, bytes: udp4({ ...IN, payload: payload(5), ttl: 63 }) }]);
  t.is(drained(rings).length, 1);
  t.is(harness.counter(COUNT_TAP_RECORDS), 1);
});

test('a ring that nobody empties loses the newest records, counted, and goes on when it is emptied', (t) => {
  const harness = pair();
  const rings = tapped(harness, 1, 2048);
  const big = (id: number) => frame(udp4({ ...OUT, id, payload: payload(1400, id), ttl: 63 }), {});
  let sent = 0;
  let read = 0;
  const idOf = ({ bytes }: RawTapRecord): number => (bytes[4]! << 8) | bytes[5]!;
  for (let round = 0; round < 40; round++) {
    // More than a ring holds in some rounds, less in others, so that the end of the ring is met everywhere.
    const count = round % 3 === 0 ? 450 : 37 + round;
    for (let i = 0; i < count; i++) harness.outbound([big(sent++)]);
    const ids = drained(rings).map(idOf);
    t.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    );
    read += ids.length;
  }
  t.true(harness.counter(COUNT_TAP_LOST) > 0);
  t.is(harness.counter(COUNT_TAP_LOST), rings.lost);
  t.is(read + rings.lost, sent);
  t.is(harness.counter(COUNT_TAP_RECORDS), read);
});

const UNDERLAY: DropReason = 'underlay-refused';
const told = ({ verdict, reason, trainIndex, timeOut }: RawTapRecord): string =>
  `${trainIndex} ${VERDICTS[verdict]} ${REASONS[reason] ?? ''}${timeOut === 0n ? '' : ' left'}`;

/** Stages three packets in one train, as far as the send. */
function staged(sample: number): { harness: Harness; rings: TapRings } {
  const harness = pair();
  const rings = tapped(harness, sample);
  let at = OUT_FRAMES + 16;
  for (let id = 0; id < 3; id++) {
    const read = packetOut(id);
    harness.bytes.set(read, at);
    harness.fastpath.outboundFrame(SEGMENT, at, read.length);
    at += 256;
  }
  harness.fastpath.outboundMessages(0, 1);
  return { harness, rings };
}

for (const sample of [1, 2, 100]) {
  test(`a train that the kernel refuses is three dropped packets, 1 of ${sample} sampled`, (t) => {
    const { harness, rings } = staged(sample);
    harness.fastpath.outboundRefused(0, DROP_UNDERLAY_REFUSED);
    harness.fastpath.outboundReset();
    const records = drained(rings);
    t.is(records.length, 3);
    t.deepEqual(new Set(records.map(({ reason }) => REASONS[reason])), new Set([UNDERLAY]));
    t.deepEqual(
      records.map(({ bytes }) => (bytes[4]! << 8) | bytes[5]!).toSorted((a, b) => a - b),
      [0, 1, 2],
    );
    t.true(records.every(({ peer }) => hex(peer) === 'c0000202'));
  });

  test(`of a train sent datagram by datagram each has its own end, 1 of ${sample} sampled`, (t) => {
    const { harness, rings } = staged(sample);
    harness.fastpath.outboundSplit(0);
    harness.fastpath.splitSent(0, 0);
    harness.fastpath.splitRefused(0, 1, DROP_TOO_BIG);
    harness.fastpath.splitSent(0, 2);
    harness.fastpath.outboundReset();
    const lines = drained(rings).map(told);
    const forwarded = ['0 forwarded  left', '2 forwarded  left'].slice(0, sample === 1 ? 2 : 0);
    const index = sample === 100 ? 0 : 1;
    t.deepEqual(lines.sort(), [...forwarded, `${index} dropped too-big`].sort());
  });
}

/** Receives datagrams as one train; their packets are joined. */
function received(sample: number): { harness: Harness; rings: TapRings } {
  const harness = pair();
  const rings = tapped(harness, sample);
  const packets = Array.from({ length: 3 }, (_, i) =>
    tcp4({ ...IN, sequence: 1000 + i * 500, id: i, payload: payload(500, i), ttl: 63 }),
  );
  harness.fastpath.inboundPrepare(1);
  harness.bytes.set(Buffer.concat(packets), IN_SLOTS);
  harness.view.setUint32(IN_MESSAGES + 56, packets[0]!.length * 3, true);
  harness.bytes.set(socketAddress(PEER, 8285), IN_NAMES);
  harness.view.setBigUint64(IN_CONTROL, 20n, true);
  harness.view.setUint32(IN_CONTROL + 8, 17, true);
  harness.view.setUint32(IN_CONTROL + 12, 104, true);
  harness.view.setUint32(IN_CONTROL + 16, packets[0]!.length, true);
  harness.view.setBigUint64(IN_MESSAGES + 40, 24n, true);
  harness.fastpath.inboundMessage(0, 0);
  requireJoined(harness);
  return { harness, rings };
}

function requireJoined(harness: Harness): void {
  if (harness.fastpath.inboundItems() !== 1 || harness.fastpath.itemCount(0) !== 3)
    throw new Error('they are not joined');
}

for (const sample of [1, 2, 100]) {
  test(`an item that the device refuses is three dropped packets, 1 of ${sample} sampled`, (t) => {
    const { harness, rings } = received(sample);
    harness.fastpath.inboundWrite(0);
    harness.fastpath.itemRefused(0, DROP_DEVICE_REFUSED);
    harness.fastpath.inboundReset();
    const records = drained(rings);
    t.is(
      records.reduce((sum, { packets }) => sum + packets, 0),
      3,
    );
    t.deepEqual(new Set(records.map(({ reason }) => REASONS[reason])), new Set(['device-refused']));
  });

  test(`of an item written packet by packet each has its own end, 1 of ${sample} sampled`, (t) => {
    const { harness, rings } = received(sample);
    harness.fastpath.inboundWrite(0);
    for (let part = 0; part < 3; part++) {
      harness.fastpath.itemPart(0, part);
      if (part === 1) harness.fastpath.partRefused(DROP_DEVICE_REFUSED);
      else harness.fastpath.partWritten();
    }
    harness.fastpath.inboundReset();
    const records = drained(rings);
    const dropped = records.filter(({ verdict }) => VERDICTS[verdict] === 'dropped');
    t.deepEqual(dropped.map(told), [`${sample === 100 ? 0 : 1} dropped device-refused`]);
    t.is(dropped[0]!.length, 540);
    t.is((dropped[0]!.bytes[4]! << 8) | dropped[0]!.bytes[5]!, 1);
    t.is(records.length, sample === 1 ? 3 : 1);
  });
}
