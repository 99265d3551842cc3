import { type Random, random } from '../random.ts';

/** Seeded randomness in the forms that generators of traffic need. The same seed gives the same traffic on every machine. */
export class Dice {
  readonly #source: Random;

  /** Without a seed: WEFT_SEED, or a new one for each run. Print `seed` in every failure. */
  constructor(seed?: number) {
    this.#source = seed === undefined ? random() : random(seed);
  }

  get seed(): number {
    return this.#source.seed;
  }

  /** 32 random bits, unsigned. */
  next(): number {
    return this.#source.next(2 ** 32);
  }

  /** A whole number from 0 to limit - 1. */
  below(limit: number): number {
    return this.#source.next(limit);
  }

  /** A whole number from low to high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
