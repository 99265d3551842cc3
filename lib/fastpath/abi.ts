// The memory of one data-plane queue: what lies where, for the worker, the main thread and the packet kernels alike.
// Compiled by tsc and by asc: only `export const NAME = number`, no types, no objects.
//
// One fixed-size shared WebAssembly.Memory per queue. It never grows, so its base address never moves (docs/adr/0003).
//
//   0x0000000  AssemblyScript's own constants
//   0x0010000  CONFIG      words the main thread writes, some the worker answers in
//   0x0011000  COUNTERS    u64 each, written by the worker, read by anyone
//   0x0020000  PEERS       one record a peer
//   0x0220000  FIB 0, FIB 1   roots; one is read while the other is built
//   0x0400000  CHUNKS 0, CHUNKS 1
//   0x1000000  outbound: frames as read, segments as sent, trains, pieces
//   0x1800000  inbound: datagrams as received, items, pieces
//   0x1e00000  what system calls read: iovec, msghdr, control messages, pollfd

export const MEMORY_PAGES = 512;

// --- CONFIG (byte offsets of 32-bit words unless said) ---
export const CONFIG = 0x10000;
/** Set to 1 by the main thread; the worker leaves its loop. */
export const CONFIG_STOP = 0x10000;
/** Generation of the newest complete FIB. Generation g lives in FIB g & 1. Written by the main thread. */
export const CONFIG_FIB_WANTED = 0x10004;
/** Generation the worker reads now. Once it equals CONFIG_FIB_WANTED the other FIB is free. Written by the worker. */
export const CONFIG_FIB_IN_USE = 0x10008;
/** 1: outer and inner source of inbound packets are checked. */
export const CONFIG_SOURCE_CHECK = 0x1000c;
/** Own subnet: address and mask, host order. */
export const CONFIG_OWN4 = 0x10010;
export const CONFIG_OWN4_MASK = 0x10014;
/** Source address of ICMP errors, host order; 0 sends none. */
export const CONFIG_TUNNEL4 = 0x10018;
/** 1: ICMPv6 errors are sent from CONFIG_TUNNEL6. */
export const CONFIG_HAS_TUNNEL6 = 0x1001c;
/** Four u64, host order: own IPv6 subnet high, low, mask high, mask low. Mask high 0: no IPv6 subnet. */
export const CONFIG_OWN6 = 0x10020;
/** 16 bytes, network order. */
export const CONFIG_TUNNEL6 = 0x10040;
/** Bytes of virtio_net_hdr before each packet on the TUN: 10, or 0 without IFF_VNET_HDR. */
export const CONFIG_VNET_HEADER = 0x10050;
/** Most datagrams in one UDP_SEGMENT send; 1 switches trains off. */
export const CONFIG_MAX_SEGMENTS = 0x10054;
/** 1: consecutive TCP segments become one super-packet on the TUN. */
export const CONFIG_TUN_GRO = 0x10058;
/** 1: equal-sized UDP datagrams of a flow become one super-packet on the TUN. */
export const CONFIG_TUN_USO = 0x1005c;
/** ICMP errors that may still be sent; refilled by the worker. */
export const CONFIG_ICMP_TOKENS = 0x10060;

// --- COUNTERS (index of a u64) ---
export const COUNTERS = 0x11000;
export const COUNT_OUT_RECEIVED = 0;
export const COUNT_OUT_FORWARDED = 1;
export const COUNT_OUT_BYTES = 2;
export const COUNT_OUT_READS = 3;
export const COUNT_OUT_WRITES = 4;
export const COUNT_IN_RECEIVED = 5;
export const COUNT_IN_FORWARDED = 6;
export const COUNT_IN_BYTES = 7;
export const COUNT_IN_READS = 8;
export const COUNT_IN_WRITES = 9;
export const COUNT_ICMP_SENT = 10;
export const COUNT_ICMP_LIMITED = 11;
export const COUNT_SOCKET_OVERFLOW = 12;
/** First of the drop counters: reason r is counter COUNT_DROPS + r (lib/dataplane/drop.ts has the names). */
export const COUNT_DROPS = 16;

