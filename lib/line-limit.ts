/** Keeps what comes again and again from filling the log: so many lines a minute, and in the next one how many were left out. */

/** Our choice: enough to see that something comes and goes. */
const LINES_PER_MINUTE = 6;
const MINUTE_MS = 60_000;

export class LineLimit {
  /** Monotonic, in ms. */
  readonly #now: () => number;
  /** When the last lines were written. */
  #lines: number[] = [];
  #omitted = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `write`, unless there were enough lines. `omitted`: lines that were left out since the last. */
  say(write: (omitted: number) => void): void {
    const time = this.#now();
    this.#lines = this.#lines.filter((at) => time - at < MINUTE_MS);
    if (this.#lines.length >= LINES_PER_MINUTE) {
      this.#omitted++;
      return;
    }
    this.#lines.push(time);
    write(this.#omitted);
    this.#omitted = 0;
  }
}
