// The memory of one data-plane queue: what lies where, for the worker, the main thread and the fast path alike.
// Compiled by tsc and by asc: numbers, and expressions of numbers from files of the same kind; no types, no objects.
//
// One fixed-size shared WebAssembly.Memory per queue. It never grows, so its base address never moves (docs/adr/0003).
//
//   0x0000000  AssemblyScript's own constants
//   0x0010000  CONFIG      words the main thread writes, some the worker answers in
//   0x0012000  SEGMENTS    one record a segment: its device, its own addresses
//   0x0016000  COUNTERS    u64 each, a block a segment, written by the worker, read by anyone
//   0x0020000  PEERS       one record a peer
//   0x0220000  TABLES 0, TABLES 1   roots of the FIBs, flood lists, leased FDB; one is read while the other is built
//   0x0400000  CHUNKS 0, CHUNKS 1   what the roots lead to
//   0x1000000  outbound: frames as read, cuts as sent, trains, pieces
//   0x1360000  messages and iovecs for system calls, the tap's blocks, probes of the peer monitor and their answers
//   0x1400000  inbound: items, pieces, datagrams as received (the slots that trains need first)
//   0x1a00000  cuts for a device that takes no super-packets
//   0x1d00000  learned FDB
//   0x1e00000  the tap: records of packets for whoever looks
//
// What every packet needs lies together: 8 MiB are resident, and what few hosts use stays untouched behind.

import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HOST_UNREACHABLE,
  ICMP_NET_UNREACHABLE,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_ADDRESS_UNREACHABLE,
  ICMPV6_NO_ROUTE,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
} from '../wire/layout/icmp.ts';

export const MEMORY_PAGES = 496;

// --- CONFIG (byte offsets of 32-bit words) ---
export const CONFIG = 0x10000;
/** Set to 1 by the main thread; the worker leaves its loop. */
export const CONFIG_STOP = 0x10000;
/** Generation of the newest complete tables. Generation g lives in TABLES g & 1. Written by the main thread. */
export const CONFIG_TABLES_WANTED = 0x10004;
/** Generation the worker reads now. Once it equals CONFIG_TABLES_WANTED the other tables are free. Written by the worker. */
export const CONFIG_TABLES_IN_USE = 0x10008;
/** Raised by the main thread when a segment's device was given or taken; the worker answers with the same number. */
export const CONFIG_DEVICES_WANTED = 0x1000c;
export const CONFIG_DEVICES_IN_USE = 0x10010;
/** 1: outer and inner source of inbound packets are checked. */
export const CONFIG_SOURCE_CHECK = 0x10014;
/** ENCAPSULATION_*. */
export const CONFIG_ENCAPSULATION = 0x10018;
/** Most datagrams in one UDP_SEGMENT send; 1 switches trains off. */
export const CONFIG_MAX_TRAIN = 0x1001c;
/** ICMP errors that may still be sent; refilled by the worker. */
export const CONFIG_ICMP_TOKENS = 0x10020;
/** 1: the outer DSCP is the inner packet's. */
export const CONFIG_TOS_INHERIT = 0x10024;
/** The outer DSCP otherwise, in its place in the TOS octet: DSCP << 2. */
export const CONFIG_TOS = 0x10028;
/** Seconds of a clock that never goes back; written by the worker. Learned addresses are dated with it. */
export const CONFIG_NOW = 0x1002c;
/** After so many seconds without a frame a learned address is forgotten. */
export const CONFIG_AGEING = 0x10030;
/** Raised by the main thread to ask for the neighbours a worker learned; they come as a message. */
export const CONFIG_NEIGHBORS_WANTED = 0x10034;

/**
 * What the tap records (docs/adr/0025): 0: nothing; else bytes of each packet << TAP_SNAP_SHIFT | one of so many forwarded
 * packets. Written by the main thread.
 */