// --- drop reasons: index into DROP_REASONS ---
export const DROP_NOT_IP = 0;
export const DROP_TRUNCATED = 1;
export const DROP_BAD_HEADER = 2;
export const DROP_BAD_HEADER_CHECKSUM = 3;
export const DROP_TTL_EXPIRED = 4;
export const DROP_NO_ROUTE = 5;
export const DROP_BAD_OFFLOAD_HEADER = 6;
export const DROP_TOO_BIG = 7;
export const DROP_UNDERLAY_REFUSED = 8;
export const DROP_MULTICAST = 9;
export const DROP_UNKNOWN_PEER = 10;
export const DROP_SPOOFED_SOURCE = 11;
export const DROP_FOREIGN_DESTINATION = 12;
export const DROP_DEVICE_REFUSED = 13;

// --- PEERS: record p at PEERS + p * PEER_SIZE; record 0 is never used ---
export const PEERS = 0x20000;
export const PEER_SIZE = 128;
export const MAX_PEERS = 16383;
/** PublicIP, host order. */
export const PEER_PUBLIC4 = 0;
/** Bytes of the socket address that follows. */
export const PEER_ADDRESS_LENGTH = 4;
/** sockaddr_in or sockaddr_in6, as sendmsg wants it. */
export const PEER_ADDRESS = 8;
/** Worker's own: the train that is open for this peer, valid if the stamp is this burst's. */
export const PEER_OPEN_TRAIN = 40;
export const PEER_TRAIN_STAMP = 44;
// u64 counters, written by the worker
export const PEER_OUT_PACKETS = 48;
export const PEER_OUT_BYTES = 56;
export const PEER_IN_PACKETS = 64;
export const PEER_IN_BYTES = 72;

// --- FIB: 16-bit entries. 0: no route. Top bit clear: peer. Top bit set: chunk number (lib/fib/trie.ts) ---
export const FIB = 0x220000;
export const FIB_SIZE = 0x60000;
/** Roots inside one FIB: inner IPv4, inner IPv6, outer IPv4 sources (PublicIPs as /32). 65,536 entries each. */
export const FIB_ROOT4 = 0;
export const FIB_ROOT6 = 0x20000;
export const FIB_ROOT_SOURCES = 0x40000;
export const FIB_CHUNK_FLAG = 0x8000;
export const FIB_CHUNK_SIZE = 512;
export const MAX_CHUNKS = 12287;
export const CHUNKS = 0x400000;
export const CHUNKS_SIZE = 0x600000;

// --- outbound ---
/** Frames as read from the TUN, one behind the other. */
export const OUT_FRAMES = 0x1000000;
export const OUT_FRAMES_SIZE = 0x100000;
/** The most one read returns: virtio_net_hdr and 64 KiB. */
export const MAX_FRAME = 0x10040;
/** Segments cut from super-packets, as they go into datagrams. */
export const OUT_SEGMENTS = 0x1100000;
export const OUT_SEGMENTS_SIZE = 0x200000;
/** Trains: equal-sized datagrams for one peer that leave in one message. */
export const OUT_TRAINS = 0x1300000;
export const TRAIN_SIZE = 32;
/** Room for FLUSH_TRAINS (lib/dataplane/outbound.ts) and one super-packet of MAX_SUPER_SEGMENTS, each in a train of its own. */
export const MAX_TRAINS = 2048;
export const TRAIN_PEER = 0;
export const TRAIN_SEGMENT_SIZE = 4;
export const TRAIN_BYTES = 8;
export const TRAIN_COUNT = 12;
export const TRAIN_FIRST_PIECE = 16;
export const TRAIN_LAST_PIECE = 20;
export const TRAIN_OPEN = 24;
/** Most packets a super-packet may stand for: 64 KiB at Linux's smallest segment, 48 bytes (net.ipv4.tcp_min_snd_mss). */
export const MAX_SUPER_SEGMENTS = 1400;
/** Pieces: a run of bytes and the number of the next piece (0: none). */
export const OUT_PIECES = 0x1310000;
export const PIECE_SIZE = 16;
export const PIECE_ADDRESS = 0;
export const PIECE_LENGTH = 4;
export const PIECE_NEXT = 8;
export const MAX_PIECES = 4096;
/** ICMP errors waiting to be written to the TUN: ICMP_SLOTS slots of ICMP_SLOT_SIZE, each a u32 length, 12 spare, then the packet at 32 (virtio_net_hdr space before it). */
export const ICMP_QUEUE = 0x1330000;
export const ICMP_SLOTS = 64;
export const ICMP_SLOT_SIZE = 1408;
export const ICMP_PACKET = 32;

