// Flags of open(2), and of other calls that make descriptors. include/uapi/asm-generic/fcntl.h.
// Compiled by tsc and by asc: only `export const NAME = number`.
export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
