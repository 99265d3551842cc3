/** Waiting for descriptors without blocking the event loop, and without looking again and again: poll(2) in a thread of libuv's. */
import {
  POLLERR,
  POLLFD_EVENTS,
  POLLFD_FD,
  POLLFD_REVENTS,
  POLLFD_SIZE,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '../linux/poll.ts';
import { openEvent, signalEvent } from './event.ts';
import { addressOf, close, poll, pollAsync, read } from './ffi.ts';

/** For one waiter at a time. `close` it, or the process waits with it. */
export class Readiness {
  readonly #event = openEvent();
  readonly #wanted: number;
  /** struct pollfd of each, the event's last. Shared memory, because that never moves. */
  #fds: DataView;
  readonly #eventOnly = pollfds([], POLLIN, this.#event);
  readonly #counter = new Uint8Array(new SharedArrayBuffer(8));
  #waiting = false;
  #closed = false;
  readonly #wakeAtExit = (): void => this.wake();

  /** `until` they can be read, or written; errors and hang-ups end a wait in any case. */
  constructor(descriptors: readonly number[], until: 'read' | 'write' = 'read') {
    this.#wanted = until === 'read' ? POLLIN : POLLOUT;
    this.#fds = pollfds(descriptors, this.#wanted, this.#event);
    // The thread in poll would keep the process from ending.
    process.once('exit', this.#wakeAtExit);
  }

  /** Other descriptors from the next wait on. */
  watch(descriptors: readonly number[]): void {
    if (this.#waiting) throw new Error('Readiness: somebody waits');
    this.#fds = pollfds(descriptors, this.#wanted, this.#event);
  }

  /** Resolves when one of the descriptors is readable or has an error, `timeoutMs` is over (-1: never), or somebody calls `wake`. */
  wait(timeoutMs: number): Promise<void> {
    return this.#poll(this.#fds, timeoutMs);
  }

  /** The same without the descriptors: a rest, which `wake` ends. */
  rest(timeoutMs: number): Promise<void> {
    return this.#poll(this.#eventOnly, timeoutMs);
  }

  async #poll(fds: DataView, timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    this.#waiting = true;
    await new Promise<void>((resolve) => {
      pollAsync(addressOf(new Uint8Array(fds.buffer)), fds.byteLength / POLLFD_SIZE, timeoutMs, () => resolve());
    });
    this.#waiting = false;
    if (this.#closed) this.#release();
    else read(this.#event, addressOf(this.#counter), 8);
  }

  /** Ends the wait that is, or the next one. */
  wake(): void {
    if (!this.#closed) signalEvent(this.#event);
  }

  close(): void {
    if (this.#closed) return;
    this.wake();
    this.#closed = true;
    process.off('exit', this.#wakeAtExit);
    if (!this.#waiting) this.#release();
  }

  #release(): void {
    close(this.#event);
  }
}

/** Whether the other end of a pipe, a socket or a terminal is gone; never of a file. */
export function hasHungUp(fd: number): boolean {
  const fds = new DataView(new SharedArrayBuffer(POLLFD_SIZE));
  fds.setInt32(POLLFD_FD, fd, true);
  // Errors and hang-ups are told in any case.
  if (poll(addressOf(new Uint8Array(fds.buffer)), 1, 0) <= 0) return false;
  return (fds.getUint16(POLLFD_REVENTS, true) & (POLLERR | POLLHUP)) !== 0;
}

function pollfds(descriptors: readonly number[], wanted: number, event: number): DataView {
  const view = new DataView(new SharedArrayBuffer((descriptors.length + 1) * POLLFD_SIZE));
  for (const [index, fd] of [...descriptors, event].entries()) {
    view.setInt32(index * POLLFD_SIZE + POLLFD_FD, fd, true);
    view.setUint16(index * POLLFD_SIZE + POLLFD_EVENTS, index < descriptors.length ? wanted : POLLIN, true);
  }
  return view;
}
