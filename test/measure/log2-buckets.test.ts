import test from 'ava';
import { quantile } from '../../lib/measure/log2-buckets.ts';

test('a quantile is in the bucket of the value it stands for, at most an octave off', (t) => {
  // A small generator, for values from 1 to 2^20.
  let state = 7;
  const values = Array.from({ length: 5000 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(2 ** ((state / 2 ** 32) * 20));
  }).toSorted((a, b) => a - b);
  const buckets = Array.from({ length: 32 }, () => 0);
  for (const value of values) buckets[31 - Math.clz32(value)]!++;
  for (const q of [0.01, 0.25, 0.5, 0.9, 0.99, 1]) {
    const exact = values[Math.min(values.length - 1, Math.ceil(q * values.length) - 1)]!;
    const found = quantile(buckets, q)!;
    t.true(found >= exact / 2 && found <= exact * 2, `${q}: ${found}, in truth ${exact}`);
  }
});

test('of nothing there is no quantile', (t) => {
  t.is(quantile([], 0.5), undefined);
  t.is(quantile([0, 0], 0.5), undefined);
  t.is(quantile([0, 3], 0.5), 2 ** 1.5);
});
