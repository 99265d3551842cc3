/** eventfd(2): one thread wakes another that waits in poll(2). */
import { O_CLOEXEC, O_NONBLOCK } from '../linux/fcntl.ts';
import { check } from './errno.ts';
import { addressOf, eventfd, write } from './ffi.ts';

/** eventfd's own names for the flags, EFD_NONBLOCK and EFD_CLOEXEC, have the same values. */
export function openEvent(): number {
  return check(eventfd(0, O_NONBLOCK | O_CLOEXEC), 'eventfd', 'event');
}

/** Adds 1 to the event: a poll on it returns. */
export function signalEvent(fd: number): void {
  const one = new BigUint64Array([1n]);
  check(write(fd, addressOf(new Uint8Array(one.buffer)), 8), 'write', 'eventfd');
}
