/**
 * Removes leases that this node had before, each in a transaction of its own, until it is done: flanneld reads one event of each
 * response, and keeps its route to the old subnet when the deletion comes with the new lease.
 */
import { Backoff, doubling } from '../../backoff.ts';
import { messageOf } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { StoredKey } from './lease-view.ts';
import type { LeaseWriter } from './lease-writer.ts';

export interface LeaseRemoverOptions {
  readonly writer: LeaseWriter;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

const PAUSES_MS = doubling(500, 30_000);
const JITTER = 0.5;

export class LeaseRemover {
  readonly #options: LeaseRemoverOptions;
  readonly #backoff: Backoff;
  /** By their keys; a key that somebody has written since is not ours to remove. */
  readonly #owed = new Map<string, StoredKey>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LeaseRemoverOptions) {
    this.#options = options;
    this.#backoff = new Backoff(PAUSES_MS, { part: JITTER, random: options.random });
  }

  /** Tries once before it resolves, and goes on by itself with what is left. Never rejects. */
  async remove(keys: readonly StoredKey[]): Promise<void> {
    for (const key of keys) this.#owed.set(key.key, key);
    clearTimeout(this.#timer);
    try {
      for (const owed of this.#owed.values()) {
        const { key, fullKey, modRevision } = owed;
        const removed = await this.#options.writer.remove(fullKey, modRevision);
        // Meanwhile the key may have been owed anew, at another revision.
        if (this.#owed.get(key) === owed) this.#owed.delete(key);
        if (removed) this.#options.log.info({ key }, 'removed the former lease of this node');
      }
      this.#backoff.reset();
    } catch (error) {
      if (this.#stopped) return;
      this.#options.log.warn({ reason: messageOf(error) }, 'could not remove a former lease; trying again');
      this.#timer = setTimeout(() => void this.remove([]), this.#backoff.next());
    }
  }

  /** The next start finds what is left. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
