import test from 'ava';
import { Backoff, doubling } from '../lib/backoff.ts';

const pauses = (backoff: Backoff, count: number) => Array.from({ length: count }, () => Math.round(backoff.next()));

test('the last pause stands for all that follow, until a success', (t) => {
  const backoff = new Backoff([0, 100, 500]);
  t.deepEqual(pauses(backoff, 5), [0, 100, 500, 500, 500]);
  for (let n = 0; n < 5000; n++) t.is(backoff.next(), 500);
  backoff.reset();
  t.deepEqual(pauses(backoff, 2), [0, 100]);
});

test('begins behind the pauses that were taken before', (t) => {
  t.deepEqual(pauses(new Backoff([0, 100, 500], undefined, 1), 3), [100, 500, 500]);
  t.deepEqual(pauses(new Backoff([0, 100, 500], undefined, 7), 2), [500, 500]);
});

test('doubles up to the last', (t) => {
  t.deepEqual(doubling(100, 2000), [100, 200, 400, 800, 1600, 2000]);
  t.deepEqual(doubling(1000, 8000), [1000, 2000, 4000, 8000]);
  t.deepEqual(doubling(5, 5), [5]);
});

test('jitter takes up to its part of each pause', (t) => {
  const figures = doubling(100, 2000);
  t.deepEqual(pauses(new Backoff(figures, { part: 0.5, random: () => 0 }), 7), [100, 200, 400, 800, 1600, 2000, 2000]);
  const shortest = new Backoff(figures, { part: 0.5, random: () => 0.999999 });
  t.deepEqual(pauses(shortest, 7), [50, 100, 200, 400, 800, 1000, 1000]);
});

test('other figures count the same failures', (t) => {
  const backoff = new Backoff(doubling(100, 800));
  t.deepEqual(pauses(backoff, 3), [100, 200, 400]);
  t.is(backoff.next(doubling(100, 30_000)), 800);
  t.is(backoff.next(doubling(100, 30_000)), 1600);
  t.is(backoff.next(), 800);
});

test('from 100 ms up to 30 s, at most half of it chance: fifteen attempts in the first minute', (t) => {
  const backoff = new Backoff(doubling(100, 30_000), { part: 0.5, random: () => 0.999999 });
  let attempts = 1;
  for (let elapsedMs = 0; elapsedMs < 60_000; attempts++) elapsedMs += backoff.next();
  t.true(attempts <= 15, `${attempts}`);
});
