// Sockets: types, options with their levels, flags of a message. socket(7), ip(7), ipv6(7), udp(7);
// include/uapi/asm-generic/socket.h, include/uapi/linux/{in,in6,udp}.h, include/linux/{net,socket}.h.
// Compiled by tsc and by asc: only `export const NAME = number`.

export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
/** u32 of each datagram read: how many found no room since the socket was opened. */
export const SO_RXQ_OVFL = 40;

/** The same as IPPROTO_IP. */
export const SOL_IP = 0;
/** To send an int, as received a u8. */
export const IP_TOS = 1;
/** int: ICMP errors are queued, to be read with MSG_ERRQUEUE. As received a struct sock_extended_err. */
export const IP_RECVERR = 11;

/** The same as IPPROTO_IPV6. */
export const SOL_IPV6 = 41;
/** As IP_RECVERR. */
export const IPV6_RECVERR = 25;
/** int. */
export const IPV6_TCLASS = 67;

export const SOL_UDP = 17;
/** u16: bytes of each datagram the payload is to be cut into. */
export const UDP_SEGMENT = 103;
/** int: bytes of each datagram that was joined into this one. */
export const UDP_GRO = 104;

export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;

// struct sock_extended_err, include/uapi/linux/errqueue.h
export const EE_ERRNO = 0;
export const EE_ORIGIN = 4;
/** Of EMSGSIZE the path MTU. */
export const EE_INFO = 8;
export const EE_SIZE = 16;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
