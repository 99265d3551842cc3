/** Histograms whose buckets double: bucket k has the values from 2^k to below 2^(k+1), the first one 0 and 1. Pure. */

/**
 * The value that the part `q` (0 to 1) of them does not reach, as if the values of a bucket were spread evenly over its width on
 * a logarithmic scale: at most half an octave off. Undefined where there are none.
 */
export function quantile(buckets: readonly number[], q: number): number | undefined {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const wanted = q * total;
  let before = 0;
  for (const [k, count] of buckets.entries()) {
    if (count > 0 && before + count >= wanted) return 2 ** (k + (wanted - before) / count);
    before += count;
  }
  return undefined;
}
