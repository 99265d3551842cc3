// poll(2): struct pollfd and its events. include/uapi/asm-generic/poll.h.
// Compiled by tsc and by asc: only `export const NAME = number`.
export const POLLFD_FD = 0;
/** u16 each: what is waited for, what has come. */
export const POLLFD_EVENTS = 4;
export const POLLFD_REVENTS = 6;
export const POLLFD_SIZE = 8;

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
