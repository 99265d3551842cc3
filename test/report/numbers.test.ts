import test from 'ava';
import fc from 'fast-check';
import { figure, figures, linearScale, logScale } from '../../lib/report/numbers.ts';

test('three digits that count', (t) => {
  t.deepEqual([0, 0.00412, 0.0412, 0.412, 1, 6.314, 42.71, 146.5, 146_513.9].map(figure), [
    '0',
    '0.0041',
    '0.041',
    '0.41',
    '1.00',
    '6.31',
    '42.7',
    '147',
    '146,514',
  ]);
});

test('what reads alike is said once', (t) => {
  t.is(figures([3.06, 1.8, 2]), '1.80 to 3.06');
  t.is(figures([99.06, 99.07]), '99.1');
});

test('a linear axis begins at 0, ends at a round number, and all values lie on it', (t) => {
  const { ticks, percent } = linearScale([3, 32.5]);
  t.deepEqual(ticks, [0, 10, 20, 30, 40]);
  t.is(percent(10), 25);
  t.is(percent(32.5), 81.25);
  t.deepEqual(linearScale([]).ticks, [0]);
  t.deepEqual(linearScale([0.3]).ticks, [0, 0.1, 0.2, 0.3]);
});

test('a logarithmic axis is between round numbers around its values', (t) => {
  const { ticks, percent } = logScale([0.03, 1.2]);
  t.deepEqual(ticks, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]);
  t.is(percent(0.02), 0);
  t.is(percent(2), 100);
  t.true(Math.abs(percent(0.2) - 50) < 1e-9);
  t.deepEqual(logScale([]).ticks, [1, 10]);
});

test('any values: axes have few round ticks, in order, and percent grows with the value', (t) => {
  const values = fc.array(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(values, fc.constantFrom(linearScale, logScale), (list, make) => {
      const { ticks, percent } = make(list);
      t.true(ticks.length >= 2 && ticks.length <= 17, ticks.join(' '));
      t.deepEqual(
        ticks,
        ticks.toSorted((a, b) => a - b),
      );
      const sorted = list.toSorted((a, b) => a - b).map(percent);
      for (const [index, place] of sorted.entries())
        t.true(
          place >= 0 && place <= 100 && place >= (sorted[index - 1] ?? 0),
          `${list.join(' ')} at ${ticks.join(' ')}`,
        );
    }),
  );
});
