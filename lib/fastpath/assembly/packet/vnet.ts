// struct virtio_net_hdr, include/uapi/linux/virtio_net.h; 10 bytes in native byte order.
export const VNET_FLAGS: usize = 0;
export const VNET_GSO_TYPE: usize = 1;
export const VNET_HEADER_LENGTH: usize = 2;
export const VNET_GSO_SIZE: usize = 4;
export const VNET_CSUM_START: usize = 6;
export const VNET_CSUM_OFFSET: usize = 8;
export const VNET_SIZE: u32 = 10;

/** The checksum at start + offset holds only the pseudo-header's sum. */
export const NEEDS_CSUM: u32 = 1;
export const GSO_NONE: u32 = 0;
export const GSO_TCPV4: u32 = 1;
export const GSO_TCPV6: u32 = 4;
export const GSO_UDP_L4: u32 = 5;
/** The super-packet carries CWR; a flag beside the type. */
export const GSO_ECN: u32 = 0x80;
