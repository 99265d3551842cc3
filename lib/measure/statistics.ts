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

/** The median of the distances from the median: what a typical repeat is off by, whatever one of them did. NaN for none. */
export function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** Of a normal distribution the standard deviation is this times the median deviation. */
const NORMAL_SCALE = 1.4826;
/** Iglewicz and Hoaglin (1993): farther than this many such standard deviations is an outlier. */
const OUTLIER_DEVIATIONS = 3.5;
/** Our choice: fewer repeats have no typical distance. */
const LEAST_REPEATS = 5;
/** Our choice: nearer to the median than this is none, however close together the others are. */
const OUTLIER_SHARE = 0.05;

/** Which of the values, by index, lie far from the others; none of fewer than five. */
export function outliersOf(values: readonly number[]): number[] {
  if (values.length < LEAST_REPEATS) return [];
  const middle = median(values);
  const far = Math.max(OUTLIER_DEVIATIONS * NORMAL_SCALE * medianDeviation(values), OUTLIER_SHARE * Math.abs(middle));
  return values.flatMap((value, index) => (Math.abs(value - middle) > far ? [index] : []));
}

/** `value` over `base`; null without a base, or where that is 0. */
export function ratioTo(value: number, base: number | undefined): number | null {
  return base === undefined || base === 0 ? null : value / base;
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
