import test from 'ava';
import { timeFdbLookups, timeFibLookups, timeRouteScale } from '../../lib/bench/lookup-timing.ts';
import { random } from '../random.ts';

for (const [name, timeLookups] of [
  ['route', timeFibLookups],
  ['MAC address', timeFdbLookups],
] as const)
  test(`every ${name} that is looked up against the clock is found, and all tables are timed`, (t) => {
    const rng = random();
    // Both throw when a lookup finds nothing.
    const timings = timeLookups([2, 10_000], () => rng.next(1 << 30) / (1 << 30));
    t.deepEqual(
      timings.map(({ entries }) => entries),
      [2, 10_000],
    );
    for (const { nanosecondsPerLookup } of timings) t.true(nanosecondsPerLookup > 0);
  });

test('100,000 routes find room, each leads somewhere, and building the table is timed', (t) => {
  const rng = random();
  const scale = timeRouteScale([2, 100_000], () => rng.next(1 << 30) / (1 << 30));
  t.deepEqual(
    scale.map(({ routes }) => routes),
    [2, 100_000],
  );
  for (const { nanosecondsPerLookup, loadMs } of scale) t.true(nanosecondsPerLookup > 0 && loadMs > 0);
});
