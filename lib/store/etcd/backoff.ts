/** Growing pauses between attempts, with jitter so that nodes which lost etcd together do not come back together. */
export class Backoff {
  readonly #minMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** `random`: uniform in [0, 1). */
  constructor(minMs: number, random: () => number) {
    this.#minMs = minMs;
    this.#random = random;
  }

  /** The next pause: doubles with each call since the last reset up to `maxMs`, then a random half to all of it. */
  next(maxMs: number): number {
    const pauseMs = Math.min(maxMs, this.#minMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return pauseMs * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
