/**
 * Interrupt moderation, as NICs have it: at high rates of small packets the thread waits a moment before each turn, so that
 * a turn finds many packets and one send carries them. Without it a thread that goes first (NICE in worker.ts) would be
 * woken for every single packet, at the expense of their sender.
 *
 * Super-packets need none of it, nor do rates at which a wake-up per packet costs nothing: below the threshold a packet is
 * never delayed.
 */

/** Our choice: frames a millisecond above which turns are spaced, and below which they are not any more. */
const START_RATE = 30;
const STOP_RATE = 15;
/** Packets per frame above which frames are super-packets. */
const SUPER = 4;
const WINDOW_MS = 1;

export class Moderation {
  #windowStart: number;
  #frames = 0;
  #packets = 0;
  #active = false;

  constructor(nowMs: number) {
    this.#windowStart = nowMs;
  }

  /** True: wait a moment before the next turn. */
  get active(): boolean {
    return this.#active;
  }

  /** Takes note of a turn's frames, and of the packets they became. */
  note(frames: number, packets: number, nowMs: number): void {
    this.#frames += frames;
    this.#packets += packets;
    const elapsed = nowMs - this.#windowStart;
    if (elapsed < WINDOW_MS) return;
    const rate = this.#frames / elapsed;
    const small = this.#packets < this.#frames * SUPER;
    this.#active = small && rate >= (this.#active ? STOP_RATE : START_RATE);
    this.#windowStart = nowMs;
    this.#frames = 0;
    this.#packets = 0;
  }
}
