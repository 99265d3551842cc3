import { addressOf, nanosleep, prctl } from './ffi.ts';

const PR_SET_TIMERSLACK = 29;

/**
 * Short sleeps that block the calling thread: for the data plane's worker and for child processes that pace packets, never
 * beside an event loop that matters. nanosleep(2).
 */
export class BlockingSleep {
  /** struct timespec, in shared memory because that never moves. */
  readonly #timespec = new BigInt64Array(new SharedArrayBuffer(16));
  readonly #address = addressOf(new Uint8Array(this.#timespec.buffer));

  /** Also lets this thread's timers be as exact as the kernel can; the usual slack is 50 µs. prctl(2) */
  constructor() {
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  }

  /** Sleeps at least `microseconds` (< 1 s), or less if a signal comes. */
  microseconds(microseconds: number): void {
    this.#timespec[1] = BigInt(Math.round(microseconds * 1000));
    nanosleep(this.#address, 0);
  }
}
