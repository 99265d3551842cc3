// struct virtio_net_hdr, what IFF_VNET_HDR puts before each packet of a TUN or TAP: include/uapi/linux/virtio_net.h.
// Numbers are in the machine's byte order. Compiled by tsc and by asc: only `export const NAME = number`.
export const VNET_FLAGS = 0;
export const VNET_GSO_TYPE = 1;
/** u16: bytes of all headers. A hint that is wrong on forwarded packets, so nobody may trust it. */
export const VNET_HDR_LEN = 2;
/** u16: payload bytes of each packet the super-packet stands for, but the last. */
export const VNET_GSO_SIZE = 4;
/** u16: where checksumming starts, and where, from there, the result goes. Meaningful with NEEDS_CSUM only. */
export const VNET_CSUM_START = 6;
export const VNET_CSUM_OFFSET = 8;
export const VNET_SIZE = 10;

// VIRTIO_NET_HDR_F_*
/** The checksum at start + offset holds only the pseudo-header's sum. */
export const NEEDS_CSUM = 1;

// VIRTIO_NET_HDR_GSO_*
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
/** The super-packet carries CWR; a flag beside the type. */
export const GSO_ECN = 0x80;