export const CONFIG_TAP = 0x10038;
export const TAP_SNAP_SHIFT = 20;
export const TAP_SAMPLE_MASK = 0xfffff;
/** The sample that stands for none of the packets that are forwarded. */
export const TAP_NONE_FORWARDED = 0xfffff;
/** Probes that the main thread has written into PROBES, and those that the worker has taken from there: counts. */
export const CONFIG_PROBES_WANTED = 0x10100;
export const CONFIG_PROBES_TAKEN = 0x10104;
/** Answers to probes written into PROBE_ANSWERS since the start. */
export const CONFIG_PROBE_ANSWERS = 0x10108;
/** Entries of PROBE_ECHOES. */
export const CONFIG_PROBE_ECHOES = 0x1010c;
/** u64 in network order: the token of our own probes. */
export const CONFIG_PROBE_TOKEN = 0x10110;

// --- STAGES: record i at STAGES + i * STAGE_SIZE, written by the worker, read by anyone. lib/dataplane/stages.ts says what each is ---
export const STAGES = 0x10800;
export const STAGE_SIZE = 160;
/** u32 each: how often the value was from 2^k to below 2^(k+1); 0 and 1 are in the first, all that is larger in the last. */
export const STAGE_BUCKETS = 32;
/** f64 each: sum of the values, how many they are, and the packets they stand for. */
export const STAGE_SUM = 128;
export const STAGE_TURNS = 136;
export const STAGE_PACKETS = 144;
export const STAGE_ASLEEP = 0;
export const STAGE_OUT_WAKE = 1;
export const STAGE_OUT_READ = 2;
export const STAGE_OUT_CODE = 3;
export const STAGE_OUT_SEND = 4;
export const STAGE_OUT_FRAMES = 5;
export const STAGE_IN_WAKE = 6;
export const STAGE_IN_RECEIVE = 7;
export const STAGE_IN_CODE = 8;
export const STAGE_IN_WRITE = 9;
export const STAGE_IN_MESSAGES = 10;
export const STAGE_COUNT = 11;

export const ENCAPSULATION_IP_IN_UDP = 0;
export const ENCAPSULATION_VXLAN = 1;
export const ENCAPSULATION_IPIP = 2;

// --- SEGMENTS: record s at SEGMENTS + s * SEGMENT_SIZE. Record 0 stands for "no segment": only its counters are used ---
export const SEGMENTS = 0x12000;
export const SEGMENT_SIZE = 256;
export const MAX_SEGMENTS = 63;
/** 1: the record is in use. */
export const SEGMENT_USED = 0;
/** Descriptor of the device, -1 without one. */
export const SEGMENT_FD = 4;
/** Bytes of virtio_net_hdr before each packet on the device: 10, or 0 without IFF_VNET_HDR. */
export const SEGMENT_VNET_HEADER = 8;
/** 1: consecutive TCP packets of a flow become one super-packet on the device. */
export const SEGMENT_TUN_GRO = 12;
/** 1: equal-sized UDP datagrams of a flow become one super-packet on the device. */
export const SEGMENT_TUN_USO = 16;
/** Own subnet: address and mask, host order. Mask 0: none. */
export const SEGMENT_OWN4 = 20;
export const SEGMENT_OWN4_MASK = 24;
/** Source address of ICMP's "time exceeded", host order; 0: the network has no IPv4, and no ICMP errors are sent. */
export const SEGMENT_TUNNEL4 = 28;
/** 1: ICMPv6 errors are sent, "time exceeded" from SEGMENT_TUNNEL6. */
export const SEGMENT_HAS_TUNNEL6 = 32;
/** A TAP's VXLAN Network Identifier; 0 for a TUN. */
export const SEGMENT_VNI = 36;
/** Family of the underlay the VNI is for: 4 or 6. */
export const SEGMENT_FAMILY = 40;
/** 1: inner MAC addresses are learned, unknown ones flooded. */
export const SEGMENT_LEARNING = 44;
/** u64: the device's MAC address as a number (lib/addr/mac.ts). */
export const SEGMENT_MAC = 48;
/** u64 each, host order: own IPv6 subnet and its mask, in halves. SEGMENT_OWN6_MASK_HIGH 0: no IPv6 subnet. */
export const SEGMENT_OWN6_HIGH = 56;
export const SEGMENT_OWN6_LOW = 64;
export const SEGMENT_OWN6_MASK_HIGH = 72;
export const SEGMENT_OWN6_MASK_LOW = 80;
/** 16 bytes, network order. */
export const SEGMENT_TUNNEL6 = 88;
/** MTU of the device: what is longer was joined by the kernel before we got it. */
export const SEGMENT_MTU = 104;
/** Number of its network in this daemon; records of the tap name it. */
export const SEGMENT_NETWORK = 108;

