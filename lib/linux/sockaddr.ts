// Socket addresses: address families, byte offsets, sizes. The family is in the machine's byte order, the rest in network order.
// Compiled by tsc and by asc: only `export const NAME = number`.

// include/linux/socket.h
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

/** u16, in every socket address. */
export const SOCKADDR_FAMILY = 0;
/** u16, in both that follow. */
export const SOCKADDR_PORT = 2;

// struct sockaddr_in, include/uapi/linux/in.h
export const SOCKADDR_IN_ADDR = 4;
export const SOCKADDR_IN_SIZE = 16;

// struct sockaddr_in6, include/uapi/linux/in6.h: the flow label lies before the address, the scope behind it
export const SOCKADDR_IN6_ADDR = 8;
export const SOCKADDR_IN6_SIZE = 28;
