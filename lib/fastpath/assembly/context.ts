// The registers of the fast path (docs/adr/0019): all that it keeps from one call to the next beside the tables of abi.ts.
// Each with who sets it and how long it holds; what a function needs beside these comes as a parameter. No other file here
// has a variable (test/fastpath/variables.test.ts).
//
// Fields of classes because a module of AssemblyScript may assign those of another, and so that a reader sees at each use
// where a value lives; they compile to plain wasm globals.
import {
  CHUNKS,
  COUNTER_BLOCK,
  COUNTERS,
  IN_CUTS,
  MAX_SEGMENTS,
  OUT_CUTS,
  PEER_SIZE,
  PEERS,
  SEGMENT_SIZE,
  SEGMENTS,
  TABLES,
} from '../abi';

// --- for the life of the instance ---

/** Where byte 0 of the memory lies in the process. Set once, by setBase (assembly/msghdr.ts). */
export class Base {
  static address: u64 = 0;
}

/** The half of the tables that is read. Set by useTables (tables/fib.ts), between two turns. */
export class Tables {
  static at: usize = TABLES;
  static chunks: usize = CHUNKS;
}

/** How full the learned FDB is. Set by tables/fdb.ts with each entry that comes or goes. */
export class Learned {
  static entries: u32 = 0;
  /** Those beyond their segments' shares. */
  static beyond: u32 = 0;
  /** Where a count (u32) of each segment's own lies. */
  static owned: usize = memory.data((MAX_SEGMENTS + 1) * 4, 4);
}

/** The segment that the last VXLAN datagram was for: the next is mostly for the same. A hint; set by inbound/vxlan.ts. */
export class Latest {
  static segment: u32 = 0;
}

// --- for a turn: until what was staged has been sent or written ---

/** What an outbound turn has staged. Set by outbound/trains.ts; emptied by outboundReset. */
export class Staged {
  static trains: u32 = 0;
  /** The next free piece. */
  static pieces: u32 = 1;
  /** Where the next cut goes. */
  static cuts: usize = OUT_CUTS;
  /** Number of the burst: an entry of OPEN_TRAINS with another is of an earlier one. */
  static stamp: u32 = 1;
}

/** What an inbound turn has to write. Set by inbound/gro-items.ts; emptied by inboundReset. */
export class Items {
  static count: u32 = 0;
  /** The next free piece. */
  static pieces: u32 = 1;
  /** Entries of IN_SNOOPED. */
  static snooped: u32 = 0;
  /** Where the next cut goes. */
  static cuts: usize = IN_CUTS;
  /** An item of an earlier epoch may not be joined: something came after it whose flow is not known. */
  static epoch: u32 = 1;
  /** The item that the packet delivered last has joined; 0: it is the newest itself. For the tap. */
  static joined: usize = 0;
}

/** Errors in ICMP_QUEUE. Set by assembly/icmp.ts; emptied by icmpReset. */
export class IcmpQueue {
  static count: u32 = 0;
}

/** What is recorded (tap.ts). Set by tapSet, between two turns. */
export class Tap {
  static on: bool = false;
  /** One of so many forwarded packets; up to so many bytes of each. */
  static sample: u32 = 0;
  static snap: u32 = 0;
  /** Forwarded packets until the next that is recorded. */
  static left: u32 = 0;
  /** When what recvmmsg brought last had come. Set with the first message. */
  static received: f64 = 0;
}

// --- for a packet ---

/** The packet in hand, for the tap, if that is on. Set by holdFrame and holdDatagram (tap.ts), hold until they are called again. */
export class Held {
  /** TAP_OUT or TAP_IN: which way it goes. */
  static ring: usize = 0;
  /** The IP packet or the frame, as it came. */
  static at: usize = 0;
  static size: u32 = 0;
  /** When it came; 0: the clock was not asked. */
  static time: f64 = 0;
  /** Inbound: who sent it, and the message that it lies in from byte `offset` on, with datagrams of `step` bytes. */
  static name: usize = 0;
  static length: u32 = 0;
  static step: u32 = 0;
  static offset: u32 = 0;
  /** Its record if there is one already, begun before the packet is changed; and where it began. */
  static record: usize = 0;
  static begun: u32 = 0;
  /** Number + 1 of a train with a copy of a flooded frame; 0: none yet. */
  static train: u32 = 0;
}

/** The segment (network) of the packet in hand, number 0 while it is not known. Set by enterSegment, holds until it is called again. */
export class Segment {
  static number: u32 = 0;
  /** Where its record lies. */
  static record: usize = SEGMENTS;
  /** Where its counters lie. */
  static counters: usize = COUNTERS;
}

/** Where staged datagrams go. Set by aim, aimAtMany and setFlow (outbound/trains.ts), hold for all that a frame becomes. */
export class Aim {
  static peer: u32 = 0;
  /** Entries `from` to `to` - 1 of the flood list, instead of `peer`; `to` is 0 when there is one peer only. */
  static from: u32 = 0;
  static to: u32 = 0;
  /** Bytes of encapsulation before what the device gave us: 8 for VXLAN, else 0. */
  static encap: u32 = 0;
  /** Hash of the inner flow: picks the socket. */
  static flow: u32 = 0;
  /** The outer TOS octet. */
  static tos: u32 = 0;
  /** Payload of the packets that a super-packet is cut into now; 0: none is. For the tap. */
  static gsoSize: u32 = 0;
}

/**
 * A super-packet as it will be cut; the names are those of the kernel's skb_shared_info. Set by planCuts (gso.ts), holds
 * until it is called again: while the packet is cut nothing else is planned. Also read by arrived (inbound/source-check.ts).
 */
export class Gso {
  static isTcp: bool = false;
  /** Bytes before the transport header, and before the payload. */
  static transport: u32 = 0;
  static headers: u32 = 0;
  /** Payload of each packet but the last. */
  static size: u32 = 0;
  /** Packets it stands for. */
  static segs: u32 = 0;
  /** Length of the whole packet. */
  static total: u32 = 0;
}

/** How far a cut has come. Set by beginCut and cutNext (gso.ts), holds until the last packet has been cut. */
export class Cut {
  /** The packet whose headers are the template, and how many bytes before it each packet gets too. */
  static template: usize = 0;
  static prefix: u32 = 0;
  /** Of the first packet. */
  static flags: u32 = 0;
  static sequence: u32 = 0;
  static id: u32 = 0;
  /** What all packets share: sums of the template's headers with the fields that differ at zero. */
  static ipSum: u64 = 0;
  static l4Sum: u64 = 0;
  /** Packets cut, and bytes of payload not cut yet. */
  static done: u32 = 0;
  static left: u32 = 0;
}

/** The part of a refused item that is written alone. Set by itemPart, holds until partWritten (inbound/tun-write.ts). */
export class Part {
  static length: u32 = 0;
  static item: u32 = 0;
  static number: u32 = 0;
  /** Where it begins. */
  static at: usize = 0;
}

/** From here on packets are of segment `s`. */
@inline
export function enterSegment(s: u32): void {
  Segment.number = s;
  Segment.record = SEGMENTS + s * SEGMENT_SIZE;
  Segment.counters = COUNTERS + s * COUNTER_BLOCK;
}

@inline
export function count(counter: u32, by: u64): void {
  addAt(Segment.counters + (counter << 3), by);
}

@inline
export function peerAt(peer: u32): usize {
  return PEERS + peer * PEER_SIZE;
}

@inline
export function addAt(at: usize, by: u64): void {
  store<u64>(at, load<u64>(at) + by);
}