// --- COUNTERS: block s of COUNTER_BLOCK bytes; index of a u64 in it. lib/dataplane/counters.ts says what each counts ---
export const COUNTERS = 0x16000;
export const COUNTER_BLOCK = 512;
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
/** In block 0 only: one count for each receiving socket would need a place of its own, so they share. */
export const COUNT_SOCKET_OVERFLOW = 12;
export const COUNT_FLOODED = 13;
export const COUNT_ANSWERED = 14;
export const COUNT_REFUSED_MOVES = 15;
export const COUNT_SHUT_OUT = 16;
export const COUNT_TAP_RECORDS = 17;
export const COUNT_TAP_LOST = 18;
export const COUNT_PROBES_SENT = 56;
export const COUNT_PROBES_ANSWERED = 57;
export const COUNT_PROBES_RECEIVED = 58;
/** First of the drop counters: reason r is counter COUNT_DROPS + r. */
export const COUNT_DROPS = 20;

// --- drop reasons (lib/dataplane/drop.ts) ---
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
export const DROP_BAD_VXLAN_HEADER = 14;
export const DROP_UNKNOWN_VNI = 15;
export const DROP_BAD_SOURCE_MAC = 16;
export const DROP_NO_FDB_ENTRY = 17;
export const DROP_STORM_LIMITED = 18;
export const DROP_BAD_NEIGHBOR_MESSAGE = 19;
export const DROP_ECN_NOT_CAPABLE = 20;

// --- what outboundFrame returns: what became of the frame ---
/** It is staged or dropped. */
export const FRAME_DONE = 0;
/** It goes to all peers, if the limiter agrees: call outboundFlood or outboundDrop. */
export const FRAME_FLOOD = 1;
/** The neighbour table may know the answer; else as FRAME_FLOOD. */
export const FRAME_ASK = 2;

/** What inboundMessage returns once a message has been handled to its end. */
export const MESSAGE_DONE = -1;

// --- ICMP errors: type and code of ICMPv4 in the upper 16 bits, of ICMPv6 in the lower ---
export const ERROR_NET_UNREACHABLE =
  (ICMP_UNREACHABLE << 24) | (ICMP_NET_UNREACHABLE << 16) | (ICMPV6_UNREACHABLE << 8) | ICMPV6_NO_ROUTE;
export const ERROR_HOST_UNREACHABLE =
  (ICMP_UNREACHABLE << 24) | (ICMP_HOST_UNREACHABLE << 16) | (ICMPV6_UNREACHABLE << 8) | ICMPV6_ADDRESS_UNREACHABLE;
export const ERROR_TIME_EXCEEDED = (ICMP_TIME_EXCEEDED << 24) | (ICMPV6_TIME_EXCEEDED << 8);
/** Fragmentation needed (v4), packet too big (v6); the parameter is the next hop's MTU. */
export const ERROR_TOO_BIG =
  (ICMP_UNREACHABLE << 24) | (ICMP_FRAGMENTATION_NEEDED << 16) | (ICMPV6_PACKET_TOO_BIG << 8);

