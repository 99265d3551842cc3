import test from 'ava';
import { sparkline } from '../../lib/cli/sparkline.ts';

test('the newest value is at the right, each column has the largest of its values, and what is not 0 is seen', (t) => {
  t.is(sparkline([0, 1, 8, 16], 4, 16, 1), ' ▁▅█');
  t.is(sparkline([5], 3, 10, 1), '  ▅');
  t.is(sparkline([1, 10, 0, 0, 0, 2], 3, 10, 2), '█ ▂');
  // An odd number of values: the oldest column has one only.
  t.is(sparkline([10, 0, 0], 2, 10, 2), '█ ');
  t.is(sparkline([], 3, 10, 1), '   ');
  t.is(sparkline([1, 2], 2, 0, 1), '  ');
});
