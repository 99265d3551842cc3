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

type Early = Pick<Waiting, 'id' | 'ns'>;

/** One direction. Times are nanoseconds of the kernel's clock, since any moment that is the same for all. */
export class Pairing {
  readonly #waiting = new Map<number, Waiting[]>();
  /** Came out before they were seen to go in: a kernel that is busy hands over the frames of one edge later than those of the other. */
  readonly #early = new Map<number, Early[]>();
  #earlyCount = 0;
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
    const elapsed = this.#takeEarly(key, id, ns);
    if (elapsed !== undefined) {
      this.paired++;
      this.#onPair(elapsed, bytes);
      return;
    }
    this.#count++;
    const same = this.#waiting.get(key);
    if (same === undefined) this.#waiting.set(key, [{ id, ns, bytes }]);
    else same.push({ id, ns, bytes });
  }

  /** Of several that look alike the one with the same identification, else the oldest. */
  leave(key: number, id: number, ns: number): void {
    const same = this.#waiting.get(key);
    if (same === undefined) {
      this.#keepEarly(key, { id, ns });
      return;
    }
    const [found] = same.splice(indexOf(same, id), 1);
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

  #keepEarly(key: number, early: Early): void {
    if (this.#earlyCount >= this.#mostWaiting) {
      this.strangers++;
      return;
    }
    this.#earlyCount++;
    const same = this.#early.get(key);
    if (same === undefined) this.#early.set(key, [early]);
    else same.push(early);
  }

  /** How long after `ns` the packet came out that goes in now; undefined: it has not yet. */
  #takeEarly(key: number, id: number, ns: number): number | undefined {
    const same = this.#early.get(key);
    if (same === undefined) return undefined;
    const at = indexOf(same, id);
    const elapsed = same[at]!.ns - ns;
    if (elapsed < 0 || elapsed > MOST_BELIEVED_MS * 1e6) return undefined;
    same.splice(at, 1);
    if (same.length === 0) this.#early.delete(key);
    this.#earlyCount--;
    return elapsed;
  }

  /** What came out before `before`, or is of a time after `after`, has not been seen to go in. */
  #giveUpEarly(before: number, after: number): void {
    for (const [key, same] of this.#early) {
      const left = same.filter(({ ns }) => ns >= before && ns <= after);
      const gone = same.length - left.length;
      if (gone === 0) continue;
      this.strangers += gone;
      this.#earlyCount -= gone;
      if (left.length === 0) this.#early.delete(key);
      else this.#early.set(key, left);
    }
  }

  /** Gives up what went in too long before `ns`. */
  expire(ns: number): void {
    const most = LOST_AFTER_MS * 1e6;
    this.#giveUpEarly(ns - most, ns + most);
    this.#forget(ns + most);
    this.#giveUp(ns - most);
  }

  /** At the end: what went in less than `ms` before `ns` may still be on its way, and is not lost. Returns how many those are. */
  finish(ns: number, ms: number): number {
    this.#giveUpEarly(Number.POSITIVE_INFINITY, ns);
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

/** Of several that look alike the one with the same identification, else the oldest. */
function indexOf(same: readonly Early[], id: number): number {
  const at = id < 0 ? 0 : same.findIndex((one) => one.id === id);
  return Math.max(0, at);
}
