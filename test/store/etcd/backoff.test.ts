import test from 'ava';
import { Backoff } from '../../../lib/store/etcd/backoff.ts';

test('doubles its pauses up to the limit, with jitter of up to a half', (t) => {
  const longest = new Backoff(100, () => 0.999999);
  const shortest = new Backoff(100, () => 0);
  const pauses = (backoff: Backoff) => Array.from({ length: 7 }, () => Math.round(backoff.next(2000)));
  t.deepEqual(pauses(longest), [100, 200, 400, 800, 1600, 2000, 2000]);
  t.deepEqual(pauses(shortest), [50, 100, 200, 400, 800, 1000, 1000]);
  shortest.reset();
  t.is(shortest.next(2000), 50);
});

test('tries a wrong password at most fifteen times in its first minute', (t) => {
  const backoff = new Backoff(100, () => 0);
  let attempts = 1;
  for (let elapsedMs = 0; elapsedMs < 60_000; attempts++) elapsedMs += backoff.next(30_000);
  t.true(attempts <= 15, `${attempts}`);
});

test('stays within the limit after any number of failures', (t) => {
  const backoff = new Backoff(100, () => 0.5);
  for (let n = 0; n < 5000; n++) t.true(backoff.next(2000) <= 2000);
});
