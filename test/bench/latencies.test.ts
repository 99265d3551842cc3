import test from 'ava';
import { BUCKETS_PER_OCTAVE, toLatencyRows } from '../../lib/bench/latencies.ts';
import { random } from '../random.ts';

const PLACE = { setting: 'free', test: 'rtt', path: 'weft-udp' } as const;

test('every round trip of all rounds is counted once, in the bucket whose bounds it lies between', (t) => {
  const { next, seed } = random();
  const rounds = [1, 2, 3].map(() => Array.from({ length: 400 }, () => (1 + next(1 << (1 + next(16)))) / 1000));
  const [row] = toLatencyRows(rounds.map((rttMs) => ({ ...PLACE, rttMs })));
  t.is(row?.count, 1200);
  const times = rounds.flat();
  for (const [k, count] of (row?.counts ?? []).entries()) {
    const bound = (edge: number): number => 2 ** (((row?.first ?? 0) + edge) / BUCKETS_PER_OCTAVE);
    // Beside a slow twin; at a bound the logarithm may round either way.
    const within = times.filter((ms) => ms * 1000 >= bound(k) * (1 - 1e-12) && ms * 1000 < bound(k + 1) * (1 - 1e-12));
    t.is(count, within.length, `bucket ${k}, seed ${seed}`);
  }
  t.is(
    row?.counts.reduce((sum, count) => sum + count, 0),
    1200,
  );
});

test('each measurement has a row of its own, one without answers an empty one, and others none', (t) => {
  const rows = toLatencyRows([
    { ...PLACE, rttMs: [0.1] },
    { ...PLACE, path: 'direct', rttMs: [] },
    { ...PLACE, test: 'tcp1' },
    { ...PLACE, rttMs: [0.0001] },
  ]);
  t.deepEqual(
    rows.map(({ path, count, first, counts }) => [path, count, first, counts.length]),
    [
      ['weft-udp', 2, 0, 27],
      ['direct', 0, 0, 0],
    ],
  );
});
