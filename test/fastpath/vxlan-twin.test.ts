/** The fast path on a TAP against its slow twin (test/golden/tap-twin.ts) on seeded random traffic, realistic and hostile. */
import test, { type ExecutionContext } from 'ava';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { ENCAPSULATION_VXLAN } from '../../lib/fastpath/abi.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { Dice } from '../golden/dice.ts';
import { readFrame } from '../golden/ethernet.ts';
import { recut, withoutAtomicId } from '../golden/gso.ts';
import { withFinishedChecksum } from '../golden/partial.ts';
import { randomVxlanDatagrams } from '../golden/random-vxlan-datagrams.ts';
import { randomTapFrames } from '../golden/random-vxlan-frames.ts';
import { randomVxlanNetwork } from '../golden/random-vxlan-network.ts';
import {
  type TwinSegment,
  type TwinVxlanConfig,
  type TwinVxlanState,
  twinVxlanInbound,
  twinVxlanOutbound,
  type VxlanDatagram,
} from '../golden/tap-twin.ts';
import { PLAIN, readVnetHeader, VNET_HEADER, withVnetHeader } from '../golden/vnet-header.ts';
import { SlowFdb } from '../golden/vxlan-fdb.ts';
import { Harness, type HarnessOptions, prefix, type ReceivedMessage } from './harness.ts';

const ROUNDS = 15;
/**
 * Above every packet of the generators. One in 65,536 good checksums is the pseudo-header's sum, as if unfinished; of a packet longer
 * than the MTU that makes a super-packet, and TCP gets its bytes in other packets than the twin's.
 */
const MTU = 9000;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A network of one segment, which is what the harness has. */
function randomSegment(dice: Dice): { config: TwinVxlanConfig; segment: TwinSegment } {
  const network = randomVxlanNetwork(dice);
  const segment = network.segments[0]!;
  return { config: { ...network, segments: [segment] }, segment };
}

function harnessFor(config: TwinVxlanConfig, change: Partial<HarnessOptions> = {}): Harness {
  const segment = config.segments[0]!;
  const { vni, family, mac, learning } = segment;
  const own = segment.own.map(formatPrefix);
  return new Harness({
    own4: own[0]!,
    ...(own[1] === undefined ? {} : { own6: own[1] }),
    sourceCheck: config.sourceCheck,
    encapsulation: ENCAPSULATION_VXLAN,
    dscp: config.dscp === 'inherit' ? undefined : config.dscp,
    ethernet: { vni, family, mac, learning },
    peers: segment.peers.map(({ address, mac: vtepMac, prefixes }) => ({
      publicIp: address,
      prefixes: prefixes.map(formatPrefix),
      vtep: { mac: vtepMac, tunnel4: undefined, tunnel6: undefined },
    })),
    mtu: MTU,
    ...change,
  });
}

function stateOf(fdb: SlowFdb, now: number): TwinVxlanState {
  return { fdb, now, mayFlood: () => true, neighbors: () => undefined };
}

/** t.deepEqual of long texts, but a failure shows only where they begin to differ. */
function equal(t: ExecutionContext, ours: readonly string[], theirs: readonly string[], because: string): void {
  const at = ours.findIndex((text, index) => text !== theirs[index]);
  if (at >= 0 || ours.length !== theirs.length)
    t.fail(`${because}: ${ours.length} of ${theirs.length}, number ${at}:\n${ours[at]}\nis not\n${theirs[at]}`);
}

/** Packs datagrams as the kernel's UDP_GRO does: runs of one source, one TOS and one size, a shorter one ends the run. */
function asTrains(dice: Dice, datagrams: readonly VxlanDatagram[]): ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  for (let i = 0; i < datagrams.length; ) {
    const { outerSource, outerTos, bytes } = datagrams[i]!;
    const run = [bytes];
    const most = dice.pick([1, 4, 64]);
    for (i++; i < datagrams.length && run.length < most; i++) {
      const next = datagrams[i]!;
      const total = run.reduce((sum, one) => sum + one.length, 0) + next.bytes.length;
      if (next.outerSource !== outerSource || next.outerTos !== outerTos || total > 65_507) break;
      if (next.bytes.length > bytes.length || next.bytes.length === 0) break;
      run.push(next.bytes);
      if (next.bytes.length < bytes.length) {
        i++;
        break;
      }
    }
    const one = { outerSource, outerTos, bytes: Uint8Array.from(Buffer.concat(run)) };
    messages.push(run.length === 1 ? one : { ...one, gsoSize: bytes.length });
  }
  return messages;
}

/** A super-packet or a flood counts once a datagram with us and once a frame with the twin: compare which reasons occur. */
const reasons = (drops: readonly string[]): string[] => [...new Set(drops)].sort();

