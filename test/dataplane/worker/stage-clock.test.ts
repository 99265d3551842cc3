import test from 'ava';
import { readStages, type Stage } from '../../../lib/dataplane/stages.ts';
import { StageClock } from '../../../lib/dataplane/worker/stage-clock.ts';
import {
  COUNT_IN_RECEIVED,
  COUNT_OUT_RECEIVED,
  COUNTER_BLOCK,
  COUNTERS,
  STAGE_IN_CODE,
  STAGE_IN_RECEIVE,
  STAGE_IN_WRITE,
  STAGE_OUT_CODE,
  STAGE_OUT_READ,
} from '../../../lib/fastpath/abi.ts';

const MEMORY = 0x20000;

class Rounds {
  readonly memory = new SharedArrayBuffer(MEMORY);
  /** Milliseconds. */
  now = 1000;
  readonly clock = new StageClock(this.memory, () => this.now);
  readonly #counters = new BigUint64Array(this.memory);

  /** To the next round that is measured, which sleeps for `ms`. Returns how many were not. */
  sleep(ms: number): number {
    for (let skipped = 0; ; skipped++) {
      this.clock.fallAsleep();
      if (!this.clock.on) continue;
      this.now += ms;
      this.clock.wake(this.now, [5, 63]);
      return skipped;
    }
  }

  /** Microseconds pass, and are `stage`'s. */
  spend(us: number, stage: number): void {
    this.now += us / 1000;
    this.clock.lap(stage);
  }

  /** Packets of a segment. */
  count(segment: number, counter: number, packets: number): void {
    this.#counters[(COUNTERS + segment * COUNTER_BLOCK) / 8 + counter]! += BigInt(packets);
  }
}

/** In microseconds, and which bucket has them. */
function summary({ turns, packets, sum, buckets }: Stage): unknown {
  const full = buckets.flatMap((count, k) => (count > 0 ? [`${count} from 2^${k}`] : []));
  return [turns, packets, Math.round(sum / 100) / 10, full.join(', ')];
}

test('a round has its time in the stages it was spent in, and its packets with them', (t) => {
  const rounds = new Rounds();
  rounds.sleep(2);
  rounds.now += 0.003;
  rounds.clock.beginInbound();
  rounds.spend(10, STAGE_IN_RECEIVE);
  rounds.spend(2, STAGE_IN_CODE);
  rounds.spend(20, STAGE_IN_WRITE);
  rounds.count(0, COUNT_IN_RECEIVED, 1);
  rounds.count(5, COUNT_IN_RECEIVED, 40);
  // No packet is of a segment without a device.
  rounds.count(6, COUNT_IN_RECEIVED, 1000);
  rounds.clock.endInbound(8);
  rounds.clock.beginOutbound();
  rounds.spend(4, STAGE_OUT_READ);
  rounds.spend(1, STAGE_OUT_CODE);
  rounds.count(63, COUNT_OUT_RECEIVED, 7);
  rounds.now += 0.016;
  rounds.clock.endOutbound(2);
  const { asleep, inbound, outbound } = readStages(rounds.memory);
  t.deepEqual(summary(asleep), [1, 0, 2000, '1 from 2^20']);
  t.deepEqual(summary(inbound.wake), [1, 0, 3, '1 from 2^11']);
  t.deepEqual(summary(inbound.receive), [1, 41, 10, '1 from 2^13']);
  t.deepEqual(summary(inbound.code), [1, 41, 2, '1 from 2^10']);
  t.deepEqual(summary(inbound.write), [1, 41, 20, '1 from 2^14']);
  t.deepEqual([inbound.messages.sum, inbound.messages.buckets], [8, [0, 0, 0, 1]]);
  t.deepEqual(summary(outbound.wake), [1, 0, 35, '1 from 2^15'], 'it waited for the other direction');
  t.deepEqual(summary(outbound.read), [1, 7, 4, '1 from 2^11']);
  t.deepEqual(summary(outbound.code), [1, 7, 1, '1 from 2^9']);
  t.deepEqual(summary(outbound.send), [1, 7, 16, '1 from 2^13']);
  t.deepEqual([outbound.frames.sum, outbound.frames.packets], [2, 7]);
});

test('a turn that finds nothing is none, and of several turns only the first had to wait', (t) => {
  const rounds = new Rounds();
  rounds.sleep(0);
  for (const messages of [8, 3, 0]) {
    rounds.clock.beginInbound();
    rounds.spend(5, STAGE_IN_RECEIVE);
    rounds.clock.endInbound(messages);
  }
  const { inbound } = readStages(rounds.memory);
  t.is(inbound.wake.turns, 1);
  t.is(inbound.receive.turns, 2);
  t.is(inbound.messages.sum, 11);
});

test('one round of 64 is measured, at distances that vary', (t) => {
  const rounds = new Rounds();
  const distances = Array.from({ length: 2000 }, () => 1 + rounds.sleep(0)).slice(1);
  const mean = distances.reduce((sum, each) => sum + each, 0) / distances.length;
  t.true(mean > 60 && mean < 68, `${mean}`);
  t.true(new Set(distances).size > 100);
});

test('what is longer than the last bucket is in it', (t) => {
  const rounds = new Rounds();
  // In ns from 2^31, from 2^32, from 2^35.
  for (const ms of [2200, 5000, 50_000]) rounds.sleep(ms);
  const { asleep } = readStages(rounds.memory);
  t.deepEqual(asleep.buckets, [...Array.from({ length: 31 }, () => 0), 3]);
});
