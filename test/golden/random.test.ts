import test from 'ava';
import { prefixContains } from '../../lib/addr/prefix.ts';
import { printPacket } from '../../lib/wire/print.ts';
import { toHex } from '../wire/bytes.ts';
import { Dice } from './dice.ts';
import { randomDatagrams } from './random-datagrams.ts';
import { randomFrames } from './random-frames.ts';
import { addressIn, randomNetwork } from './random-network.ts';
import { twinInbound, twinOutbound } from './tun-twin.ts';

const count = <T>(items: readonly T[]): Map<T, number> => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
};

test('the same seed gives the same traffic', (t) => {
  const run = (seed: number) => {
    const dice = new Dice(seed);
    const network = randomNetwork(dice);
    return [
      ...randomFrames(dice, network, 30, 3000).map(toHex),
      ...randomDatagrams(dice, network, 30).map(({ outerSource, bytes }) => `${outerSource} ${toHex(bytes)}`),
    ];
  };
  t.deepEqual(run(5), run(5));
  t.notDeepEqual(run(5), run(6));
});

test('an address drawn in a prefix lies in it', (t) => {
  const dice = new Dice();
  for (const { subnets } of randomNetwork(dice, 40).peers)
    for (const prefix of subnets) {
      const address = addressIn(dice, prefix);
      const host =
        typeof address === 'bigint'
          ? ({ family: 6, address, length: 128 } as const)
          : ({ family: 4, address, length: 32 } as const);
      t.true(prefixContains(prefix, host), `seed ${dice.seed}`);
    }
});

test('outbound traffic meets every verdict that the twin knows', (t) => {
  const dice = new Dice(11);
  const network = randomNetwork(dice, 12);
  const frames = randomFrames(dice, network, 1500, 4000);
  const { datagrams, tunWrites, drops } = twinOutbound(network, frames);
  const reasons = count(drops);
  for (const reason of [
    'truncated',
    'not-ip',
    'bad-header',
    'bad-header-checksum',
    'multicast',
    'no-route',
    'ttl-expired',
    'bad-offload-header',
  ] as const)
    t.true((reasons.get(reason) ?? 0) > 3, `${reason}: ${reasons.get(reason)}`);
  t.true(drops.length < frames.length / 2);
  t.true(datagrams.length > frames.length);
  t.is(new Set(datagrams.map(({ peer }) => peer)).size, network.peers.length);
  t.true(tunWrites.length > 50);
  t.true(tunWrites.length < drops.length);
});

test('super-packets of full length are among them', (t) => {
  const dice = new Dice(12);
  const frames = randomFrames(dice, randomNetwork(dice, 3), 60);
  t.true(frames.filter(({ length }) => length > 40_000).length > 5);
  t.true(frames.every(({ length }) => length <= 10 + 65_535 + 100));
});

test('inbound traffic meets every verdict that the twin knows', (t) => {
  const dice = new Dice(13);
  const network = randomNetwork(dice, 12);
  const drops = [];
  let delivered = 0;
  // Each call draws its own few flows.
  for (let batch = 0; batch < 20; batch++) {
    const result = twinInbound(network, randomDatagrams(dice, network, 128));
    drops.push(...result.drops);
    delivered += result.packets.length;
  }
  const reasons = count(drops);
  for (const reason of [
    'truncated',
    'not-ip',
    'bad-header',
    'bad-header-checksum',
    'unknown-peer',
    'spoofed-source',
    'foreign-destination',
    'ttl-expired',
  ] as const)
    t.true((reasons.get(reason) ?? 0) > 2, `${reason}: ${reasons.get(reason)}`);
  t.true(delivered > 1500, `${delivered}`);
});

test('most delivered packets are sound, and streams have runs that a coalescer can join', (t) => {
  const dice = new Dice(14);
  const network = randomNetwork(dice, 12);
  const { packets } = twinInbound(network, Array.from({ length: 8 }, () => randomDatagrams(dice, network, 128)).flat());
  const lines = packets.map((packet) => printPacket(packet));
  t.true(lines.filter((line) => line.includes('bad-checksum')).length < lines.length / 10);
  t.true(lines.filter((line) => line.includes('TCP')).length > lines.length / 3);
  let following = 0;
  for (const [index, line] of lines.entries()) {
    const [, sequence, length] = /TCP .* seq (\d+) .* (\d+) bytes$/.exec(line) ?? [];
    if (sequence === undefined) continue;
    const next = (Number(sequence) + Number(length)) % 2 ** 32;
    if (lines[index + 1]?.includes(` seq ${next} `)) following++;
  }
  t.true(following > packets.length / 4, `${following} of ${packets.length}`);
});
