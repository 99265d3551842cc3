// The tap (docs/adr/0025): records of packets in a ring for each direction, for another thread to read. While it is off, a
// packet costs a look at Tap.on here and there. While it is on, nothing here waits: where there is no room, the record is
// lost, and counted.
//
// A record is begun when a packet is held or staged, and published with all others of its turn once the kernel has taken or
// refused what they became. Its bytes are those that the outer datagram carries; of a dropped packet, those that were read.
import { AF_INET, SOCKADDR_FAMILY, SOCKADDR_IN_ADDR, SOCKADDR_IN6_ADDR } from '../../linux/sockaddr';
import {
  CONFIG_ENCAPSULATION,
  COUNT_TAP_LOST,
  COUNT_TAP_RECORDS,
  ENCAPSULATION_VXLAN,
  IN_ITEMS,
  ITEM_COUNT,
  ITEM_SIZE,
  MAX_ITEMS,
  MAX_TRAINS,
  SEGMENT_NETWORK,
  TAP_ADDRESS,
  TAP_ANSWERED,
  TAP_BYTES,
  TAP_CAPTURED,
  TAP_DIRECTION,
  TAP_DROPPED,
  TAP_ETHERNET,
  TAP_FAMILY,
  TAP_FLOODED,
  TAP_FORWARDED,
  TAP_GSO_SIZE,
  TAP_HEAD,
  TAP_IN,
  TAP_IN_RING,
  TAP_ITEMS,
  TAP_LENGTH,
  TAP_NETWORK,
  TAP_NEXT,
  TAP_NO_REASON,
  TAP_OUT,
  TAP_OUT_RING,
  TAP_PACKETS,
  TAP_PAD,
  TAP_PART,
  TAP_REASON,
  TAP_RING,
  TAP_RING_SIZE,
  TAP_SAMPLE_MASK,
  TAP_SIZE,
  TAP_SNAP_SHIFT,
  TAP_STAGED,
  TAP_SUPER,
  TAP_TAIL,
  TAP_TIME_IN,
  TAP_TIME_OUT,
  TAP_TRAIN_INDEX,
  TAP_TRAIN_PACKETS,
  TAP_TRAINS,
  TAP_VERDICT,
} from '../abi';
import { count, enterSegment, Gso, Held, Items, Segment, Tap } from './context';

/** Milliseconds of a clock that never goes back; of the worker, who alone can ask for it. */
@external('env', 'now')
declare function now(): f64;

/** What is longer may stand for several packets, any of which may be the next to record. */
const MAYBE_SEVERAL: u32 = 2048;
/** Of a record that is of no packet of a train in particular. */
const NO_PART: u32 = 0xffffffff;

/** Begins to record, or stops: `wanted` is CONFIG_TAP (abi.ts). Call between two turns, when nothing is staged. */
export function tapSet(wanted: u32): void {
  Tap.on = wanted != 0;
  Tap.sample = wanted & TAP_SAMPLE_MASK;
  Tap.snap = wanted >> TAP_SNAP_SHIFT;
  Tap.left = Tap.sample;
  store<u32>(TAP_OUT, TAP_OUT_RING, TAP_RING);
  store<u32>(TAP_IN, TAP_IN_RING, TAP_RING);
  memory.fill(TAP_TRAINS, 0, MAX_TRAINS << 2);
  memory.fill(TAP_ITEMS, 0, MAX_ITEMS << 2);
}

/** Lets the reader have what was recorded of `links` trains or items, which are done with. */
function publish(ring: usize, table: usize, links: u32): void {
  memory.fill(table, 0, links << 2);
  atomic.store<u32>(ring + TAP_HEAD, load<u32>(ring, TAP_STAGED));
}

export function publishOutbound(trains: u32): void {
  publish(TAP_OUT, TAP_TRAINS, trains);
}

export function publishInbound(items: u32): void {
  publish(TAP_IN, TAP_ITEMS, items);
}

