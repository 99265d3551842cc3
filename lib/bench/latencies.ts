/** All round-trip times of a measurement, as a histogram on a logarithmic scale: a quantile says less than where they lie. Pure. */
import type { Setting, TestName } from './matrix.ts';
import type { PathName } from './paths.ts';

/** Our choice: at 30 us a bucket is 5 us wide, with times of 1 us resolution. */
export const BUCKETS_PER_OCTAVE = 4;

export interface LatencyRow {
  readonly setting: Setting;
  readonly test: TestName;
  readonly path: PathName;
  /** Echoes of all rounds that were answered. */
  readonly count: number;
  readonly bucketsPerOctave: number;
  /** counts[k]: how many took from 2^((first+k)/bucketsPerOctave) us to below 2^((first+k+1)/bucketsPerOctave) us. */
  readonly first: number;
  readonly counts: readonly number[];
}

interface TimedSample {
  readonly setting: Setting;
  readonly test: TestName;
  readonly path: PathName;
  readonly rttMs?: readonly number[];
}

/** Rows in the order in which their first samples came. */
export function toLatencyRows(samples: readonly TimedSample[]): LatencyRow[] {
  const rows = new Map<string, LatencyRow>();
  const all = new Map<string, number[]>();
  for (const { setting, test, path, rttMs } of samples) {
    if (rttMs === undefined) continue;
    const key = `${setting} ${test} ${path}`;
    const times = [...(all.get(key) ?? []), ...rttMs];
    all.set(key, times);
    rows.set(key, {
      setting,
      test,
      path,
      count: times.length,
      bucketsPerOctave: BUCKETS_PER_OCTAVE,
      ...histogram(times),
    });
  }
  return [...rows.values()];
}

function histogram(timesMs: readonly number[]): Pick<LatencyRow, 'first' | 'counts'> {
  if (timesMs.length === 0) return { first: 0, counts: [] };
  // Below 1 us no clock of ours tells.
  const buckets = timesMs.map((ms) => Math.floor(BUCKETS_PER_OCTAVE * Math.log2(Math.max(ms * 1000, 1))));
  const first = Math.min(...buckets);
  const counts = Array.from({ length: Math.max(...buckets) - first + 1 }, () => 0);
  for (const bucket of buckets) counts[bucket - first]!++;
  return { first, counts };
}
