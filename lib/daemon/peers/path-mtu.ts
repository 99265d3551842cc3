/**
 * Finds the largest outer packet that the path to a peer carries, from which probes are answered: RFC 8899. Pure: it says which
 * sizes to probe, and is told what was answered.
 *
 *   check ── answered ──> settled ── 30 s, or a hint ──> check
 *     └── lost ──> base ──> search ──> settled          10 min after a path was found narrow: search again
 *
 * From the second try on a small probe goes beside the large one: where neither is answered the path is down for a moment, and says nothing
 * about sizes.
 *
 * An ICMP error is a hint: the size in force and the one it names are probed side by side. Only when the first is lost and the
 * second is not does it count, so nobody who cannot drop our packets changes anything.
 */

/** RFC 8899 §5.1.2, MAX_PROBES. */
const TRIES = 3;
/** A hint and the loss of two packets say the same. */
const HINT_TRIES = 2;
/** Our choice: a path that became narrower is found out within this. */
const CONFIRM_MS = 30_000;
/** RFC 8899 §5.1.1, PMTU_RAISE_TIMER. */
const RAISE_MS = 600_000;
/** Our choice: not even small packets pass; that is for others to say. */
const RETRY_MS = 60_000;
/** After a hint that was wrong further ones are not listened to for this long, each time twice as long. */
const DEAF_MS = 1000;
const MAX_DEAF_MS = 60_000;

/** MTUs that links and tunnels have, so that most searches end on the right one after few probes. */
const COMMON = [
  576, 1024, 1280, 1300, 1320, 1340, 1360, 1380, 1400, 1420, 1430, 1440, 1450, 1460, 1472, 1480, 1492, 1500, 2048, 4096,
  8192, 8900, 9000, 9216,
];

export interface PathBounds {
  /** What every path carries: 576 (RFC 791, what every host takes), or 1280. */
  readonly least: number;
  /** RFC 8899's BASE_PLPMTU. */
  readonly base: number;
  /** The MTU of our own interface. */
  readonly most: number;
}

type Phase = 'check' | 'base' | 'search' | 'settled';

export class PathMtuSearch {
  readonly #bounds: PathBounds;
  #phase: Phase = 'check';
  #mtu: number | undefined;
  /** Where packets of that size pass, and where not. */
  #good = 0;
  #bad: number;
  #size: number;
  #tries = 0;
  #sentAtMs = 0;
  /** Of the last try: the small probe beside the large one; undefined: there was none, or it was answered. */
  #control: number | undefined;
  /** Tries in a row of which nothing was answered. */
  #silent = 0;
  #isRecheck = false;
  #hint: number | undefined;
  #hintPassed = false;
  #nextMs = 0;
  #raiseMs = Number.POSITIVE_INFINITY;
  #deafUntilMs = 0;
  #deafMs = DEAF_MS;

  constructor(bounds: PathBounds) {
    this.#bounds = bounds;
    this.#bad = bounds.most + 1;
    this.#size = bounds.most;
  }

  /** The largest size that is known to pass; undefined before the first search has ended. */
  get mtu(): number | undefined {
    return this.#mtu;
  }

  /** What packets have to be kept to; undefined: whatever the interface takes. */
  get limit(): number | undefined {
    return this.#mtu === undefined || this.#mtu >= this.#bounds.most ? undefined : this.#mtu;
  }

  /** Whether answers are waited for now. */
  get busy(): boolean {
    return this.#phase !== 'settled';
  }

