/**
 * What one watch of etcd tells its listener: keys, listed and changed, as leases, and, in their time, the end of what is leaving.
 *
 * Nothing ends while etcd is away: then no node could write its lease again.
 */
import type { LeaseEvent } from '../../lease/lease-set.ts';
import type { Log } from '../../log.ts';
import type { LeaseListener } from '../store.ts';
import type { KeyChange, LeaseView, StoredKey } from './lease-view.ts';

export interface LeaseFeedOptions {
  readonly view: LeaseView;
  readonly listener: LeaseListener;
  /** Whether the watch is established. */
  readonly isFollowing: () => boolean;
  /** Monotonic, in ms. */
  readonly now: () => number;
  readonly log: Log;
}

/** setTimeout takes no longer delay (2^31 - 1 ms, 24.8 days). */
const MAX_TIMER_MS = 0x7fffffff;

export class LeaseFeed {
  readonly #options: LeaseFeedOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LeaseFeedOptions) {
    this.#options = options;
  }

  list(keys: readonly StoredKey[], sameHistory: boolean): void {
    const { view, now } = this.#options;
    this.#deliver(view.list(keys, now(), sameHistory));
  }

  change(changes: readonly KeyChange[]): void {
    const { view, now } = this.#options;
    const event = view.change(changes, now());
    if (event.changes.length > 0) this.#deliver(event);
  }

  /** The watch is established, again. */
  following(): void {
    const { view, now } = this.#options;
    view.resume(now());
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** A listener's mistake must not end the watch; the next event, with all leases, gives it another chance. */
  #deliver(event: LeaseEvent): void {
    const { listener, log } = this.#options;
    try {
      listener.onLeases(event);
    } catch (error) {
      log.error({ err: error }, 'a listener failed on a change of leases');
    }
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { view, now } = this.#options;
    const dueMs = view.nextMs;
    if (this.#closed || dueMs === undefined) return;
    const delayMs = Math.min(Math.max(dueMs - now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#expire(), delayMs);
  }

  #expire(): void {
    const { view, now, isFollowing } = this.#options;
    // `following` sets the timer again.
    if (!isFollowing()) return;
    const event = view.expire(now());
    if (event === undefined) this.#schedule();
    else this.#deliver(event);
  }
}
