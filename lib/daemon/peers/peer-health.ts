/** What probes of one way to a peer have found out: round-trip time, loss, silence. Pure. */

/** Our choice: loss is that of so many last probes. */
const WINDOW = 20;
/** From so many on without an answer a peer is silent. */
const SILENT_AFTER = 3;
/** Our choice: how long a probe may be on its way. */
export const PROBE_TIMEOUT_MS = 1000;

export class PeerHealth {
  /** Of the last answer. */
  rttMs: number | undefined;
  /** The last packet or answer from it, as far as we know. */
  seenMs: number | undefined;
  /** Probes since the last answer that are known to be lost. */
  unanswered = 0;
  /** Looks since packets came from it while answers are missing: one that sends little is quiet for a look now and then. */
  #quietLooks = SILENT_AFTER;
  #answeredEver = false;
  /** Of the last probes: whether they were answered, the oldest first. */
  readonly #results: boolean[] = [];
  #heard: number | undefined;
  readonly #waiting = new Map<number, number>();

  sent(sequence: number, nowMs: number): void {
    this.#waiting.set(sequence, nowMs);
  }

  /** False for an answer that nobody waits for (any more). */
  answered(sequence: number, rttMs: number, nowMs: number): boolean {
    if (!this.#waiting.delete(sequence)) return false;
    this.rttMs = rttMs;
    this.seenMs = nowMs;
    this.unanswered = 0;
    this.#quietLooks = SILENT_AFTER;
    this.#answeredEver = true;
    this.#note(true);
    return true;
  }

  /** Takes those that are late for lost. */
  expire(nowMs: number): void {
    for (const [sequence, sentMs] of this.#waiting) {
      if (nowMs - sentMs < PROBE_TIMEOUT_MS) continue;
      this.#waiting.delete(sequence);
      this.unanswered++;
      this.#note(false);
    }
  }

  #note(answered: boolean): void {
    this.#results.push(answered);
    if (this.#results.length > WINDOW) this.#results.shift();
  }

  /** `count`: of packets from it, which only grows while it is the same peer. */
  heard(count: number | undefined, nowMs: number): void {
    if (this.#heard !== undefined && count !== undefined && count > this.#heard) {
      this.seenMs = nowMs;
      if (this.unanswered > 0) this.#quietLooks = 0;
    } else {
      this.#quietLooks++;
      if (this.#heard === undefined && count !== undefined && count > 0) this.seenMs = nowMs;
    }
    this.#heard = count;
  }

  /** Packets came since the last answer, and within the last looks. */
  get heardSinceAnswer(): boolean {
    return this.#quietLooks < SILENT_AFTER;
  }

  get answeredEver(): boolean {
    return this.#answeredEver;
  }

  get isSilent(): boolean {
    return this.unanswered >= SILENT_AFTER;
  }

  /** How many of the last probes there were, and which part of them was lost; undefined before the first. */
  get loss(): { readonly probes: number; readonly ratio: number } | undefined {
    const probes = this.#results.length;
    if (probes === 0) return undefined;
    return { probes, ratio: this.#results.filter((answered) => !answered).length / probes };
  }
}

/** What the underlay says of a peer: 'unknown' where it may not be asked, or was not yet. */
export type Underlay = 'answers' | 'silent' | 'unknown';

/** Why no packet of ours comes back; undefined: nothing is known to be wrong. */
export type CutOff = 'both' | 'one-way' | undefined;

/**
 * Silence of the overlay alone says that a node is down, silence of the underlay that somebody filters pings. It takes a peer
 * that was there, or whose packets come, and an underlay that works.
 */
export function cutOff(health: PeerHealth, underlay: Underlay): CutOff {
  if (!health.isSilent || underlay === 'silent') return undefined;
  if (health.heardSinceAnswer) {
    // Packets that come say as much as an answer of the underlay, once it is known that the peer answers at all.
    return underlay === 'answers' || health.answeredEver ? 'one-way' : undefined;
  }
  return underlay === 'answers' && health.answeredEver ? 'both' : undefined;
}
