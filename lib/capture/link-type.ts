// What the first byte of a captured packet is. https://www.tcpdump.org/linktypes.html
export const LINKTYPE_ETHERNET = 1;
/** An IPv4 or IPv6 header, distinguished by its version field: what a TUN device carries. */
export const LINKTYPE_RAW = 101;
