/** The fast path against its slow twins (test/golden/) on seeded random traffic, realistic and hostile. */
import test from 'ava';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { ENCAPSULATION_IP_IN_UDP, ENCAPSULATION_IPIP } from '../../lib/fastpath/abi.ts';
import { Dice } from '../golden/dice.ts';
import { recut, withoutAtomicId } from '../golden/gso.ts';
import { randomDatagrams } from '../golden/random-datagrams.ts';
import { randomFrames } from '../golden/random-frames.ts';
import { randomNetwork } from '../golden/random-network.ts';
import { type Datagram, type TwinConfig, twinInbound, twinOutbound } from '../golden/tun-twin.ts';
import { Harness, type HarnessOptions, type ReceivedMessage } from './harness.ts';

const ROUNDS = 15;
/**
 * Above every packet of the generators. One in 65,536 good checksums is the pseudo-header's sum, as if unfinished; of a packet longer
 * than the MTU that makes a super-packet, and TCP gets its bytes in other packets than the twin's.
 */
const MTU = 9000;

function harnessFor(config: TwinConfig, change: Partial<HarnessOptions> = {}): Harness {
  const [own4, own6] = config.own;
  return new Harness({
    peers: config.peers.map(({ publicIp, subnets }) => ({ publicIp, prefixes: subnets.map(formatPrefix) })),
    own4: formatPrefix(own4!),
    own6: formatPrefix(own6!),
    tunnel4: config.icmpSources.ipv4,
    ...(config.icmpSources.ipv6 === undefined ? {} : { tunnel6: config.icmpSources.ipv6 }),
    sourceCheck: config.sourceCheck,
    dscp: config.dscp === 'inherit' ? undefined : (config.dscp ?? 0),
    encapsulation: (config.isHop ?? true) ? ENCAPSULATION_IP_IN_UDP : ENCAPSULATION_IPIP,
    mtu: MTU,
    ...change,
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A super-packet counts once a cut with us and once a frame with the twin: compare which reasons occur, in order. */
const reasons = (drops: readonly string[]): string[] => [...new Set(drops)].sort();

test('outbound: the same datagrams with the same outer TOS to the same peers, the same ICMP errors, the same drop reasons', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const config = { ...randomNetwork(dice), dscp: dice.pick([0, 46, 'inherit'] as const), isHop: !dice.oneIn(3) };
    const frames = randomFrames(dice, config, 40, dice.pick([3000, 20_000, 65_000]));
    const expected = twinOutbound(config, frames);
    const harness = harnessFor(config, { maxTrain: dice.pick([1, 2, 64, 128]) });
    const actual = harness.outbound(frames);
    // Order is kept for each peer, not between peers.
    for (const [index, peer] of config.peers.entries()) {
      const ours = actual.datagrams.filter((d) => d.publicIp === peer.publicIp).map((d) => `${d.tos} ${hex(d.bytes)}`);
      const theirs = expected.datagrams.filter((d) => d.peer === index).map((d) => `${d.tos} ${hex(d.bytes)}`);
      t.deepEqual(ours, theirs, `peer ${index}, seed ${dice.seed}`);
    }
    t.is(actual.datagrams.length, expected.datagrams.length, `seed ${dice.seed}`);
    t.deepEqual(actual.icmp.map(hex), expected.tunWrites.map(hex), `ICMP errors, seed ${dice.seed}`);
    t.deepEqual(reasons(actual.drops), reasons(expected.drops), `seed ${dice.seed}`);
  }
});

test('outbound: trains obey the limits of UDP_SEGMENT', (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const config = randomNetwork(dice, 3);
    const limit = dice.pick([2, 64, 128]);
    const { messages } = harnessFor(config, { maxTrain: limit }).outbound(randomFrames(dice, config, 40, 65_000));
    for (const { gsoSize, bytes } of messages) {
      t.true(bytes.length <= 65_507, `seed ${dice.seed}`);
      if (gsoSize === undefined) continue;
      const datagrams = Math.ceil(bytes.length / gsoSize);
      t.true(datagrams >= 2 && datagrams <= limit, `${datagrams} datagrams, seed ${dice.seed}`);
    }
  }
});

/** Packs datagrams as the kernel's UDP_GRO does: runs of one source, one TOS and one size, a shorter one ends the run. */
function asTrains(dice: Dice, datagrams: readonly Datagram[]): ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  for (let i = 0; i < datagrams.length; ) {
    const { outerSource, outerTos = 0, bytes } = datagrams[i]!;
    const run = [bytes];
    const most = dice.pick([1, 4, 64]);
    for (i++; i < datagrams.length && run.length < most; i++) {
      const next = datagrams[i]!;
      const total = run.reduce((sum, one) => sum + one.length, 0) + next.bytes.length;
      if (next.outerSource !== outerSource || (next.outerTos ?? 0) !== outerTos) break;
      if (next.bytes.length > bytes.length || next.bytes.length === 0) break;
      if (total > 65_507 || bytes.length === 0) break;
      run.push(next.bytes);
      if (next.bytes.length < bytes.length) {
        i++;
        break;
      }
    }
    const joined = Uint8Array.from(Buffer.concat(run));
    messages.push(
      run.length === 1
        ? { outerSource, outerTos, bytes }
        : { outerSource, outerTos, bytes: joined, gsoSize: bytes.length },
    );
  }
  return messages;
}

