/** Order statistics of small samples. */

/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle - 0.5]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The smallest value that at least `share` (0..1) of the values do not exceed: the nearest-rank percentile, so it is
 * always a value that was measured. NaN for none.
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = ascending(values);
  // 0.28 * 25 is 7.000000000000001: the slack keeps such a product from counting as an eighth value.
  const rank = Math.max(1, Math.ceil(share * sorted.length - 1e-9));
  return sorted[rank - 1] ?? Number.NaN;
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** All three are NaN for no values. */
export function summarize(values: readonly number[]): Summary {
  const sorted = ascending(values);
  return { median: median(sorted), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
