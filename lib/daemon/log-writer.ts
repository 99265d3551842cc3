/**
 * Where the lines of the log go: to a reader who may be slow, hang, or be gone. Whoever logs never waits for it; what the reader
 * takes is there before the call returns, so that the last lines before a crash are.
 */

export interface LogWriterOptions {
  /** Writes what is taken within `waitMs`; returns how many bytes. May throw. */
  readonly write: (bytes: Uint8Array, waitMs: number) => number;
  /** Can be written again, after so many lines were lost. */
  readonly onLost: (lines: number) => void;
}

/** Our choice: some thousand lines. Beyond it lines are lost, and counted. */
const MOST_BYTES = 256 * 1024;
const TRY_AGAIN_MS = 100;

export class LogWriter {
  readonly #options: LogWriterOptions;
  /** Complete lines but for the first, of which a part may be written. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    // Once lines were lost, the next to be written says so.
    if (this.#lost > 0 || this.#waitingBytes + bytes.length > MOST_BYTES) this.#lost++;
    else {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    if (this.#timer === undefined) this.#flushNow(0);
  }

  /** For the end of the process: gives the reader `waitMs` to take what waits. */
  flush(waitMs: number): void {
    const deadline = performance.now() + waitMs;
    do this.#flushNow(Math.max(0, deadline - performance.now()));
    while (this.#waiting.length > 0 && performance.now() < deadline);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #flushNow(waitMs: number): void {
    try {
      this.#writeWaiting(waitMs);
    } catch {
      // The reader is gone (EPIPE), the disk is full (ENOSPC): who would be told?
      this.#lost += this.#waiting.length;
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    if (this.#waiting.length > 0 || this.#lost > 0) this.#tryAgainLater();
  }

  #writeWaiting(waitMs: number): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const written = this.#options.write(first, waitMs);
      this.#waitingBytes -= written;
      if (written < first.length) {
        this.#waiting[0] = first.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#options.onLost(lost);
    // Its line.
    this.#writeWaiting(waitMs);
  }

  #tryAgainLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flushNow(0);
    }, TRY_AGAIN_MS).unref();
  }
}
