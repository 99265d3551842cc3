/** Growing pauses between attempts. Pure: the caller waits, and brings chance along. */

/** How much of each pause is left to chance, so that nodes which failed together do not come back together. */
export interface Jitter {
  /** 0 to 1: a pause is between 1 - `part` of its figure and all of it. */
  readonly part: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The pauses `firstMs`, twice that, four times that, ... and at last `lastMs`. */
export function doubling(firstMs: number, lastMs: number): number[] {
  const pausesMs: number[] = [];
  for (let ms = firstMs; ms < lastMs; ms *= 2) pausesMs.push(ms);
  return [...pausesMs, lastMs];
}

export class Backoff {
  readonly #pausesMs: readonly number[];
  readonly #jitter: Jitter | undefined;
  #taken: number;

  /** `pausesMs`: the first, second, ... pause; the last one stands for all that follow. `taken`: pauses to skip. */
  constructor(pausesMs: readonly number[], jitter?: Jitter, taken = 0) {
    this.#pausesMs = pausesMs;
    this.#jitter = jitter;
    this.#taken = taken;
  }

  /** The next pause, ms. `pausesMs`: from another row of figures, where this attempt failed for a reason of its own. */
  next(pausesMs: readonly number[] = this.#pausesMs): number {
    const ms = pausesMs[Math.min(this.#taken++, pausesMs.length - 1)]!;
    return this.#jitter === undefined ? ms : ms * (1 - this.#jitter.part * this.#jitter.random());
  }

  /** An attempt succeeded: the next pause is the first again. */
  reset(): void {
    this.#taken = 0;
  }
}