// --- PEERS: record p at PEERS + p * PEER_SIZE; record 0 is never used ---
export const PEERS = 0x20000;
export const PEER_SIZE = 128;
export const MAX_PEERS = 16383;
/** Bytes of the socket address that follows. */
export const PEER_ADDRESS_LENGTH = 0;
export const PEER_SEGMENT = 4;
/** sockaddr_in or sockaddr_in6, as sendmsg wants it. */
export const PEER_ADDRESS = 8;
/** u16 each: number of the first socket to send from, and the mask for the flow hash that picks one. */
export const PEER_SOCKETS = 36;
export const PEER_SOCKET_MASK = 38;
/** Raised when the number is given to another peer: what was learned for the old one stays void (see TABLES_PEERS). */
export const PEER_EPOCH = 40;
/** The most that one datagram to it may hold, in bytes, for the path is narrower than our interface; 0: no such limit. */
export const PEER_MAX_DATAGRAM = 44;
// u64 counters, written by the worker
export const PEER_OUT_PACKETS = 48;
export const PEER_OUT_BYTES = 56;
export const PEER_IN_PACKETS = 64;
export const PEER_IN_BYTES = 72;
/** u64: the leased VtepMAC as a number; 0: none. */
export const PEER_MAC = 80;
/** The device of the peer: IPv4 address in host order (0: none), IPv6 address (zeros: none). */
export const PEER_TUNNEL6 = 88;
export const PEER_TUNNEL4 = 104;
/** Probes that came from it. Written by the worker. */
export const PEER_PROBES = 108;

// --- TABLES: what is replaced as a whole (lib/dataplane/main/tables.ts builds it) ---
export const TABLES = 0x220000;
export const TABLES_SIZE = 0x92000;
/** u16 each: chunk number of the root of FIB `kind` of segment s at (s * FIB_KINDS + kind) * 2. Chunk 0 has no routes. */
export const TABLES_ROOTS = 0;
export const FIB_KINDS = 4;
/** Kinds: inner IPv4, inner IPv6, and the underlay addresses of peers as /32 and /128. */
export const FIB_INNER4 = 0;
export const FIB_INNER6 = 1;
export const FIB_OUTER4 = 2;
export const FIB_OUTER6 = 3;
/** u32 pairs: first entry and number of entries of each segment's list of peers to flood to. */
export const TABLES_FLOOD_INDEX = 0x400;
/** u32 pairs: where each segment's leased FDB begins, from TABLES_FDB on, and its number of buckets less one. */
export const TABLES_FDB_INDEX = 0x800;
/**
 * One bit a peer number, the lowest of a byte first: the tables name it. The record of any other may be given to a peer of
 * another segment at any moment, so what was learned for it is not used.
 */
export const TABLES_PEERS = 0x1000;
/** u16 each: peer numbers. */
export const TABLES_FLOOD = 0x8000;
/**
 * Leased FDBs (lib/fib/layout.ts): buckets of FDB_BUCKET_SLOTS slots, filled from the front; a slot is a u64, MAC address << 16
 * | peer number, 0: free.
 */
export const TABLES_FDB = 0x10000;
/** Of all segments together: a segment takes fewer than it has peers, but one at least. */
export const MAX_FDB_BUCKETS = 16448;

/** FIB entries (lib/fib/layout.ts) of 16 bits in chunks of FIB_CHUNK_ENTRIES. */
export const MAX_CHUNKS = 12287;
export const CHUNKS = 0x400000;
export const CHUNKS_SIZE = 0x600000;

// --- learned FDB: slot i has its key in one table, its history in another. Written by the worker ---
export const LEARNED = 0x1d00000;
export const LEARNED_SLOTS = 32768;
/** Our choice: with half the slots free a miss ends after a few steps. */
export const MAX_LEARNED = 16384;
export const LEARNED_INFO = 0x1d40000;
export const LEARNED_INFO_SIZE = 16;
/** CONFIG_NOW of the last frame. */
export const LEARNED_SEEN = 0;
/** The segment in the bits from LEARNED_SEGMENT_SHIFT on; below, those of the peer's PEER_EPOCH when it was learned. */
export const LEARNED_EPOCH = 4;
export const LEARNED_SEGMENT_SHIFT = 26;
export const LEARNED_EPOCH_MASK = 0x3ffffff;
/** u16 each, they stay at 65,535: moves between VTEPs, and moves that were refused. */
export const LEARNED_MOVES = 8;
export const LEARNED_REFUSED = 10;
/** CONFIG_NOW of the last move. */
export const LEARNED_MOVED = 12;