/** Room for a record with `bytes` bytes of a packet; 0: none, the record is lost. */
function reserve(ring: usize, bytes: u32): usize {
  const size = (TAP_BYTES + bytes + 7) & ~7;
  let staged = load<u32>(ring, TAP_STAGED);
  const at = staged & (TAP_RING_SIZE - 1);
  const toEnd = TAP_RING_SIZE - at;
  const pad: u32 = toEnd < size ? toEnd : 0;
  if (pad + size > <u32>TAP_RING_SIZE - (staged - atomic.load<u32>(ring + TAP_TAIL))) {
    return 0;
  }
  const base = <usize>load<u32>(ring, TAP_RING);
  let record = base + at;
  if (pad) {
    store<u32>(record, pad, TAP_SIZE);
    store<u8>(record, TAP_PAD, TAP_DIRECTION);
    record = base;
    staged += pad;
  }
  store<u32>(record, size, TAP_SIZE);
  store<u32>(ring, staged + size, TAP_STAGED);
  return record;
}

/** Begins the record of a packet of the segment in hand; 0: it is lost. */
function begin(ring: usize, at: usize, size: u32, verdict: u32, time: f64): usize {
  const bytes = min(size, Tap.snap);
  const record = reserve(ring, bytes);
  if (!record) return 0;
  store<u8>(record, ring == TAP_OUT ? 0 : 1, TAP_DIRECTION);
  store<u8>(record, <u8>verdict, TAP_VERDICT);
  store<u8>(record, TAP_NO_REASON, TAP_REASON);
  store<u8>(record, 0, TAP_SUPER);
  store<u16>(record, <u16>load<u32>(Segment.record, SEGMENT_NETWORK), TAP_NETWORK);
  store<u16>(record, 0, TAP_GSO_SIZE);
  store<u32>(record, size, TAP_LENGTH);
  store<u32>(record, 1, TAP_PACKETS);
  store<u32>(record, 0, TAP_TRAIN_PACKETS);
  store<f64>(record, time, TAP_TIME_IN);
  store<f64>(record, 0, TAP_TIME_OUT);
  store<u8>(record, 0, TAP_FAMILY);
  store<u8>(record, load<u32>(CONFIG_ENCAPSULATION) == ENCAPSULATION_VXLAN ? 1 : 0, TAP_ETHERNET);
  store<u16>(record, <u16>bytes, TAP_CAPTURED);
  store<u32>(record, 0, TAP_NEXT);
  store<u32>(record, NO_PART, TAP_PART);
  memory.copy(record + TAP_BYTES, at, bytes);
  return record;
}

/** As begin, and counted. */
function record(ring: usize, at: usize, size: u32, verdict: u32, time: f64): usize {
  const begun = begin(ring, at, size, verdict, time);
  count(begun ? COUNT_TAP_RECORDS : COUNT_TAP_LOST, 1);
  return begun;
}

/** Names the address of a sockaddr. */
function putAddress(record: usize, name: usize): void {
  if (<u32>load<u16>(name, SOCKADDR_FAMILY) == AF_INET) {
    store<u8>(record, 4, TAP_FAMILY);
    store<u32>(record, load<u32>(name, SOCKADDR_IN_ADDR), TAP_ADDRESS);
  } else {
    store<u8>(record, 6, TAP_FAMILY);
    store<u64>(record, load<u64>(name, SOCKADDR_IN6_ADDR), TAP_ADDRESS);
    store<u64>(record, load<u64>(name, SOCKADDR_IN6_ADDR + 8), TAP_ADDRESS + 8);
  }
}

function putSuper(record: usize, gsoSize: u32): void {
  store<u8>(record, 1, TAP_SUPER);
  store<u16>(record, <u16>gsoSize, TAP_GSO_SIZE);
}

/** Its packet was not forwarded after all. What a flooded frame met on one of its ways does not make it a dropped one. */
function putReason(record: usize, reason: u32): void {
  if (load<u8>(record, TAP_VERDICT) == TAP_FLOODED) return;
  store<u8>(record, TAP_DROPPED, TAP_VERDICT);
  store<u8>(record, <u8>reason, TAP_REASON);
}

// --- the packet in hand ---

/** A frame was read from the device. */
export function holdFrame(at: usize, size: u32): void {
  Held.ring = TAP_OUT;
  Held.at = at;
  Held.size = size;
  Held.record = 0;
  Held.time = Tap.left == 1 || size > MAYBE_SEVERAL ? now() : 0;
}

/** The first of the messages that were received together is looked at. */
export function holdReceived(): void {
  Tap.received = now();
}

