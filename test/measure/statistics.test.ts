import test from 'ava';
import { median, medianDeviation, outliersOf, percentile, ratioTo, summarize } from '../../lib/measure/statistics.ts';
import { random } from '../random.ts';

test('the median of an odd number of values is the middle one, whatever their order', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([7]), 7);
});

test('the median of an even number of values is the mean of the two in the middle', (t) => {
  t.is(median([4, 1, 3, 2]), 2.5);
});

test('numbers are ordered as numbers, not as text', (t) => {
  t.is(median([10, 9, 100]), 10);
  t.is(percentile([10, 9, 100], 1), 100);
});

test('a percentile is a value that was measured: the nearest rank', (t) => {
  const values = [15, 20, 35, 40, 50];
  t.deepEqual(
    [0, 0.05, 0.3, 0.4, 0.5, 0.99, 1].map((share) => percentile(values, share)),
    [15, 15, 20, 20, 35, 50, 50],
  );
});

test('a share that is a whole number of values but for its rounding is that many values', (t) => {
  t.true(0.28 * 25 > 7);
  t.is(
    percentile(
      Array.from({ length: 25 }, (_, index) => index + 1),
      0.28,
    ),
    7,
  );
});

test('at least the share asked for does not exceed a percentile, and no smaller value would do', (t) => {
  const rng = random();
  const { seed } = rng;
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 1 + rng.next(60) }, () => rng.next(100));
    const share = (1 + rng.next(100)) / 100;
    const result = percentile(values, share);
    const shareUpTo = (limit: number) => values.filter((value) => value <= limit).length / values.length;
    t.true(shareUpTo(result) >= share - 1e-9, `seed ${seed}: p${share} of ${values.join()}`);
    t.true(shareUpTo(result - 1) < share, `seed ${seed}: p${share} of ${values.join()}`);
  }
});

test('nothing measured has no median, no percentile and no spread', (t) => {
  t.is(median([]), Number.NaN);
  t.is(percentile([], 0.5), Number.NaN);
  t.deepEqual(summarize([]), { median: Number.NaN, min: Number.NaN, max: Number.NaN });
});

test('a summary has median, smallest and largest, and leaves its input alone', (t) => {
  const values = [3, 1, 2];
  t.deepEqual(summarize(values), { median: 2, min: 1, max: 3 });
  t.deepEqual(values, [3, 1, 2]);
});

test('the typical distance from the median does not mind one bad repeat', (t) => {
  t.is(medianDeviation([10, 11, 9, 10, 400]), 1);
  t.is(medianDeviation([7]), 0);
  t.is(medianDeviation([]), Number.NaN);
});

test('an outlier is far from the others by their own measure, and of few repeats there is none', (t) => {
  t.deepEqual(outliersOf([10, 10.2, 3, 9.9, 10.1]), [2]);
  t.deepEqual(outliersOf([3, 10, 10.2, 9.9, 10.1, 30]), [0, 5]);
  t.deepEqual(outliersOf([10, 14, 12, 16, 19]), [], 'they all differ');
  t.deepEqual(outliersOf([10, 10.2, 3, 9.9]), [], 'four are too few');
  t.deepEqual(outliersOf([10, 10, 10, 10, 10.4]), [], 'however close together the others are');
  t.deepEqual(outliersOf([10, 10, 10, 10, 11]), [4]);
});

test('there is no ratio to nothing, nor to 0', (t) => {
  t.is(ratioTo(3, 2), 1.5);
  t.is(ratioTo(3, undefined), null);
  t.is(ratioTo(3, 0), null);
});