/** The harness has no neighbour table, so what the twin calls bad there is left out. */
function withoutBadNeighborMessages(segment: TwinSegment, config: TwinVxlanConfig, frames: Uint8Array[]): Uint8Array[] {
  const { drops } = twinVxlanOutbound(config, segment, stateOf(new SlowFdb(), 0), frames);
  if (!drops.includes('bad-neighbor-message')) return frames;
  const isBad = (frame: Uint8Array) =>
    twinVxlanOutbound(config, segment, stateOf(new SlowFdb(), 0), [frame]).drops[0] === 'bad-neighbor-message';
  return frames.filter((frame) => !isBad(frame));
}

test('outbound: the same datagrams with the same outer TOS to the same peers, learned ones too, the same drop reasons', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const { config, segment } = randomSegment(dice);
    const harness = harnessFor(config, { maxTrain: dice.pick([1, 2, 64, 128]) });
    const fdb = new SlowFdb();
    for (const now of [1000, 1001, 1290, 1301]) {
      harness.setTime(now);
      const arrived = randomVxlanDatagrams(dice, config, 40);
      twinVxlanInbound(config, stateOf(fdb, now), arrived);
      harness.inbound(arrived);
      const frames = randomTapFrames(dice, segment, 30, dice.pick([3000, 20_000, 60_000]));
      const read = withoutBadNeighborMessages(segment, config, frames);
      const expected = twinVxlanOutbound(config, segment, stateOf(fdb, now), read);
      const actual = harness.outbound(read, { learning: segment.learning });
      // Order is kept for each peer, not between peers.
      for (const [index, { address }] of segment.peers.entries()) {
        const ours = actual.datagrams.filter((one) => one.publicIp === address);
        const theirs = expected.datagrams.filter(({ peer }) => peer === index);
        equal(
          t,
          ours.map(({ tos, bytes }) => `${tos} ${hex(bytes)}`),
          theirs.map(({ tos, bytes }) => `${tos} ${hex(bytes)}`),
          `peer ${index}, seed ${dice.seed}`,
        );
      }
      t.is(actual.datagrams.length, expected.datagrams.length, `seed ${dice.seed}`);
      t.deepEqual(reasons(actual.drops), reasons(expected.drops), `seed ${dice.seed}`);
      t.deepEqual(actual.icmp, [], `seed ${dice.seed}`);
    }
  }
});

test('outbound: no flow uses two sockets of a pool', (t) => {
  const dice = new Dice();
  const { config, segment } = randomSegment(dice);
  const frames = withoutBadNeighborMessages(segment, config, randomTapFrames(dice, segment, 60, 30_000));
  const used = new Set<number>();
  for (const frame of frames) {
    const { datagrams } = harnessFor(config, { sockets: 16 }).outbound([frame], { learning: segment.learning });
    const sockets = new Set(datagrams.map(({ socket }) => socket));
    t.true(sockets.size <= 1, `seed ${dice.seed}: ${printFrame(frame.subarray(VNET_HEADER)).slice(0, 200)}`);
    for (const socket of sockets) used.add(socket);
  }
  t.true(used.size > 3, `${used.size} sockets used, seed ${dice.seed}`);
});

/** What tells flows apart: the Ethernet header, and of a packet addresses, protocol and ports. */
function flowOf(frame: Uint8Array): string {
  const { payload } = readFrame(frame);
  const ethernet = hex(frame.subarray(0, payload));
  const packet = frame.subarray(payload);
  if (packet.length > 0 && packet[0]! >> 4 === 6) return `${ethernet} ${packet[6]} ${hex(packet.subarray(8, 44))}`;
  return `${ethernet} ${packet[9]} ${hex(packet.subarray(12, 24))}`;
}

/** The frames that one write to the TAP stands for. */
function framesOf(write: { readonly vnet: Uint8Array; readonly packet: Uint8Array }): Uint8Array[] {
  const vnet = readVnetHeader(write.vnet);
  if (vnet.flags === 0 && vnet.gsoType === 0) return [write.packet];
  const { payload } = readFrame(write.packet);
  const moved = { ...vnet, hdrLen: vnet.hdrLen - payload, csumStart: vnet.csumStart - payload };
  const ethernet = write.packet.subarray(0, payload);
  return recut(withVnetHeader(moved, write.packet.subarray(payload))).map((packet) =>
    Uint8Array.from([...ethernet, ...packet]),
  );
}

/** As withoutAtomicId, for a frame. */
function comparable(frame: Uint8Array): string {
  const { type, payload } = readFrame(frame);
  if (type !== 0x0800 || frame.length < payload + 20) return hex(frame);
  return hex(frame.subarray(0, payload)) + hex(withoutAtomicId(frame.slice(payload)));
}

