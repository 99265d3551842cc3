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

/** A sender that reaches less than this share of the rate it was asked for was itself the limit. */
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
  /** Highest rate asked for that passed, lowest that failed: the bisection runs on these, so that it always ends. */
  #passed = 0;
  #failed = Number.POSITIVE_INFINITY;
  #senderLimited = false;
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
      while (!this.#senderLimited && rate < ceiling) {
        rate = Math.min(rate * step, ceiling);
        if (!(await this.#passes(rate))) return;
      }
      this.#senderLimited = true;
      return;
    }
    while (rate > floor) {
      rate = Math.max(rate / step, floor);
      if (await this.#passes(rate)) return;
    }
  }

  async bisect(): Promise<void> {
    if (this.#passed === 0) return;
    while (!this.#senderLimited && this.#failed - this.#passed > this.#options.resolution * this.#failed) {
      await this.#passes((this.#passed + this.#failed) / 2);
    }
  }

  result(): Throughput {
    const { sentRate, loss } = this.#best;
    const limit = sentRate === 0 ? 'floor' : this.#senderLimited ? 'sender' : 'loss';
    return { rate: sentRate, loss, limit, trials: this.#trials };
  }

  async #passes(rate: number): Promise<boolean> {
    for (let attempt = 0; attempt < this.#options.attempts; attempt++) {
      this.#trials++;
      const outcome = await this.#trial(rate);
      if (outcome.loss > this.#options.maxLoss) continue;
      if (outcome.sentRate > this.#best.sentRate) this.#best = outcome;
      this.#passed = rate;
      this.#senderLimited = outcome.sentRate < rate * OFFERED_SHARE;
      return true;
    }
    this.#failed = rate;
    return false;
  }
}