// --- outbound ---
/** Frames as read from the device, one behind the other. */
export const OUT_FRAMES = 0x1000000;
export const OUT_FRAMES_SIZE = 0x100000;
/** The most one read returns: virtio_net_hdr and 64 KiB. */
export const MAX_FRAME = 0x10040;
/** Packets cut from super-packets, as they go into datagrams. */
export const OUT_CUTS = 0x1100000;
export const OUT_CUTS_SIZE = 0x200000;
/** Trains: equal-sized datagrams for one peer that leave in one message. */
export const OUT_TRAINS = 0x1300000;
export const TRAIN_SIZE = 32;
/** Room for MAX_STAGED_TRAINS (lib/dataplane/worker/outbound.ts) and one super-packet of MAX_GSO_SEGS, each in a train of its own. */
export const MAX_TRAINS = 2048;
export const TRAIN_PEER = 0;
export const TRAIN_GSO_SIZE = 4;
export const TRAIN_BYTES = 8;
export const TRAIN_COUNT = 12;
export const TRAIN_FIRST_PIECE = 16;
export const TRAIN_LAST_PIECE = 20;
export const TRAIN_OPEN = 24;
/** u16: the socket it leaves by, with TRAIN_NARROW if a datagram of it is too long for the path to the peer. */
export const TRAIN_SOCKET = 28;
export const TRAIN_NARROW = 0x80;
/** u8 each: the outer TOS octet, and the bytes of encapsulation with which each datagram begins. */
export const TRAIN_TOS = 30;
export const TRAIN_ENCAP = 31;
/** Newest train of a peer and socket, by a hash of the two. */
export const OPEN_TRAINS = 0x1348000;
export const OPEN_TRAIN_SLOTS = 256;
export const OPEN_TRAIN_SIZE = 16;
/** Peer << 8 | socket. */
export const OPEN_TRAIN_KEY = 0;
/** Of the turn: a slot with another is of an earlier one. */
export const OPEN_TRAIN_STAMP = 4;
export const OPEN_TRAIN_TRAIN = 8;
/** Most packets a super-packet may stand for: 64 KiB at Linux's smallest MSS, 48 bytes (net.ipv4.tcp_min_snd_mss). */
export const MAX_GSO_SEGS = 1400;
/** Pieces: a run of bytes and the number of the next piece (0: none). */
export const OUT_PIECES = 0x1310000;
export const PIECE_SIZE = 16;
export const PIECE_ADDRESS = 0;
export const PIECE_LENGTH = 4;
export const PIECE_NEXT = 8;
export const MAX_PIECES = 4096;
/** ICMP errors waiting to be written to a device: ICMP_SLOTS slots of ICMP_SLOT_SIZE: u32 length of the write, u32 segment, u32 where the write begins. */
export const ICMP_QUEUE = 0x1330000;
export const ICMP_SLOTS = 64;
export const ICMP_SLOT_SIZE = 1408;
export const ICMP_LENGTH = 0;
export const ICMP_SEGMENT = 4;
export const ICMP_START = 8;
/** The IP packet; before it there is room for a virtio_net_hdr and an Ethernet header with two tags. */
export const ICMP_PACKET = 48;
/** A frame that goes to more peers than one turn takes: kept until its last copy has left. */
export const FLOOD_FRAME = 0x1350000;

