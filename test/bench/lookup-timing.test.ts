import test from 'ava';
import { timeFdbLookups, timeRouteScale } from '../../lib/bench/lookup-timing.ts';
import { random } from '../random.ts';

test('every MAC address that is looked up against the clock is found, and all tables are timed', (t) => {
  const rng = random();
  // It throws when a lookup finds nothing.
  const timings = timeFdbLookups([2, 10_000], () => rng.next(1 << 30) / (1 << 30));
  t.deepEqual(
    timings.map(({ entries }) => entries),
    [2, 10_000],
  );
  for (const { nanosecondsPerLookup } of timings) t.true(nanosecondsPerLookup > 0);
});

test('100,000 routes find room, each leads somewhere, and building the table is timed', (t) => {
  const rng = random();
  const scale = timeRouteScale([2, 10_000, 100_000], () => rng.next(1 << 30) / (1 << 30));
  t.deepEqual(
    scale.map(({ routes }) => routes),
    [2, 10_000, 100_000],
  );
  for (const { nanosecondsPerLookup, loadMs } of scale) t.true(nanosecondsPerLookup > 0 && loadMs > 0);
});
