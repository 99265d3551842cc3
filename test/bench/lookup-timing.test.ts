import test from 'ava';
import { timeFdbLookups, timeFibLookups } from '../../lib/bench/lookup-timing.ts';
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
