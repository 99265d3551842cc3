import test from 'ava';
import { Latencies } from '../../../lib/observe/overhead/latencies.ts';
import { Pairing } from '../../../lib/observe/overhead/pairing.ts';

const MS = 1e6;

function pairing(): { pairs: Pairing; times: number[] } {
  const times: number[] = [];
  return { pairs: new Pairing((ns) => times.push(ns)), times };
}

test('packets that look alike are paired by their identification, else the oldest first', (t) => {
  const { pairs, times } = pairing();
  pairs.enter(7, 1, 100, 60);
  pairs.enter(7, 2, 200, 60);
  pairs.enter(7, 3, 300, 60);
  pairs.leave(7, 2, 250);
  pairs.leave(7, 99, 400);
  pairs.leave(7, -1, 600);
  t.deepEqual(times, [50, 300, 300]);
  t.is(pairs.paired, 3);
  pairs.leave(7, -1, 700);
  t.is(pairs.finish(800, 100), 0);
  t.is(pairs.strangers, 1);
});

test('what does not come out within 2 s is lost, and a later one of the same kind is not taken for it', (t) => {
  const { pairs, times } = pairing();
  pairs.enter(7, -1, 0, 60);
  pairs.enter(7, -1, 1500 * MS, 60);
  pairs.expire(2001 * MS);
  t.is(pairs.lost, 1);
  pairs.leave(7, -1, 2002 * MS);
  t.deepEqual(times, [502 * MS]);
  pairs.enter(8, -1, 2000 * MS, 60);
  pairs.enter(9, -1, 2950 * MS, 60);
  t.is(pairs.finish(3000 * MS, 100), 1, 'on its way');
  t.is(pairs.lost, 2);
  t.is(pairs.entered, pairs.paired + pairs.lost + 1);
});

test('what finds no room is counted apart, and every packet that went in is paired, lost or on its way', (t) => {
  const pairs = new Pairing(() => undefined, 2);
  for (const key of [1, 2, 3]) pairs.enter(key, -1, 0, 60);
  t.deepEqual([pairs.entered, pairs.forgotten], [2, 1]);
  pairs.leave(1, -1, 10);
  pairs.leave(3, -1, 10);
  pairs.enter(4, -1, 20, 60);
  const onTheWay = pairs.finish(30, 100);
  t.is(pairs.entered, pairs.paired + pairs.lost + onTheWay);
  t.is(pairs.strangers, 1);
});

test('a packet whose going in is handed over after its coming out is paired, and is no stranger', (t) => {
  const { pairs, times } = pairing();
  pairs.leave(7, 5, 300);
  pairs.leave(7, 6, 400);
  pairs.enter(7, 6, 350, 60);
  pairs.enter(7, 5, 250, 60);
  t.deepEqual(times, [50, 50]);
  // It came out before it went in: another one.
  pairs.leave(8, -1, 300);
  pairs.enter(8, -1, 350, 60);
  t.is(pairs.paired, 2);
  t.is(pairs.finish(400, 100), 1);
  t.deepEqual([pairs.entered, pairs.strangers, pairs.lost], [3, 1, 0]);
});

test('what was on its way when the clock was set is in no figure, and is not remembered for ever', (t) => {
  const { pairs, times } = pairing();
  const HOUR = 3600 * 1000 * MS;
  pairs.enter(1, -1, 5000 * MS, 60);
  pairs.leave(1, -1, 5000 * MS - HOUR);
  pairs.enter(2, -1, 5000 * MS, 60);
  pairs.leave(2, -1, 5000 * MS + HOUR);
  t.deepEqual([times, pairs.paired, pairs.forgotten], [[], 0, 2]);
  // Set back: what waits is of a time to come.
  for (let key = 10; key < 20; key++) pairs.enter(key, -1, 5000 * MS, 60);
  pairs.enter(30, -1, 5000 * MS - HOUR, 60);
  pairs.expire(5001 * MS - HOUR);
  t.is(pairs.forgotten, 12);
  pairs.leave(30, -1, 5002 * MS - HOUR);
  t.deepEqual(times, [2 * MS]);
  pairs.enter(40, -1, 5010 * MS, 60);
  t.is(pairs.finish(5000 * MS - HOUR, 100), 0);
  t.is(pairs.entered, pairs.paired + pairs.lost);
});

test('quantiles are those of the sorted values, at most 5 % off', (t) => {
  let state = 11;
  const latencies = new Latencies();
  const values = Array.from({ length: 20_000 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 2 ** (8 + (state / 2 ** 32) * 16);
  });
  for (const value of values) latencies.add(value);
  values.sort((a, b) => a - b);
  for (const q of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = values[Math.ceil(q * values.length) - 1]!;
    t.true(Math.abs(latencies.quantile(q)! / exact - 1) < 0.05, `${q}`);
  }
  t.is(latencies.max, values.at(-1)!);
  t.is(
    latencies.octaves().reduce((sum, count) => sum + count, 0),
    20_000,
  );
  t.is(new Latencies().quantile(0.5), null);
});
