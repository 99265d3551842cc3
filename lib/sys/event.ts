/** eventfd(2): one thread wakes another that waits in poll(2). */
import { check } from './errno.ts';
import { addressOf, eventfd, write } from './ffi.ts';

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

export function openEvent(): number {
  return check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'eventfd', 'event');
}

/** Adds 1 to the event: a poll on it returns. */
export function signalEvent(fd: number): void {
  const one = new BigUint64Array([1n]);
  check(write(fd, addressOf(new Uint8Array(one.buffer)), 8), 'write', 'eventfd');
}
