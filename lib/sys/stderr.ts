/** Writing to a descriptor that somebody else reads, without ever waiting longer than one means to. */
import { writeSync } from 'node:fs';
import { POLLFD_EVENTS, POLLFD_FD, POLLFD_SIZE, POLLOUT } from '../linux/poll.ts';
import { addressOf, poll } from './ffi.ts';

/** POSIX's least PIPE_BUF is smaller; Linux's is this: a pipe that can be written takes so much at once. pipe(7) */
const PIPE_BUF = 4096;

/**
 * Writes what the reader takes within `waitMs`, and returns how many bytes that was. A descriptor that is blocking, which this
 * process may share with others and must not change, blocks on nothing that poll(2) has said it takes.
 * Throws node's errors: EPIPE, ENOSPC, ...
 */
export function writeWithin(fd: number, bytes: Uint8Array, waitMs: number): number {
  const deadline = performance.now() + waitMs;
  let written = 0;
  while (written < bytes.length && canWrite(fd, Math.max(0, Math.ceil(deadline - performance.now())))) {
    try {
      written += writeSync(fd, bytes, written, Math.min(PIPE_BUF, bytes.length - written));
    } catch (error) {
      // Another process that writes there was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      if (performance.now() >= deadline) break;
    }
  }
  return written;
}

function canWrite(fd: number, timeoutMs: number): boolean {
  const entry = new Uint8Array(POLLFD_SIZE);
  const view = new DataView(entry.buffer);
  view.setInt32(POLLFD_FD, fd, true);
  view.setUint16(POLLFD_EVENTS, POLLOUT, true);
  // An error counts as writable: the write says which.
  return poll(addressOf(entry), 1, timeoutMs) > 0;
}
