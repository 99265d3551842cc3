/**
 * Keeps BUM frames (broadcast, unknown unicast, multicast) in bounds: each costs a copy for every VTEP. Two token
 * buckets: one for each sender, so that a pod that broadcasts without end does not silence the others' ARP, and one for the
 * copies of a whole segment.
 *
 * A sender that goes on far beyond its bucket is shut out: a filter on the device lets the kernel drop its broadcasts and multicasts before
 * they cost us a read each. It is let in again now and then, and what its bucket has gained by then gets through.
 */
import type { Mac } from '../../addr/mac.ts';

/** Our choice: ARP, DHCP, mDNS and the like of a pod stay far below; a second of twice as many may come at once. */
const FRAMES_PER_SECOND = 200;
const FRAME_BURST = 400;
/** Our choice: at 2 microseconds a copy, about a fiftieth of a CPU; 100 VTEPs still get 100 frames a second. */
const COPIES_PER_SECOND = 10_000;
const COPY_BURST = 10_000;
/** Senders that are remembered; beyond, the one that was seen longest ago goes. */
const MAX_SENDERS = 4096;

/** Our choice: refusals within a second after which a sender is shut out, and for how long. */
const SHUT_OUT_AFTER = 500;
const SHUT_OUT_MS = 1000;
const REFUSAL_WINDOW_MS = 1000;
/** The filter compares each frame to a group address with so many senders at most. */
const MAX_SHUT_OUT = 8;

interface Bucket {
  tokens: number;
  atMs: number;
}

interface Sender extends Bucket {
  /** Refusals since `refusedSinceMs`. */
  refused: number;
  refusedSinceMs: number;
}

interface ShutOut {
  readonly segment: number;
  readonly sender: Mac;
  readonly untilMs: number;
}

export class StormLimiter {
  readonly #senders = new Map<string, Sender>();
  readonly #segments = new Map<number, Bucket>();
  #shutOut: ShutOut[] = [];

  /**
   * May this frame, which stands for `packets` packets, go to `vteps` VTEPs? What it costs is taken from both buckets, or
   * from none.
   */
  allows(segment: number, sender: Mac, vteps: number, nowMs: number, packets = 1): boolean {
    const frames = this.#sender(segment, sender, nowMs);
    const whole = this.#segments.get(segment) ?? { tokens: COPY_BURST, atMs: nowMs };
    refill(frames, FRAME_BURST, FRAMES_PER_SECOND, nowMs);
    refill(whole, COPY_BURST, COPIES_PER_SECOND, nowMs);
    this.#segments.set(segment, whole);
    // What costs more than a bucket holds may empty it: nothing is too big by itself.
    const own = Math.min(packets, FRAME_BURST);
    const copies = Math.min(packets * vteps, COPY_BURST);
    if (frames.tokens < own || whole.tokens < copies) return false;
    frames.tokens -= own;
    whole.tokens -= copies;
    return true;
  }

  /** Takes note of a refusal. True: the sender is shut out from now on. One that has not used up its own bucket never is. */
  refused(segment: number, sender: Mac, nowMs: number, packets = 1): boolean {
    const record = this.#sender(segment, sender, nowMs);
    if (record.tokens >= Math.min(packets, FRAME_BURST)) return false;
    if (nowMs - record.refusedSinceMs > REFUSAL_WINDOW_MS) {
      record.refused = 0;
      record.refusedSinceMs = nowMs;
    }
    if (++record.refused < SHUT_OUT_AFTER) return false;
    const others = this.shutOut(segment);
    // Frames it sent before still come.
    if (others.includes(sender) || others.length >= MAX_SHUT_OUT) return false;
    record.refused = 0;
    this.#shutOut.push({ segment, sender, untilMs: nowMs + SHUT_OUT_MS });
    return true;
  }

  /** Who is shut out of a segment. */
  shutOut(segment: number): Mac[] {
    return this.#shutOut.filter((entry) => entry.segment === segment).map(({ sender }) => sender);
  }

  /** Lets in again whose time is over. Returns the segments that changed; mostly none. */
  letIn(nowMs: number): readonly number[] {
    if (this.#shutOut.length === 0) return [];
    const over = this.#shutOut.filter(({ untilMs }) => untilMs <= nowMs);
    this.#shutOut = this.#shutOut.filter(({ untilMs }) => untilMs > nowMs);
    return [...new Set(over.map(({ segment }) => segment))];
  }

  forget(segment: number): void {
    this.#segments.delete(segment);
    this.#shutOut = this.#shutOut.filter((entry) => entry.segment !== segment);
    for (const key of this.#senders.keys()) if (key.startsWith(`${segment} `)) this.#senders.delete(key);
  }

  /** The sender's record, moved to the end of the list. */
  #sender(segment: number, sender: Mac, nowMs: number): Sender {
    const key = `${segment} ${sender}`;
    const known = this.#senders.get(key);
    const record = known ?? { tokens: FRAME_BURST, atMs: nowMs, refused: 0, refusedSinceMs: nowMs };
    if (known !== undefined) this.#senders.delete(key);
    this.#senders.set(key, record);
    if (this.#senders.size > MAX_SENDERS) {
      const [oldest] = this.#senders.keys();
      this.#senders.delete(oldest!);
    }
    return record;
  }
}

function refill(bucket: Bucket, burst: number, perSecond: number, nowMs: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
  bucket.atMs = nowMs;
}
