/** The descriptors that a worker waits for, in the memory of its queue: poll(2). Filled anew before each wait. */
import { POLL_FDS } from '../../fastpath/abi.ts';
import { POLLFD_EVENTS, POLLFD_FD, POLLFD_SIZE } from '../../linux/poll.ts';
import { poll } from '../../sys/ffi.ts';
import type { Queue } from './queue.ts';

export class PollSet {
  readonly #words: Int32Array;
  readonly #address: number;
  #entries = 0;

  constructor({ words, base }: Pick<Queue, 'words' | 'base'>) {
    this.#words = words;
    this.#address = base + POLL_FDS;
  }

  get size(): number {
    return this.#entries;
  }

  clear(): void {
    this.#entries = 0;
  }

  /** As the next entry, of which poll has said nothing yet. With `events` 0 errors alone are reported. */
  add(fd: number, events: number): void {
    const at = POLL_FDS + this.#entries * POLLFD_SIZE;
    this.#entries++;
    this.#words[(at + POLLFD_FD) / 4] = fd;
    this.#words[(at + POLLFD_EVENTS) / 4] = events;
  }

  /** How many entries have something to say; below 0 with errno. */
  wait(timeoutMs: number): number {
    return poll(this.#address, this.#entries, timeoutMs);
  }

  descriptor(entry: number): number {
    return this.#words[(POLL_FDS + entry * POLLFD_SIZE + POLLFD_FD) / 4]!;
  }

  /** What poll said of an entry. */
  events(entry: number): number {
    return this.#words[(POLL_FDS + entry * POLLFD_SIZE + POLLFD_EVENTS) / 4]! >>> 16;
  }
}
