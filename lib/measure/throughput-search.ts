/**
 * Throughput as RFC 2544 §26.1 means it: the highest offered rate that passes without more loss than allowed, found by
 * bisection over trials. Unlike the RFC we allow a share of loss (NDR is 0), take short trials, and believe a loss only
 * when it comes twice at one rate: on a shared machine one stall of a few milliseconds would decide the result.
 */

/** What one trial measured. Rates are packets a second. */
export interface TrialOutcome {
  /** What the sender really managed to offer. It may fall short of what was asked. */
  readonly sentRate: number;
  /** 0..1 */
  readonly loss: number;
}

export interface SearchOptions {
  /** 0.001 is 0.1 %. */
  readonly maxLoss: number;
  /** Where the search begins to look upward: rates below are not tried. Packets a second, > 0. */
  readonly floor: number;
  /** No rate above this is offered; usually what the sender reaches when it floods. */
  readonly ceiling: number;
  /** The search ends when it knows the rate this closely, relative: 0.02 is 2 %. */
  readonly resolution: number;
  /** Trials that must fail before a rate counts as failed; at least 1. */
  readonly attempts: number;
  /** A rate to try first, for example an earlier result. */
  readonly guess?: number;
}

export interface Throughput {
  /** The highest rate really offered that passed; 0 if not even the floor did. */
  readonly rate: number;
  /** Loss of that trial. */
  readonly loss: number;
  /**
   * What kept the rate from being higher. `loss`: more was offered and lost. `sender`: the sending side could not offer
   * more, or the ceiling passed. `floor`: nothing passed.
   */
  readonly limit: 'loss' | 'sender' | 'floor';
  readonly trials: number;
}

/** A trial whose sender reached less than this share of what it was asked for says nothing about that rate. */
const OFFERED_SHARE = 0.97;
const GUESS_STEP = 1.25;

/** Runs trials through `trial` (rate asked for) one after the other until the answer is known. */
export async function searchThroughput(
  trial: (rate: number) => Promise<TrialOutcome>,
  options: SearchOptions,
): Promise<Throughput> {
  const search = new Search(trial, options);
  await search.bracket();
  await search.bisect();
  return search.result();
}

class Search {
  readonly #trial: (rate: number) => Promise<TrialOutcome>;
  readonly #options: SearchOptions;
  #best: TrialOutcome = { sentRate: 0, loss: 0 };
  /** The bisection runs between these two, so that it always ends. */
  #passed = 0;
  #failed = Number.POSITIVE_INFINITY;
  /** Why nothing above `#failed` is tried. */
  #limit: 'loss' | 'sender' = 'sender';
  #trials = 0;

  constructor(trial: (rate: number) => Promise<TrialOutcome>, options: SearchOptions) {
    this.#trial = trial;
    this.#options = options;
  }

  /** Finds a rate that passes and one that does not, no further apart than needed. */
  async bracket(): Promise<void> {
    const { floor, ceiling, guess } = this.#options;
    let rate = Math.min(Math.max(guess ?? ceiling, floor), ceiling);
    const step = guess === undefined ? 2 : GUESS_STEP;
    if (await this.#passes(rate)) {
      while (rate < ceiling) {
        rate = Math.min(rate * step, ceiling);
        if (!(await this.#passes(rate))) return;
      }
      this.#failed = rate;
      return;
    }
    while (this.#passed === 0 && rate > floor) {
      rate = Math.max(rate / step, floor);
      await this.#passes(rate);
    }
  }

  async bisect(): Promise<void> {
    if (this.#passed === 0) return;
    while (this.#failed - this.#passed > this.#options.resolution * this.#failed) {
      await this.#passes((this.#passed + this.#failed) / 2);
    }
  }

  result(): Throughput {
    const { sentRate, loss } = this.#best;
    return { rate: sentRate, loss, limit: sentRate === 0 ? 'floor' : this.#limit, trials: this.#trials };
  }

  async #passes(rate: number): Promise<boolean> {
    let limit: 'loss' | 'sender' = 'sender';
    for (let attempt = 0; attempt < this.#options.attempts; attempt++) {
      this.#trials++;
      const outcome = await this.#trial(rate);
      if (outcome.loss > this.#options.maxLoss) {
        limit = 'loss';
        continue;
      }
      if (outcome.sentRate > this.#best.sentRate) this.#best = outcome;
      // What was offered passed, even if it was less than what was asked for.
      this.#passed = Math.max(this.#passed, Math.min(outcome.sentRate, rate));
      if (outcome.sentRate < rate * OFFERED_SHARE) continue;
      this.#passed = rate;
      return true;
    }
    this.#failed = rate;
    this.#limit = limit;
    return false;
  }
}
