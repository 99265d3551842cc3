// Messages of sendmsg, sendmmsg, recvmsg and recvmmsg on 64-bit Linux: byte offsets, sizes.
// Compiled by tsc and by asc: only `export const NAME = number`.

// struct iovec, include/uapi/linux/uio.h
export const IOVEC_BASE = 0;
export const IOVEC_LEN = 8;
export const IOVEC_SIZE = 16;

// struct msghdr (the kernel's struct user_msghdr), include/linux/socket.h
export const MSGHDR_NAME = 0;
export const MSGHDR_NAMELEN = 8;
export const MSGHDR_IOV = 16;
export const MSGHDR_IOVLEN = 24;
export const MSGHDR_CONTROL = 32;
export const MSGHDR_CONTROLLEN = 40;
/** Written by recvmsg: MSG_TRUNC and its like. */
export const MSGHDR_FLAGS = 48;

// struct mmsghdr: a msghdr, then how many bytes were sent or received
export const MMSGHDR_LEN = 56;
export const MMSGHDR_SIZE = 64;

// struct cmsghdr; the data begin behind it. `cmsg_len` is without padding, the next one begins at a multiple of CMSGHDR_ALIGN
export const CMSGHDR_LEN = 0;
export const CMSGHDR_LEVEL = 8;
export const CMSGHDR_TYPE = 12;
export const CMSGHDR_SIZE = 16;
export const CMSGHDR_ALIGN = 8;
