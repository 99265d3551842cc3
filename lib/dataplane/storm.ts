/**
 * Keeps frames for many (broadcast, multicast, unknown unicast) in bounds: each costs a copy for every VTEP. Two token
 * buckets: one for each sender, so that a pod that broadcasts without end does not silence the others' ARP, and one for the
 * copies of a whole segment.
 */
import type { Mac } from '../addr/mac.ts';

/** Our choice: ARP, DHCP, mDNS and the like of a pod stay far below; a second of twice as many may come at once. */
const FRAMES_PER_SECOND = 200;
const FRAME_BURST = 400;
/** Our choice: at 2 microseconds a copy, about a fiftieth of a CPU; 100 VTEPs still get 100 frames a second. */
const COPIES_PER_SECOND = 10_000;
const COPY_BURST = 10_000;
/** Senders that are remembered; beyond, the one that was seen longest ago goes. */
const MAX_SENDERS = 4096;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class StormLimiter {
  readonly #senders = new Map<string, Bucket>();
  readonly #segments = new Map<number, Bucket>();

  /** May this frame go out in `copies` copies? What a frame may cost is taken from both buckets, or from none. */
  allows(segment: number, sender: Mac, copies: number, nowMs: number): boolean {
    const key = `${segment} ${sender}`;
    const frames = refill(this.#senders.get(key), FRAME_BURST, FRAMES_PER_SECOND, nowMs);
    const whole = refill(this.#segments.get(segment), COPY_BURST, COPIES_PER_SECOND, nowMs);
    this.#remember(key, frames);
    this.#segments.set(segment, whole);
    // A frame for more VTEPs than the bucket holds may empty it: it is never too big by itself.
    if (frames.tokens < 1 || whole.tokens < Math.min(copies, COPY_BURST)) return false;
    frames.tokens -= 1;
    whole.tokens -= Math.min(copies, COPY_BURST);
    return true;
  }

  forget(segment: number): void {
    this.#segments.delete(segment);
    for (const key of this.#senders.keys()) if (key.startsWith(`${segment} `)) this.#senders.delete(key);
  }

  #remember(key: string, bucket: Bucket): void {
    this.#senders.delete(key);
    this.#senders.set(key, bucket);
    if (this.#senders.size <= MAX_SENDERS) return;
    for (const oldest of this.#senders.keys()) {
      this.#senders.delete(oldest);
      return;
    }
  }
}

function refill(bucket: Bucket | undefined, burst: number, perSecond: number, nowMs: number): Bucket {
  if (bucket === undefined) return { tokens: burst, atMs: nowMs };
  const earned = ((nowMs - bucket.atMs) * perSecond) / 1000;
  return { tokens: Math.min(burst, bucket.tokens + earned), atMs: nowMs };
}