/** What lies in byte `offset` on of a message of `length` bytes, datagrams of `step` bytes from the sockaddr at `name`. */
export function holdDatagram(at: usize, size: u32, name: usize, length: u32, step: u32, offset: u32): void {
  Held.ring = TAP_IN;
  Held.at = at;
  Held.size = size;
  Held.name = name;
  Held.length = length;
  Held.step = step;
  Held.offset = offset;
  Held.time = Tap.received;
  Held.begun = load<u32>(TAP_IN, TAP_STAGED);
  // The packet will be changed before it is known what becomes of it. Its network is not known yet either.
  Held.record = Tap.left == 1 || size > MAYBE_SEVERAL ? begin(TAP_IN, at, size, TAP_FORWARDED, Tap.received) : 0;
}

/** The record of the packet in hand, begun now if it was not before. */
function recordHeld(verdict: u32): usize {
  if (Held.time == 0) Held.time = now();
  let held = Held.record;
  if (held) {
    store<u8>(held, <u8>verdict, TAP_VERDICT);
    store<u16>(held, <u16>load<u32>(Segment.record, SEGMENT_NETWORK), TAP_NETWORK);
    Held.record = 0;
    count(COUNT_TAP_RECORDS, 1);
  } else {
    held = record(Held.ring, Held.at, Held.size, verdict, Held.time);
    if (!held) return 0;
  }
  if (Held.ring == TAP_IN) {
    putAddress(held, Held.name);
    if (Held.step < Held.length) {
      store<u16>(held, <u16>((Held.length + Held.step - 1) / Held.step), TAP_TRAIN_PACKETS);
      store<u16>(held, <u16>(Held.offset / Held.step), TAP_TRAIN_INDEX);
    }
  }
  return held;
}

/** The packet in hand, which stands for `packets`, is dropped. */
export function recordDrop(reason: u32, packets: u32): void {
  const held = recordHeld(TAP_DROPPED);
  if (!held) return;
  store<u8>(held, <u8>reason, TAP_REASON);
  store<u32>(held, packets, TAP_PACKETS);
  if (packets > 1) store<u8>(held, 1, TAP_SUPER);
}

/** The packet in hand goes to the device, as (a part of) the newest item or of the one it joined; it stands for `packets`. */
export function recordArrival(packets: u32): void {
  if (Tap.left > packets || Tap.sample == TAP_SAMPLE_MASK) {
    if (Tap.sample != TAP_SAMPLE_MASK) Tap.left -= packets;
    forget();
    return;
  }
  Tap.left = Tap.sample;
  const held = recordHeld(TAP_FORWARDED);
  if (!held) return;
  store<u32>(held, packets, TAP_PACKETS);
  if (packets > 1) putSuper(held, Gso.size);
  const joined = Items.joined;
  const item = joined ? <u32>(joined - IN_ITEMS) / <u32>ITEM_SIZE : Items.count - 1;
  link(held, TAP_ITEMS, item, packets > 1 ? NO_PART : joined ? load<u32>(joined, ITEM_COUNT) - 1 : 0);
}

/** The record that was begun is not wanted: nothing was recorded since. */
function forget(): void {
  if (!Held.record) return;
  Held.record = 0;
  store<u32>(TAP_IN, Held.begun, TAP_STAGED);
}

/** The frame in hand goes to all peers, in `copies` datagrams of which the first are in train `train`. */
export function recordFlood(at: usize, size: u32, copies: u32, train: u32): void {
  const flood = record(TAP_OUT, at, size, TAP_FLOODED, Held.time == 0 ? now() : Held.time);
  if (!flood) return;
  store<u32>(flood, copies, TAP_PACKETS);
  link(flood, TAP_TRAINS, train, NO_PART);
}

/** The frame in hand, of segment `s`, was answered in its place. */
export function tapAnswered(s: u32): void {
  if (!Tap.on) return;
  enterSegment(s);
  const answer = recordHeld(TAP_ANSWERED);
  if (answer) store<f64>(answer, now(), TAP_TIME_OUT);
}

// --- outbound: datagrams in trains ---

/** Is the datagram that is staged now one to record? */
@inline
export function isSampled(): bool {
  if (Tap.sample == TAP_SAMPLE_MASK || --Tap.left != 0) return false;
  Tap.left = Tap.sample;
  return true;
}

