// Packet sockets: addresses, options, and the rings of TPACKET_V3. packet(7); include/uapi/linux/{if_packet,if_arp,if_ether}.h;
// Documentation/networking/packet_mmap.rst. Compiled by tsc and by asc: only `export const NAME = number`.

export const AF_PACKET = 17;
export const ETH_P_ALL = 3;

// struct sockaddr_ll; the protocol is in network order
export const SOCKADDR_LL_PROTOCOL = 2;
/** s32; -1 when the device it was bound to is gone. */
export const SOCKADDR_LL_IFINDEX = 4;
/** u16: ARPHRD_*. */
export const SOCKADDR_LL_HATYPE = 8;
/** u8: PACKET_OUTGOING, or one of several kinds of arrival. */
export const SOCKADDR_LL_PKTTYPE = 10;
export const SOCKADDR_LL_SIZE = 20;

export const PACKET_OUTGOING = 4;

export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 772;

export const SOL_PACKET = 263;
export const PACKET_RX_RING = 5;
export const PACKET_STATISTICS = 6;
export const PACKET_VERSION = 10;
/** int: put a struct virtio_net_hdr before each frame. */
export const PACKET_VNET_HDR = 15;

/** Of PACKET_VERSION. */
export const TPACKET_V3 = 2;

// struct tpacket_req3: u32 each
export const TPACKET_REQ_BLOCK_SIZE = 0;
export const TPACKET_REQ_BLOCK_NR = 4;
export const TPACKET_REQ_FRAME_SIZE = 8;
export const TPACKET_REQ_FRAME_NR = 12;
/** Milliseconds after which a block that is not full is handed over. */
export const TPACKET_REQ_RETIRE_MS = 16;
export const TPACKET_REQ_SIZE = 28;

// struct tpacket_stats_v3: u32 each; the first includes the second
export const TPACKET_STATS_PACKETS = 0;
export const TPACKET_STATS_DROPS = 4;
export const TPACKET_STATS_SIZE = 12;

// struct tpacket_block_desc: u32 each
export const TPACKET_BLOCK_STATUS = 8;
export const TPACKET_BLOCK_PACKETS = 12;
export const TPACKET_BLOCK_FIRST = 16;

/** Of a block: ours until 0 is written there. */
export const TP_STATUS_KERNEL = 0;
export const TP_STATUS_USER = 1;

// struct tpacket3_hdr: u32 each, but for the u16 of TPACKET_MAC
export const TPACKET_NEXT = 0;
export const TPACKET_SECONDS = 4;
export const TPACKET_NANOSECONDS = 8;
export const TPACKET_SNAPLEN = 12;
export const TPACKET_LEN = 16;
/** Where the frame begins; the virtio_net_hdr ends there. */
export const TPACKET_MAC = 24;
/** A struct sockaddr_ll. */
export const TPACKET_ADDRESS = 48;
