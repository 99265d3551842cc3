/** Brings together what was seen of a packet on one edge and then on the other. Pure. */
import { Held, type Seen } from './held.ts';

/** Our choice: what has not come out of weftd after so long does not come any more. */
const LOST_AFTER_MS = 2000;
/** Seen later than this after it went in, or before it: the clock of the stamps was set meanwhile, and nothing is known. */
const MOST_BELIEVED_MS = 2 * LOST_AFTER_MS;
/** Our choice: half a million packets a second that do not come out. It bounds our memory. */
const MOST_WAITING = 1_000_000;

/** What went in. */
interface Entered extends Seen {
  readonly bytes: number;
}

/** One direction. Times are nanoseconds of the kernel's clock, since any moment that is the same for all. */
export class Pairing {
  readonly #waiting = new Held<Entered>();
  /** Came out before they were seen to go in: a kernel that is busy hands over the frames of one edge later than those of the other. */
  readonly #early = new Held<Seen>();
  readonly #onPair: (elapsedNs: number, bytes: number) => void;
  readonly #mostWaiting: number;
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
    if (this.#waiting.size >= this.#mostWaiting) {
      this.forgotten++;
      return;
    }
    this.entered++;
    const early = this.#early.find(key, id);
    if (early === undefined || !isBelieved(early.ns - ns)) {
      this.#waiting.add(key, { id, ns, bytes });
      return;
    }
    this.#early.remove(key, early);
    this.#pair(early.ns - ns, bytes);
  }

  /** Of several that look alike the one with the same identification, else the oldest. */
  leave(key: number, id: number, ns: number): void {
    const found = this.#waiting.find(key, id);
    if (found === undefined) {
      if (this.#early.size >= this.#mostWaiting) this.strangers++;
      else this.#early.add(key, { id, ns });
      return;
    }
    this.#waiting.remove(key, found);
    const elapsed = ns - found.ns;
    if (isBelieved(elapsed)) this.#pair(elapsed, found.bytes);
    else this.#forget(1);
  }

  #pair(elapsedNs: number, bytes: number): void {
    this.paired++;
    this.#onPair(elapsedNs, bytes);
  }

  #forget(packets: number): void {
    this.entered -= packets;
    this.forgotten += packets;
  }

  /** Gives up what went in too long before `ns`. */
  expire(ns: number): void {
    const most = LOST_AFTER_MS * 1e6;
    this.strangers += this.#early.drop((early) => early.ns < ns - most || early.ns > ns + most);
    this.#giveUp(ns - most, ns + most);
  }

  /** At the end: what went in less than `ms` before `ns` may still be on its way, and is not lost. Returns how many those are. */
  finish(ns: number, ms: number): number {
    this.strangers += this.#early.drop(() => true);
    this.#giveUp(ns - ms * 1e6, ns + LOST_AFTER_MS * 1e6);
    return this.#waiting.size;
  }

  /** What went in before `before` is lost. Of what went in after `after`, which is to come, the clock was set back since: it would wait until then. */
  #giveUp(before: number, after: number): void {
    this.#forget(this.#waiting.drop(({ ns }) => ns > after));
    this.lost += this.#waiting.drop(({ ns }) => ns < before);
  }
}

/** Whether a packet can have taken so many nanoseconds. */
function isBelieved(elapsedNs: number): boolean {
  return elapsedNs >= 0 && elapsedNs <= MOST_BELIEVED_MS * 1e6;
}