/** What tells flows apart: a packet's addresses, protocol and ports, or its bytes if it has none. */
function flowOf(packet: Uint8Array): string {
  if (packet[0]! >> 4 === 6) return hex(packet.subarray(6, 7)) + hex(packet.subarray(8, 44));
  return hex(packet.subarray(9, 10)) + hex(packet.subarray(12, 24));
}

test('inbound: what the device gets stands for the same packets, in order within each flow', (t) => {
  let joined = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const dice = new Dice();
    const config = { ...randomNetwork(dice), sourceCheck: !dice.oneIn(5) };
    const datagrams = randomDatagrams(dice, config, 300, dice.oneIn(2));
    const expected = twinInbound(config, datagrams);
    const actual = harnessFor(config).inbound(asTrains(dice, datagrams), dice.between(1, 32));
    const packets = actual.writes.flatMap(({ vnet, packet }) => recut(Uint8Array.from([...vnet, ...packet])));
    joined += actual.writes.filter((write) => write.count > 1).length;
    t.is(packets.length, expected.packets.length, `seed ${dice.seed}`);
    t.deepEqual([...actual.drops].sort(), [...expected.drops].sort(), `seed ${dice.seed}`);
    for (const flow of new Set(expected.packets.map(flowOf))) {
      const of = (list: readonly Uint8Array[]) =>
        list.filter((packet) => flowOf(packet) === flow).map((packet) => hex(withoutAtomicId(packet)));
      t.deepEqual(of(packets), of(expected.packets), `flow ${flow}, seed ${dice.seed}`);
    }
  }
  t.true(joined > ROUNDS, `joining happens: ${joined}`);
});

test('inbound, joining switched off: byte for byte what the twin says', (t) => {
  const dice = new Dice();
  const config = randomNetwork(dice);
  const datagrams = randomDatagrams(dice, config, 500, true);
  const actual = harnessFor(config, { tunGro: false, tunUso: false }).inbound(asTrains(dice, datagrams));
  t.deepEqual(
    actual.writes.map(({ packet }) => hex(packet)),
    twinInbound(config, datagrams).packets.map(hex),
    `seed ${dice.seed}`,
  );
});

test('inbound, IP in IP: byte for byte what the twin says, whatever the options of the outer header', (t) => {
  const dice = new Dice();
  const config = { ...randomNetwork(dice), isHop: false };
  const datagrams = randomDatagrams(dice, config, 500, true);
  // A raw socket gets the outer header too.
  const messages = datagrams.map(({ outerSource, outerTos = 0, bytes }) => {
    const words = dice.between(5, 15);
    return { outerSource, bytes: Uint8Array.of(0x40 + words, outerTos, ...dice.bytes(words * 4 - 2), ...bytes) };
  });
  const actual = harnessFor(config, { tunGro: false, tunUso: false }).inbound(messages);
  const expected = twinInbound(config, datagrams);
  t.deepEqual(
    actual.writes.map(({ packet }) => hex(packet)),
    expected.packets.map(hex),
    `seed ${dice.seed}`,
  );
  t.deepEqual([...actual.drops].sort(), [...expected.drops].sort(), `seed ${dice.seed}`);
});

test('every truncation of a good datagram and of a good frame gets a verdict and is counted once', (t) => {
  const dice = new Dice();
  const config = randomNetwork(dice, 2);
  const good = randomDatagrams(dice, config, 60).filter(({ bytes }) => bytes.length < 200);
  const harness = harnessFor(config);
  for (const { outerSource, bytes } of good) {
    const cuts = Array.from({ length: bytes.length + 1 }, (_, n) => ({ outerSource, bytes: bytes.subarray(0, n) }));
    const { writes, drops } = harness.inbound(cuts);
    t.is(writes.reduce((sum, write) => sum + write.count, 0) + drops.length, cuts.length, `seed ${dice.seed}`);
    t.deepEqual([...drops].sort(), [...twinInbound(config, cuts).drops].sort(), `seed ${dice.seed}`);
  }
  for (const frame of randomFrames(dice, config, 30, 300)) {
    const cuts = Array.from({ length: frame.length + 1 }, (_, n) => frame.subarray(0, n));
    const expected = twinOutbound(config, cuts);
    const actual = harness.outbound(cuts);
    t.is(actual.datagrams.length, expected.datagrams.length, `seed ${dice.seed}`);
    t.deepEqual(reasons(actual.drops), reasons(expected.drops), `seed ${dice.seed}`);
  }
});

test('random bytes never break the fastpath, and every datagram and frame is counted', (t) => {
  const dice = new Dice();
  const config = randomNetwork(dice, 3);
  const harness = harnessFor(config);
  const noise = Array.from({ length: 2000 }, () => dice.bytes(dice.below(120)));
  const { writes, drops } = harness.inbound(noise.map((bytes) => ({ outerSource: config.peers[0]!.publicIp, bytes })));
  t.is(writes.length + drops.length, noise.length, `seed ${dice.seed}`);
  const frames = noise.map((bytes) => {
    const frame = dice.bytes(10 + bytes.length);
    frame.set(bytes, 10);
    return frame;
  });
  const outbound = harness.outbound(frames);
  t.true(outbound.drops.length + outbound.datagrams.length >= frames.length, `seed ${dice.seed}`);
});
