/** Connections taken from a listening socket by hand: a tenth of what Node spends on each, for servers under a crowd. */
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK } from '../linux/socket.ts';
import { Errno } from './errno.ts';
import { accept4, close, errno, recv, send } from './ffi.ts';

/** One that waits at `listening`; undefined when none does, or when there is no descriptor for it. The caller closes it. */
export function acceptNow(listening: number): number | undefined {
  const fd = accept4(listening, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd < 0 ? undefined : fd;
}

/** How many bytes were there, at most the length of `buffer`: undefined when none yet, 0 when there will be none. */
export function receiveNow(fd: number, buffer: Uint8Array): number | undefined {
  const length = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
  if (length >= 0) return length;
  return errno() === Errno.EAGAIN ? undefined : 0;
}

/** Sends what the kernel takes at once, which is some 100 kB, and closes. */
export function sendAndClose(fd: number, bytes: Uint8Array): void {
  send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  close(fd);
}

export function closeAccepted(fd: number): void {
  close(fd);
}
