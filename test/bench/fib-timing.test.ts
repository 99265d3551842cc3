import test from 'ava';
import { timeFibLookups } from '../../lib/bench/fib-timing.ts';
import { random } from '../random.ts';

test('every lookup that is timed finds its route, and all tables are timed', (t) => {
  const rng = random();
  // timeFibLookups throws when an address has no route.
  const timings = timeFibLookups([2, 10_000], () => rng.next(1 << 30) / (1 << 30));
  t.deepEqual(
    timings.map(({ routes }) => routes),
    [2, 10_000],
  );
  for (const { nanosecondsPerLookup } of timings) t.true(nanosecondsPerLookup > 0);
});