// --- inbound ---
/** Receive slots; the odd stride keeps neighbours out of each other's cache sets. */
export const IN_SLOTS = 0x1500000;
export const IN_SLOT_SIZE = 0x110c0;
export const MAX_IN_SLOTS = 64;
/** Packets cut from super-packets for a device that takes none. */
export const IN_CUTS = 0x1a00000;
export const IN_CUTS_SIZE = 0x300000;
/** The most one super-packet becomes: 64 KiB and the headers of MAX_GSO_SEGS. */
export const MAX_CUT = 0x80000;
/** Items: what one write to the device carries, a packet or several that were joined. */
export const IN_ITEMS = 0x1400000;
export const ITEM_SIZE = 224;
export const MAX_ITEMS = 4096;
/** The IP packet, or a frame that is not looked into (then ITEM_L2 is 0). */
export const ITEM_PACKET = 0;
/** Bytes of the write from ITEM_PACKET on. */
export const ITEM_LENGTH = 4;
export const ITEM_COUNT = 8;
export const ITEM_GSO_SIZE = 12;
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
/** u16: bytes of Ethernet header before ITEM_PACKET; 0 on a TUN. */
export const ITEM_L2 = 70;
export const ITEM_SEGMENT = 72;
/** 1: the kernel handed over a super-packet, which is written as it is. */
export const ITEM_SUPER = 76;
/** The first packet's headers as they came, to write it alone if the device refuses the joined one. Up to 144 bytes. */
export const ITEM_HEADER_COPY = 80;
export const IN_PIECES = 0x14e0000;
export const MAX_IN_PIECES = 8192;
/** Items that carry ARP or neighbour discovery from a VTEP: u32 each, item number. */
export const IN_SNOOPED = 0x1384000;
export const MAX_SNOOPED = 1024;
/** Newest item of each flow: FLOW_BUCKETS words of item number + 1, 0: none. */
export const IN_FLOWS = 0x1388000;
export const FLOW_BUCKETS = 256;

// --- structures for system calls (lib/linux) ---
/** sendmmsg: one header a train, iovecs behind, control messages behind. */
export const OUT_MESSAGES = 0x1390000;
export const OUT_IOVECS = 0x13b0000;
export const MAX_OUT_IOVECS = 4096;
/** UDP_SEGMENT and IP_TOS. */
export const OUT_CONTROL = 0x1361000;
export const OUT_CONTROL_SIZE = 64;
/** Trains in the order of their messages: u32 each. */
export const OUT_ORDER = 0x1381000;
/** A train sent datagram by datagram, after the kernel refused it whole. */
export const SPLIT_MESSAGES = 0x13c0000;
export const SPLIT_IOVECS = 0x13c2000;
export const SPLIT_CONTROL = 0x13c2800;
/** recvmmsg. */
export const IN_MESSAGES = 0x13c3000;
export const IN_IOVECS = 0x13c4000;
export const IN_NAMES = 0x13c5000;
export const IN_NAME_SIZE = 32;
export const IN_CONTROL = 0x13c6000;
export const IN_CONTROL_SIZE = 128;
/** writev of one item. */
export const WRITE_IOVECS = 0x13c8000;
/** struct pollfd, 8 bytes each: eventfd, receiving sockets, devices. */
export const POLL_FDS = 0x13d0000;
/** One struct pollfd for a rare wait on one socket alone. */
export const WAIT_FD = 0x13d0400;
/** 8 bytes for eventfd reads. */
export const EVENT_VALUE = 0x13d0500;
/** An all-zero virtio_net_hdr. */
export const ZERO_VNET = 0x13d0600;

// --- the tap: a ring of records for each direction, written by the worker, read by whoever serves the readers ---
/** i64: what to add to a record's time, in ns, for CLOCK_REALTIME. Written by the worker while it records. */
export const TAP_CLOCK = 0x1389000;
/** One block a ring. Positions are bytes since the start, modulo 2^32. */
export const TAP_OUT = 0x1389040;
export const TAP_IN = 0x1389140;
/** Behind the newest record that may be read. Written by the worker. */
export const TAP_HEAD = 0;
/** Behind the newest record that was read. Written by the reader; on a line of the cache of its own. */
export const TAP_TAIL = 64;
/** Behind the newest record, which is read when what became of its packet is known. */
export const TAP_STAGED = 128;
/** Where the records lie. */
export const TAP_RING = 132;
export const TAP_RING_SIZE = 0x80000;
/** u32 each: where the newest record lies of a packet in each train, in each item; 0: none. */
export const TAP_TRAINS = 0x138a000;
export const TAP_ITEMS = 0x138c000;
export const TAP_OUT_RING = 0x1e00000;
export const TAP_IN_RING = 0x1e80000;