// --- inbound ---
/** Receive slots; the odd stride keeps neighbours out of each other's cache sets. */
export const IN_SLOTS = 0x1800000;
export const IN_SLOT_SIZE = 0x110c0;
export const MAX_IN_SLOTS = 32;
/** Items: what one write to the TUN carries, a packet or several that were joined. */
export const IN_ITEMS = 0x1b00000;
export const ITEM_SIZE = 192;
export const MAX_ITEMS = 4096;
export const ITEM_PACKET = 0;
export const ITEM_LENGTH = 4;
export const ITEM_COUNT = 8;
export const ITEM_SEGMENT_SIZE = 12;
export const ITEM_HEADER_LENGTH = 16;
export const ITEM_L4_OFFSET = 20;
export const ITEM_NEXT_SEQ = 24;
/** 0: may not be joined, 1: TCP, 2: UDP. */
export const ITEM_JOINABLE = 28;
/** 0: checksum not looked at, 1: good. */
export const ITEM_VERIFIED = 32;
export const ITEM_FIRST_PIECE = 36;
export const ITEM_LAST_PIECE = 40;
export const ITEM_HASH_NEXT = 44;
export const ITEM_EPOCH = 48;
export const ITEM_PSH = 52;
export const ITEM_PROTOCOL = 56;
/** virtio_net_hdr for the write. */
export const ITEM_VNET = 60;
/** The first packet's headers as they came, to write it alone if the TUN refuses the joined one. Up to 120 bytes. */
export const ITEM_HEADER_COPY = 72;
export const IN_PIECES = 0x1be0000;
export const MAX_IN_PIECES = 8192;
/** Newest item of each flow: FLOW_BUCKETS words of (item number + 1), with the batch's stamp beside it. */
export const IN_FLOWS = 0x1c10000;
export const FLOW_BUCKETS = 256;

// --- structures for system calls (64-bit Linux) ---
export const IOVEC_SIZE = 16;
export const MMSGHDR_SIZE = 64;
/** sendmmsg: one header a train, iovecs behind, control messages behind. */
export const OUT_MESSAGES = 0x1e00000;
export const OUT_IOVECS = 0x1e20000;
export const MAX_OUT_IOVECS = 4096;
export const OUT_CONTROL = 0x1e30000;
export const OUT_CONTROL_SIZE = 32;
/** A train sent datagram by datagram, after the kernel refused it whole. */
export const SPLIT_MESSAGES = 0x1e40000;
export const SPLIT_IOVECS = 0x1e42000;
/** recvmmsg. */
export const IN_MESSAGES = 0x1e43000;
export const IN_IOVECS = 0x1e44000;
export const IN_NAMES = 0x1e45000;
export const IN_NAME_SIZE = 32;
export const IN_CONTROL = 0x1e46000;
export const IN_CONTROL_SIZE = 128;
/** writev of one item. */
export const WRITE_IOVECS = 0x1e48000;
/** struct pollfd, 8 bytes each: TUN, socket, eventfd. */
export const POLL_FDS = 0x1e50000;
/** One struct pollfd for a rare wait on the socket alone. */
export const WAIT_FD = 0x1e50080;
/** 8 bytes for eventfd reads. */
export const EVENT_VALUE = 0x1e50100;
/** An all-zero virtio_net_hdr. */
export const ZERO_VNET = 0x1e50200;
