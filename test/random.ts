/** Seeded randomness for tests: WEFT_SEED replays a run; every failure message should carry the seed. */
export interface Random {
  readonly seed: number;
  /** An integer in 0..limit-1. */
  readonly next: (limit: number) => number;
}

export function random(seed = Number(process.env.WEFT_SEED ?? (Date.now() ^ process.pid) >>> 0)): Random {
  // mulberry32
  let state = seed >>> 0;
  return {
    seed,
    next(limit: number): number {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
    },
  };
}
