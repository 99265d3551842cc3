/**
 * How long a run still takes. Each piece of work costs at first what was planned for its kind, later what the pieces most like
 * it have taken: one measured before counts as often as it was measured. Pure: the clock is passed in.
 */

/** A piece of work of the plan. */
export interface Piece {
  /** Names of its kind, the narrowest first: ["free tcp1 weft-udp", "tcp1 weft-udp", "tcp1"]. */
  readonly kinds: readonly string[];
  /** What it costs as far as one knows beforehand, seconds. */
  readonly planned: number;
}

/** What the estimate was when half of the run was over by its own word, and what came of it. */
export interface EstimateCheck {
  /** Seconds since the start at which it was asked. */
  readonly atSeconds: number;
  /** What it said was left. */
  readonly leftSeconds: number;
  /** What was left. */
  readonly tookSeconds: number;
  /** leftSeconds over tookSeconds, less 1: -0.1 said a tenth too little. */
  readonly error: number;
}

interface Mean {
  sum: number;
  count: number;
}

export class Estimate {
  readonly #pending: Set<Piece>;
  readonly #means = new Map<string, Mean>();
  readonly #clock: () => number;
  readonly #start: number;
  #half: { readonly atSeconds: number; readonly leftSeconds: number } | undefined;

  /** `clock`: seconds, from any origin; the run starts now. Two pieces are two objects. */
  constructor(pieces: readonly Piece[], clock: () => number) {
    this.#pending = new Set(pieces);
    this.#clock = clock;
    this.#start = clock();
  }

  /** What a piece takes as far as is known by now, seconds. */
  secondsOf({ kinds, planned }: Piece): number {
    for (const kind of kinds) {
      const mean = this.#means.get(kind);
      if (mean !== undefined) return mean.sum / mean.count;
    }
    return planned;
  }

  /** The piece is over. `seconds`: what it took; undefined when that says nothing about others, because it failed. */
  done(piece: Piece, seconds: number | undefined): void {
    this.#pending.delete(piece);
    if (seconds !== undefined)
      for (const kind of piece.kinds) {
        const mean = this.#means.get(kind) ?? { sum: 0, count: 0 };
        this.#means.set(kind, { sum: mean.sum + seconds, count: mean.count + 1 });
      }
    const { share, leftSeconds } = this.now();
    if (share >= 0.5) this.#half ??= { atSeconds: this.#clock() - this.#start, leftSeconds };
  }

  /** `share`: of the whole run's time, 0 to 1, that is over. */
  now(): { readonly share: number; readonly leftSeconds: number } {
    let leftSeconds = 0;
    for (const piece of this.#pending) leftSeconds += this.secondsOf(piece);
    const elapsed = this.#clock() - this.#start;
    return { share: leftSeconds === 0 ? 1 : elapsed / (elapsed + leftSeconds), leftSeconds };
  }

  /** Call it at the end; null when the run was broken off, or ended right at its middle. */
  check(): EstimateCheck | null {
    if (this.#half === undefined || this.#pending.size > 0) return null;
    const tookSeconds = this.#clock() - this.#start - this.#half.atSeconds;
    if (tookSeconds <= 0) return null;
    return { ...this.#half, tookSeconds, error: this.#half.leftSeconds / tookSeconds - 1 };
  }
}

/** "about 7 min left", "about 40 s left", "less than 10 s left". */
export function formatLeft(seconds: number): string {
  if (seconds < 10) return 'less than 10 s left';
  return seconds < 90 ? `about ${Math.round(seconds / 10) * 10} s left` : `about ${Math.round(seconds / 60)} min left`;
}
