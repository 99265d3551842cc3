// RFC 792, and RFC 4443 §2.1 for ICMPv6: the same first eight bytes.
export const ICMP_TYPE = 0;
export const ICMP_CODE = 1;
export const ICMP_CHECKSUM = 2;
export const ICMP_REST = 4;
export const ICMP_HEADER = 8;

// Types, RFC 792
export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_SOURCE_QUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

// Codes of ICMP_UNREACHABLE
export const ICMP_NET_UNREACHABLE = 0;
export const ICMP_HOST_UNREACHABLE = 1;
export const ICMP_FRAGMENTATION_NEEDED = 4;

// Types, RFC 4443 §2.1; below 128 all are errors.
export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
export const ICMPV6_INFORMATIONAL = 128;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
// RFC 4861 §4.5: not an error by its number, yet never to be answered with one (RFC 4443 §2.4 e.2).
export const ICMPV6_REDIRECT = 137;

// Codes of ICMPV6_UNREACHABLE
export const ICMPV6_NO_ROUTE = 0;
export const ICMPV6_ADDRESS_UNREACHABLE = 3;