/**
 * Records packet `part` of train `train` for the sockaddr at `name`, `size` bytes at `at` without the encapsulation. `gsoSize` is that
 * of the super-packet it was cut from, 0: it was none.
 */
export function recordStaged(at: usize, size: u32, name: usize, train: u32, part: u32, gsoSize: u32): void {
  if (Held.time == 0) Held.time = now();
  const staged = record(TAP_OUT, at, size, TAP_FORWARDED, Held.time);
  if (!staged) return;
  putAddress(staged, name);
  if (gsoSize) putSuper(staged, gsoSize);
  store<u16>(staged, <u16>part, TAP_TRAIN_INDEX);
  link(staged, TAP_TRAINS, train, part);
}

function link(record: usize, table: usize, index: u32, part: u32): void {
  const slot = table + (index << 2);
  store<u32>(record, load<u32>(slot), TAP_NEXT);
  store<u32>(record, part, TAP_PART);
  store<u32>(slot, <u32>record);
}

/** The whole train has been sent, `packets` datagrams. `time`: when, 0: the clock was not asked. Returns it. */
export function recordSent(train: u32, packets: u32, time: f64): f64 {
  let record = <usize>load<u32>(TAP_TRAINS + (train << 2));
  if (!record) return time;
  if (time == 0) time = now();
  for (; record; record = load<u32>(record, TAP_NEXT)) {
    store<f64>(record, time, TAP_TIME_OUT);
    if (load<u32>(record, TAP_PART) != NO_PART) store<u16>(record, <u16>packets, TAP_TRAIN_PACKETS);
  }
  return time;
}

/** Datagram `part` of the train has been sent alone. */
export function recordSplitSent(train: u32, part: u32): void {
  const record = partOf(TAP_TRAINS, train, part);
  if (record) store<f64>(record, now(), TAP_TIME_OUT);
}

/** The kernel refused datagram `part` of the train, `size` bytes at `at` without the encapsulation, for the sockaddr at `name`. */
export function recordRefused(train: u32, part: u32, reason: u32, at: usize, size: u32, name: usize): void {
  let refused = partOf(TAP_TRAINS, train, part);
  if (!refused) {
    refused = record(TAP_OUT, at, size, TAP_DROPPED, now());
    if (!refused) return;
    putAddress(refused, name);
  }
  putReason(refused, reason);
}

/** The record of packet `part` in the list of train or item `index`; 0: it has none. */
function partOf(table: usize, index: u32, part: u32): usize {
  let record = <usize>load<u32>(table + (index << 2));
  while (record && load<u32>(record, TAP_PART) != part) record = load<u32>(record, TAP_NEXT);
  return record;
}

// --- inbound: packets in items ---

/** The item has been written. */
export function recordWritten(item: u32): void {
  let record = <usize>load<u32>(TAP_ITEMS + (item << 2));
  if (!record) return;
  const time = now();
  for (; record; record = load<u32>(record, TAP_NEXT)) store<f64>(record, time, TAP_TIME_OUT);
}

/** The device refused the item of `packets` packets, `size` bytes at `at`. */
export function recordItemRefused(item: u32, packets: u32, reason: u32, at: usize, size: u32): void {
  let record = <usize>load<u32>(TAP_ITEMS + (item << 2));
  for (; record; record = load<u32>(record, TAP_NEXT)) {
    putReason(record, reason);
    packets -= min(packets, load<u32>(record, TAP_PACKETS));
  }
  if (packets) recordLate(packets, reason, at, size);
}

/** Packet `part` of the item was written alone, or refused: `reason`, or TAP_NO_REASON; `size` bytes at `at`. */
export function recordPart(item: u32, part: u32, reason: u32, at: usize, size: u32): void {
  let record = partOf(TAP_ITEMS, item, part);
  if (!record) record = partOf(TAP_ITEMS, item, NO_PART);
  if (reason == <u32>TAP_NO_REASON) {
    if (record) store<f64>(record, now(), TAP_TIME_OUT);
  } else if (record) putReason(record, reason);
  else recordLate(1, reason, at, size);
}

function recordLate(packets: u32, reason: u32, at: usize, size: u32): void {
  const late = record(TAP_IN, at, size, TAP_DROPPED, now());
  if (!late) return;
  store<u8>(late, <u8>reason, TAP_REASON);
  store<u32>(late, packets, TAP_PACKETS);
}
