import test from 'ava';
import { printFrame } from '../../lib/wire/print.ts';
import { toHex } from '../wire/bytes.ts';
import { Dice } from './dice.ts';
import { randomVxlanDatagrams } from './random-vxlan-datagrams.ts';
import { randomTapFrames } from './random-vxlan-frames.ts';
import { randomVxlanNetwork } from './random-vxlan-network.ts';
import { type TwinVxlanState, twinVxlanInbound, twinVxlanOutbound } from './tap-twin.ts';
import { SlowFdb } from './vxlan-fdb.ts';

function stateOf(dice: Dice, fdb = new SlowFdb()): TwinVxlanState {
  const known = { mac: 0x020000010000, router: true };
  return { fdb, now: 0, mayFlood: () => !dice.oneIn(4), neighbors: () => (dice.oneIn(2) ? known : undefined) };
}

const tally = <T>(items: readonly T[]): Map<T, number> => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
};

test('the same seed gives the same traffic', (t) => {
  const run = (seed: number) => {
    const dice = new Dice(seed);
    const network = randomVxlanNetwork(dice);
    return [
      ...randomTapFrames(dice, network.segments[0]!, 30, 3000).map(toHex),
      ...randomVxlanDatagrams(dice, network, 60).map(({ outerSource, bytes }) => `${outerSource} ${toHex(bytes)}`),
    ];
  };
  t.deepEqual(run(5), run(5));
  t.notDeepEqual(run(5), run(6));
});

test('no two segments of a random network have the same VNI over the same family', (t) => {
  const dice = new Dice();
  for (let round = 0; round < 200; round++) {
    const names = randomVxlanNetwork(dice).segments.map(({ vni, family }) => `${vni} ${family}`);
    t.is(new Set(names).size, names.length, `seed ${dice.seed}`);
  }
});

test('outbound traffic meets every verdict that the twin knows', (t) => {
  const dice = new Dice(21);
  const drops = [];
  let answers = 0;
  let flooded = 0;
  let datagrams = 0;
  let frames = 0;
  for (let round = 0; round < 40; round++) {
    const config = randomVxlanNetwork(dice);
    const state = stateOf(dice);
    twinVxlanInbound(config, state, randomVxlanDatagrams(dice, config, 100));
    for (const segment of config.segments) {
      const read = randomTapFrames(dice, segment, 60, 3000);
      const result = twinVxlanOutbound(config, segment, state, read);
      frames += read.length;
      drops.push(...result.drops);
      answers += result.tapWrites.length;
      datagrams += result.datagrams.length;
      flooded += result.datagrams.filter(({ peer, bytes }, at) => {
        const before = result.datagrams[at - 1];
        return before !== undefined && before.peer !== peer && toHex(before.bytes) === toHex(bytes);
      }).length;
    }
  }
  const reasons = tally(drops);
  for (const reason of [
    'truncated',
    'bad-source-mac',
    'no-fdb-entry',
    'multicast',
    'storm-limited',
    'bad-neighbor-message',
    'bad-offload-header',
  ] as const)
    t.true((reasons.get(reason) ?? 0) > 5, `${reason}: ${reasons.get(reason)}`);
  t.true(drops.length < frames / 2, `${drops.length} of ${frames}`);
  t.true(datagrams > frames, `${datagrams} for ${frames}`);
  t.true(answers > 20, `${answers}`);
  t.true(flooded > 200, `${flooded}`);
});

test('inbound traffic meets every verdict that the twin knows', (t) => {
  const dice = new Dice(22);
  const drops = [];
  let routed = 0;
  let bridged = 0;
  for (let round = 0; round < 60; round++) {
    const config = randomVxlanNetwork(dice);
    const result = twinVxlanInbound(config, stateOf(dice), randomVxlanDatagrams(dice, config, 100));
    drops.push(...result.drops);
    for (const { segment } of result.frames) {
      if (config.segments[segment]!.learning) bridged++;
      else routed++;
    }
  }
  const reasons = tally(drops);
  for (const reason of [
    'truncated',
    'bad-vxlan-header',
    'unknown-vni',
    'bad-source-mac',
    'unknown-peer',
    'spoofed-source',
    'foreign-destination',
    'not-ip',
    'bad-header',
    'bad-header-checksum',
    'ecn-not-capable',
  ] as const)
    t.true((reasons.get(reason) ?? 0) > 5, `${reason}: ${reasons.get(reason)}`);
  t.true(routed > 1000, `${routed}`);
  t.true(bridged > 1000, `${bridged}`);
});

test('most delivered frames are sound, and streams have runs that a coalescer can join', (t) => {
  const dice = new Dice(23);
  let sound = 0;
  let following = 0;
  let total = 0;
  for (let round = 0; round < 20; round++) {
    const config = randomVxlanNetwork(dice);
    const { frames } = twinVxlanInbound(config, stateOf(dice), randomVxlanDatagrams(dice, config, 200));
    const lines = frames.map(({ bytes }) => printFrame(bytes));
    total += lines.length;
    sound += lines.filter((line) => !line.includes('bad-checksum')).length;
    for (const [index, line] of lines.entries()) {
      const [, sequence, length] = /TCP .* seq (\d+) .* (\d+) bytes$/.exec(line) ?? [];
      if (sequence === undefined) continue;
      if (lines[index + 1]?.includes(` seq ${(Number(sequence) + Number(length)) % 2 ** 32} `)) following++;
    }
  }
  t.true(sound > total * 0.85, `${sound} of ${total}`);
  t.true(following > total / 6, `${following} of ${total}`);
});