  /** Sizes to probe now, each with one probe. A probe without an answer for `timeoutMs` is lost. */
  due(nowMs: number, timeoutMs: number): readonly number[] {
    if (this.#phase === 'settled') {
      if (nowMs < this.#nextMs) return [];
      if (nowMs >= this.#raiseMs) this.#startSearch(this.#mtu ?? 0, this.#bounds.most + 1);
      else this.#check();
    }
    if (this.#tries > 0) {
      if (nowMs - this.#sentAtMs < timeoutMs) return [];
      this.#judge(nowMs);
    }
    if (this.#phase === 'settled') return [];
    this.#control = this.#nextControl();
    this.#tries++;
    this.#sentAtMs = nowMs;
    return [this.#size, this.#hint, this.#control].filter((size) => size !== undefined);
  }

  answered(size: number, nowMs: number): void {
    if (this.#phase === 'settled') return;
    if (size === this.#control) this.#control = undefined;
    if (size === this.#hint) this.#hintPassed = true;
    if (size !== this.#size) return;
    this.#tries = 0;
    this.#silent = 0;
    if (this.#phase === 'check') {
      if (this.#hint !== undefined) this.#deafen(nowMs);
      this.#settle(size, nowMs);
    } else if (this.#phase === 'base' || size >= this.#good) {
      this.#good = Math.max(this.#good, size);
      if (this.#isRecheck) this.#bad = size + 1;
      this.#next(nowMs);
    }
  }

  /** An ICMP error says that no more than `mtu` bytes pass. */
  hint(mtu: number, nowMs: number): void {
    const inForce = this.#mtu ?? this.#bounds.most;
    if (mtu < this.#bounds.least || mtu >= inForce || nowMs < this.#deafUntilMs) return;
    if (this.#phase === 'base' || this.#phase === 'search' || this.#hint !== undefined) return;
    this.#check();
    this.#hint = mtu;
  }

  /** Is what passed still passing? At first: does all that the interface takes? */
  #check(): void {
    this.#phase = 'check';
    this.#size = this.#mtu ?? this.#bounds.most;
    this.#tries = 0;
    this.#hint = undefined;
    this.#hintPassed = false;
  }

  /** `good` is known to pass, `bad` is beyond what may pass. */
  #startSearch(good: number, bad: number): void {
    this.#phase = good === 0 ? 'base' : 'search';
    this.#good = good;
    this.#bad = bad;
    this.#isRecheck = false;
    this.#size = good === 0 ? this.#bounds.base : (this.#candidate() ?? good);
    this.#tries = 0;
    this.#hint = undefined;
  }

  /** The last try is over, and its large probe was not answered. */
  #judge(nowMs: number): void {
    if (this.#control === undefined) {
      this.#silent = 0;
      if (this.#tries >= (this.#hint === undefined ? TRIES : HINT_TRIES)) this.#lost(nowMs);
    } else {
      this.#tries--;
      this.#silent++;
      if (this.#silent >= TRIES) this.#pause(nowMs);
    }
  }

  /** What is known to pass, or passes everywhere. Most first tries are answered, and a hint that passes says as much. */
  #nextControl(): number | undefined {
    if (this.#tries === 0 || this.#hintPassed) return undefined;
    const size = this.#phase === 'search' ? this.#good : this.#bounds.least;
    return size < this.#size ? size : undefined;
  }

  #lost(nowMs: number): void {
    const size = this.#size;
    this.#tries = 0;
    if (this.#phase === 'check') {
      if (this.#hint !== undefined && this.#hintPassed) this.#settle(this.#hint, nowMs);
      else this.#startSearch(0, size);
    } else if (this.#phase === 'base') {
      const { least } = this.#bounds;
      this.#bad = size;
      if (size > least) this.#size = least;
      else this.#pause(nowMs);
    } else {
      this.#bad = Math.min(this.#bad, size);
      if (this.#isRecheck) this.#settle(this.#good, nowMs);
      else this.#next(nowMs);
    }
  }

  #next(nowMs: number): void {
    this.#phase = 'search';
    const candidate = this.#candidate();
    if (candidate !== undefined) {
      this.#size = candidate;
    } else if (!this.#isRecheck && this.#bad <= this.#bounds.most) {
      // What was lost three times in a row may have been lost to other causes.
      this.#isRecheck = true;
      this.#size = this.#bad;
    } else {
      this.#settle(this.#good, nowMs);
    }
  }

  /** A size between the two bounds: of those that are common the middle one, else the middle; undefined when they meet. */
  #candidate(): number | undefined {
    const { most } = this.#bounds;
    if (this.#good + 1 >= this.#bad) return undefined;
    const common = [...COMMON, most].filter((size) => size > this.#good && size < this.#bad && size <= most);
    return common.length > 0 ? common[common.length >> 1] : (this.#good + this.#bad) >> 1;
  }

  #settle(mtu: number, nowMs: number): void {
    this.#phase = 'settled';
    this.#hint = undefined;
    this.#nextMs = nowMs + CONFIRM_MS;
    if (mtu >= this.#bounds.most) this.#raiseMs = Number.POSITIVE_INFINITY;
    else if (mtu !== this.#mtu) this.#raiseMs = nowMs + RAISE_MS;
    else if (nowMs >= this.#raiseMs) this.#raiseMs = nowMs + RAISE_MS;
    this.#mtu = mtu;
  }

  /** Nothing was answered: what was known before stays. */
  #pause(nowMs: number): void {
    this.#phase = 'settled';
    this.#hint = undefined;
    this.#silent = 0;
    this.#nextMs = nowMs + RETRY_MS;
  }

  #deafen(nowMs: number): void {
    this.#deafUntilMs = nowMs + this.#deafMs;
    this.#deafMs = Math.min(this.#deafMs * 2, MAX_DEAF_MS);
  }
}