// A record. It never runs over the end of the ring: one with TAP_PAD fills what is left there.
/** u32: bytes of the record, a multiple of 8. */
export const TAP_SIZE = 0;
/** u8 each: direction (0 out, 1 in), TAP_FORWARDED and so on, drop reason or 255, 1: it came in a super-packet. */
export const TAP_DIRECTION = 4;
export const TAP_VERDICT = 5;
export const TAP_REASON = 6;
export const TAP_SUPER = 7;
/** u16 each: SEGMENT_NETWORK, gso_size. */
export const TAP_NETWORK = 8;
export const TAP_GSO_SIZE = 10;
/** u32 each: length of the packet, packets on the wire that it stands for. */
export const TAP_LENGTH = 12;
export const TAP_PACKETS = 16;
/** u16 each: datagrams of its train, 0: in none; its place among them. */
export const TAP_TRAIN_PACKETS = 20;
export const TAP_TRAIN_INDEX = 22;
/** f64 each, milliseconds of the worker's clock; no time out: 0. */
export const TAP_TIME_IN = 24;
export const TAP_TIME_OUT = 32;
/** u8 each: family of the underlay address, 0: none; 1: a frame, not an IP packet. */
export const TAP_FAMILY = 40;
export const TAP_ETHERNET = 41;
/** u16: bytes of the packet that are there. */
export const TAP_CAPTURED = 42;
/** 16 bytes, network order. */
export const TAP_ADDRESS = 44;
/** u32 each, of the worker alone: the next record of the same train or item, and its place there. */
export const TAP_NEXT = 60;
export const TAP_PART = 64;
export const TAP_BYTES = 72;

export const TAP_FORWARDED = 0;
export const TAP_DROPPED = 1;
export const TAP_FLOODED = 2;
export const TAP_ANSWERED = 3;
export const TAP_PAD = 255;
export const TAP_NO_REASON = 255;
// --- probes (lib/wire/probe.ts): what the main thread wants sent, and what came of it ---
/** Slot n % PROBE_SLOTS is probe n. Written by the main thread. */
export const PROBES = 0x13f0000;
export const PROBE_SLOTS = 128;
export const PROBE_SIZE = 128;
export const PROBE_PEER = 0;
/** PEER_EPOCH: the number may be another's by now. */
export const PROBE_EPOCH = 4;
export const PROBE_SEQUENCE = 8;
/** Bytes from PROBE_BYTES on, with the encapsulation; and how many zeros follow. */
export const PROBE_LENGTH = 12;
export const PROBE_ZEROS = 16;
export const PROBE_BYTES = 24;
/** Slot n % PROBE_ANSWER_SLOTS is answer n. Written by the worker. */
export const PROBE_ANSWERS = 0x13f4000;
export const PROBE_ANSWER_SLOTS = 256;
export const PROBE_ANSWER_SIZE = 32;
/** u32 each; the length is that of the IP packet. */
export const ANSWER_PEER = 0;
export const ANSWER_EPOCH = 4;
export const ANSWER_SEQUENCE = 8;
export const ANSWER_LENGTH = 12;
/** f64: when it came, on the worker's clock, in ms. */
export const ANSWER_TIME = 16;
/** Answers of ours that leave when the turn is over: where the datagram lies, its length, for whom (u32 each). */
export const PROBE_ECHOES = 0x13f6000;
export const MAX_PROBE_ECHOES = 64;
export const PROBE_ECHO_SIZE = 16;
export const ECHO_AT = 0;
export const ECHO_LENGTH = 4;
export const ECHO_PEER = 8;
/** f64 each: when probe n % PROBE_TIME_SLOTS left, on the worker's clock, in ms; 0: it did not. */
export const PROBE_TIMES = 0x13f8000;
export const PROBE_TIME_SLOTS = 4096;
/** f64: the worker's clock as of this turn, in ms. */
export const PROBE_NOW = 0x13f7000;
/** mmsghdr and iovecs of one probe. */
export const PROBE_MESSAGE = 0x13f7040;
export const PROBE_IOVECS = 0x13f7080;
/** 64 KiB that stay 0: the padding of probes. */
export const ZEROS = 0x13e0000;