test('inbound: what the TAP gets stands for the same frames, in order within each flow', (t) => {
  let joined = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const { config } = randomSegment(dice);
    const datagrams = randomVxlanDatagrams(dice, config, 300);
    const expected = twinVxlanInbound(config, stateOf(new SlowFdb(), 0), datagrams);
    const actual = harnessFor(config).inbound(asTrains(dice, datagrams), dice.between(1, 32));
    const frames = actual.writes.flatMap(framesOf);
    joined += actual.writes.filter((write) => write.count > 1).length;
    t.is(frames.length, expected.frames.length, `seed ${dice.seed}`);
    t.deepEqual([...actual.drops].sort(), [...expected.drops].sort(), `seed ${dice.seed}`);
    const theirs = expected.frames.map(({ bytes }) => bytes);
    for (const flow of new Set(theirs.map(flowOf))) {
      const of = (list: readonly Uint8Array[]) => list.filter((frame) => flowOf(frame) === flow).map(comparable);
      equal(t, of(frames), of(theirs), `flow ${flow}, seed ${dice.seed}`);
    }
  }
  t.true(joined > ROUNDS, `joining happens: ${joined}`);
});

test('inbound, joining switched off: byte for byte what the twin says', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const { config } = randomSegment(dice);
    const datagrams = randomVxlanDatagrams(dice, config, 200);
    const actual = harnessFor(config, { tunGro: false, tunUso: false }).inbound(asTrains(dice, datagrams));
    const expected = twinVxlanInbound(config, stateOf(new SlowFdb(), 0), datagrams);
    equal(
      t,
      actual.writes.map(({ packet }) => hex(packet)),
      expected.frames.map(({ bytes }) => hex(bytes)),
      `seed ${dice.seed}`,
    );
  }
  t.pass();
});

test('every truncation of a good datagram and of a good frame gets a verdict and is counted once', (t) => {
  const dice = new Dice();
  const { config, segment } = randomSegment(dice);
  const harness = harnessFor(config);
  const fdb = new SlowFdb();
  for (const datagram of randomVxlanDatagrams(dice, config, 60).filter(({ bytes }) => bytes.length < 200)) {
    const cuts = Array.from({ length: datagram.bytes.length + 1 }, (_, n) => ({
      ...datagram,
      bytes: datagram.bytes.subarray(0, n),
    }));
    const { writes, drops } = harness.inbound(cuts);
    t.is(writes.reduce((sum, write) => sum + write.count, 0) + drops.length, cuts.length, `seed ${dice.seed}`);
    const expected = twinVxlanInbound(config, stateOf(fdb, 0), cuts);
    t.deepEqual([...drops].sort(), [...expected.drops].sort(), `seed ${dice.seed}`);
  }
  for (const frame of randomTapFrames(dice, segment, 30, 300)) {
    const all = Array.from({ length: frame.length + 1 }, (_, n) => frame.slice(0, n));
    const cuts = withoutBadNeighborMessages(segment, config, all);
    const expected = twinVxlanOutbound(config, segment, stateOf(fdb, 0), cuts);
    const actual = harness.outbound(cuts, { learning: segment.learning });
    t.is(actual.datagrams.length, expected.datagrams.length, `seed ${dice.seed}`);
    t.deepEqual(reasons(actual.drops), reasons(expected.drops), `seed ${dice.seed}`);
  }
});

// Host 1 of flanneld's captures: test/vectors/README.md.
const H1 = { mac: 0xae276f579087, subnet: '10.244.15.0/24' };
const H2 = { mac: 0x766bd964b440, subnet: '10.244.62.0/24', publicIp: 0xc0000202 };
const FLANNEL: TwinVxlanConfig = {
  segments: [
    {
      vni: 1,
      family: 4,
      mac: H1.mac,
      learning: false,
      own: [prefix(H1.subnet)],
      peers: [{ address: H2.publicIp, mac: H2.mac, prefixes: [prefix(H2.subnet)] }],
    },
  ],
  sourceCheck: true,
  dscp: 0,
};
const overlay = readVector('flanneld-vxlan/h1-overlay').packets.map(({ bytes }) => bytes);
const underlay = readVector('flanneld-vxlan/h1-underlay').packets.map(({ bytes }) => bytes);
const fromHost = (host: 1 | 2) => underlay.filter((frame) => frame[29] === host).map((frame) => frame.subarray(42));

test('encap: the UDP payloads that flanneld’s kernel sent, byte for byte', (t) => {
  const frames = overlay.filter(
    (frame) => readFrame(frame).source === H1.mac && readFrame(frame).destination === H2.mac,
  );
  const { datagrams } = harnessFor(FLANNEL).outbound(frames.map((frame) => withVnetHeader(PLAIN, frame)));
  t.deepEqual(
    datagrams.map(({ bytes }) => hex(bytes)),
    fromHost(1).map(hex),
  );
  t.true(datagrams.length > 50);
});

test('decap: the frames that flanneld’s kernel delivered, with the checksums that its veth left unfinished', (t) => {
  const harness = harnessFor(FLANNEL, { tunGro: false, tunUso: false });
  const { writes, drops } = harness.inbound(fromHost(2).map((bytes) => ({ outerSource: H2.publicIp, bytes })));
  t.deepEqual(
    writes.map(({ packet }) => hex(packet)),
    overlay
      .filter((frame) => readFrame(frame).source === H2.mac)
      .map((frame) => hex(frame.subarray(0, 14)) + hex(withFinishedChecksum(frame.slice(14)))),
  );
  t.deepEqual(drops, []);
  t.true(writes.length > 50);
});
