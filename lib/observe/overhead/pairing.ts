/** Brings together what was seen of a packet on one edge and then on the other. Pure. */

/** Our choice: what has not come out of weftd after so long does not come any more. */
const LOST_AFTER_MS = 2000;
/** Seen later than this after it went in, or before it: the clock of the stamps was set meanwhile, and nothing is known. */
const MOST_BELIEVED_MS = 2 * LOST_AFTER_MS;
/** Our choice: half a million packets a second that do not come out. It bounds our memory. */
const MOST_WAITING = 1_000_000;

interface Waiting {
  readonly id: number;
  readonly ns: number;
  readonly bytes: number;
}

/** One direction. Times are nanoseconds of the kernel's clock, since any moment that is the same for all. */
export class Pairing {
  readonly #waiting = new Map<number, Waiting[]>();
  readonly #onPair: (elapsedNs: number, bytes: number) => void;
  readonly #mostWaiting: number;
  #count = 0;
  /** On the edge where it goes in. */
  entered = 0;
  paired = 0;
  /** Went in and did not come out. */
  lost = 0;
  /** Came out, and was not seen to go in: weftd's own ICMP errors, and what was on its way at the start. */
  strangers = 0;
  /** Went in, and there was no room to remember them, or the clock was set while they were on their way: they do not count as entered. */
  forgotten = 0;

  /** `mostWaiting`: how many may have gone in and not come out. */
  constructor(onPair: (elapsedNs: number, bytes: number) => void, mostWaiting = MOST_WAITING) {
    this.#onPair = onPair;
    this.#mostWaiting = mostWaiting;
  }

  /** Bytes are those of the IP packet; `id` as PacketKey has it. */
  enter(key: number, id: number, ns: number, bytes: number): void {
    if (this.#count >= this.#mostWaiting) {
      this.forgotten++;
      return;
    }
    this.entered++;
    this.#count++;
    const same = this.#waiting.get(key);
    if (same === undefined) this.#waiting.set(key, [{ id, ns, bytes }]);
    else same.push({ id, ns, bytes });
  }

  /** Of several that look alike the one with the same identification, else the oldest. */
  leave(key: number, id: number, ns: number): void {
    const same = this.#waiting.get(key);
    if (same === undefined) {
      this.strangers++;
      return;
    }
    const at =
      id < 0
        ? 0
        : Math.max(
            0,
            same.findIndex((waiting) => waiting.id === id),
          );
    const [found] = same.splice(at, 1);
    if (same.length === 0) this.#waiting.delete(key);
    this.#count--;
    const elapsed = ns - found!.ns;
    if (elapsed < 0 || elapsed > MOST_BELIEVED_MS * 1e6) {
      this.entered--;
      this.forgotten++;
      return;
    }
    this.paired++;
    this.#onPair(elapsed, found!.bytes);
  }

  /** Gives up what went in too long before `ns`. */
  expire(ns: number): void {
    this.#forget(ns + LOST_AFTER_MS * 1e6);
    this.#giveUp(ns - LOST_AFTER_MS * 1e6);
  }

  /** At the end: what went in less than `ms` before `ns` may still be on its way, and is not lost. Returns how many those are. */
  finish(ns: number, ms: number): number {
    this.#forget(ns + LOST_AFTER_MS * 1e6);
    this.#giveUp(ns - ms * 1e6);
    return this.#count;
  }

  /** What went in later than `after`, which is to come: the clock was set back since, and they would wait until it is there again. */
  #forget(after: number): void {
    for (const [key, same] of this.#waiting) {
      const left = same.filter(({ ns }) => ns <= after);
      const gone = same.length - left.length;
      if (gone === 0) continue;
      this.entered -= gone;
      this.forgotten += gone;
      this.#count -= gone;
      if (left.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, left);
    }
  }

  #giveUp(before: number): void {
    for (const [key, same] of this.#waiting) {
      // In the order of their times.
      const late = same.findIndex(({ ns }) => ns >= before);
      const gone = late < 0 ? same.length : late;
      if (gone === 0) continue;
      this.lost += gone;
      this.#count -= gone;
      if (gone === same.length) this.#waiting.delete(key);
      else same.splice(0, gone);
    }
  }
}
