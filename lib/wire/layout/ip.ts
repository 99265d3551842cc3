// Protocol numbers, shared by the IPv4 protocol field and the IPv6 next-header field. IANA "Protocol Numbers".
export const IPPROTO_HOP_BY_HOP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_DESTINATION_OPTIONS = 60;
