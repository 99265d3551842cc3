/** A histogram of times that is fine enough for quantiles: each octave in 16 parts, so that none is more than 4.4 % off. Pure. */

const PARTS = 16;
const OCTAVES = 40;

export class Latencies {
  /** 32 bits are full after half a day of 100,000 packets a second. */
  readonly #counts = new Float64Array(PARTS * OCTAVES);
  count = 0;
  /** Nanoseconds; 0 without any. */
  max = 0;
  sum = 0;

  /** Nanoseconds; what is below 1 counts as 1. */
  add(ns: number): void {
    this.count++;
    this.sum += ns;
    if (ns > this.max) this.max = ns;
    const part = ns < 1 ? 0 : Math.min(this.#counts.length - 1, Math.floor(Math.log2(ns) * PARTS));
    this.#counts[part]!++;
  }

  /** The value that the part `q` (0 to 1) of them does not exceed; null without any. */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    const wanted = q * this.count;
    let before = 0;
    for (let part = 0; part < this.#counts.length; part++) {
      before += this.#counts[part]!;
      if (before >= wanted) return Math.min(this.max, 2 ** ((part + 0.5) / PARTS));
    }
    return this.max;
  }

  /** octaves[k]: how many were from 2^k to below 2^(k+1) nanoseconds, the first also what was less. Without the empty ones at the end. */
  octaves(): number[] {
    const octaves = Array.from({ length: OCTAVES }, (_, k) =>
      this.#counts.subarray(k * PARTS, (k + 1) * PARTS).reduce((sum, count) => sum + count, 0),
    );
    return octaves.slice(0, octaves.findLastIndex((count) => count > 0) + 1);
  }
}
