// The FDB: which peer is behind a MAC address. Leased addresses come from the main thread (lib/fib/fdb.ts builds the table
// and is the twin of its hash); learned ones are written here, and an address that is leased is never learned.

import { FDB_BUCKET_SLOTS, FDB_MAC_SHIFT, FDB_PEER_MASK } from '../../../fib/layout';
import {
  CONFIG_AGEING,
  CONFIG_NOW,
  COUNT_REFUSED_MOVES,
  LEARNED,
  LEARNED_EPOCH,
  LEARNED_EPOCH_MASK,
  LEARNED_INFO,
  LEARNED_INFO_SIZE,
  LEARNED_MOVED,
  LEARNED_MOVES,
  LEARNED_REFUSED,
  LEARNED_SEEN,
  LEARNED_SEGMENT_SHIFT,
  LEARNED_SLOTS,
  MAX_LEARNED,
  MAX_SEGMENTS,
  PEER_EPOCH,
  PEER_SEGMENT,
  TABLES_FDB,
  TABLES_FDB_INDEX,
  TABLES_FLOOD,
  TABLES_FLOOD_INDEX,
  TABLES_PEERS,
} from '../../abi';
import { count, Learned, peerAt, Segment, Tables } from '../context';

/** Our choice: an address may change its VTEP so many seconds after it did; a pod that moved is found at once, a fight over an address costs nothing. */
const MOVE_INTERVAL: u32 = 1;

const MASK: u32 = LEARNED_SLOTS - 1;

/** Our choice: room for so many addresses is kept for each segment, so that a flood of them in one leaves the others theirs. */
const SHARE: u32 = 64;

/** The MAC address at `at` as a number (lib/addr/mac.ts). Reads two bytes more. */
@inline
export function macAt(at: usize): u64 {
  return bswap<u64>(load<u64>(at)) >> 16;
}

@inline
function hashOf(mac: u64, segment: u32): u32 {
  const high = <u32>(mac >> 32) | (segment << 16);
  const hash = (<u32>mac ^ (high * 0x85ebca6b)) * 0x9e3779b1;
  return hash ^ (hash >> 15);
}

/** The peer whose lease has this VtepMAC in the segment; 0: none. */
export function leasedPeer(mac: u64): u32 {
  const index = Tables.at + TABLES_FDB_INDEX + (Segment.number << 3);
  const table = Tables.at + TABLES_FDB + load<u32>(index);
  const mask = load<u32>(index, 4);
  const key = i64x2.splat(mac);
  for (let bucket = hashOf(mac, 0) & mask; ; bucket = (bucket + 1) & mask) {
    const at = table + bucket * FDB_BUCKET_SLOTS * 8;
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const hit = v128.or(
      v128.and(i64x2.eq(i64x2.shr_u(a, FDB_MAC_SHIFT), key), a),
      v128.and(i64x2.eq(i64x2.shr_u(b, FDB_MAC_SHIFT), key), b),
    );
    const slot = i64x2.extract_lane(hit, 0) | i64x2.extract_lane(hit, 1);
    if (slot) return <u32>(slot & FDB_PEER_MASK);
    // A bucket is filled from the front: one that is not full ends the search.
    if (i64x2.extract_lane(b, 1) == 0 || mask == 0) return 0;
  }
  return 0;
}

/** Slot of a learned address in this segment, or -1 - the free slot where it would go. */
function find(mac: u64): i32 {
  for (let i = hashOf(mac, Segment.number) & MASK; ; i = (i + 1) & MASK) {
    const slot = load<u64>(LEARNED + (i << 3));
    if (slot == 0) return -1 - <i32>i;
    if (slot >> FDB_MAC_SHIFT == mac && segmentOf(i) == Segment.number) return <i32>i;
  }
  return -1;
}

@inline
function infoOf(slot: u32): usize {
  return LEARNED_INFO + slot * LEARNED_INFO_SIZE;
}

/** Not by the peer's record: the peer of a dead entry may belong to another segment by now. */
@inline
function segmentOf(slot: u32): u32 {
  return load<u32>(infoOf(slot), LEARNED_EPOCH) >> LEARNED_SEGMENT_SHIFT;
}

@inline
function stampOf(peer: u32, segment: u32): u32 {
  return (segment << LEARNED_SEGMENT_SHIFT) | (load<u32>(peerAt(peer), PEER_EPOCH) & LEARNED_EPOCH_MASK);
}

/** Do the tables in use name the peer? */
@inline
function isNamed(peer: u32): bool {
  return ((<u32>load<u8>(Tables.at + TABLES_PEERS + (peer >> 3)) >> (peer & 7)) & 1) != 0;
}

@inline
function isAlive(slot: u32, peer: u32): bool {
  const info = infoOf(slot);
  return (
    isNamed(peer) &&
    load<u32>(info, LEARNED_EPOCH) == stampOf(peer, segmentOf(slot)) &&
    load<u32>(CONFIG_NOW) - load<u32>(info, LEARNED_SEEN) <= load<u32>(CONFIG_AGEING)
  );
}

/** The peer behind a MAC address: by its lease, else as learned; 0: not known. */
export function fdbLookup(mac: u64): u32 {
  const leased = leasedPeer(mac);
  if (leased || !Learned.entries) return leased;
  const slot = find(mac);
  if (slot < 0) return 0;
  const peer = <u32>(load<u64>(LEARNED + (slot << 3)) & FDB_PEER_MASK);
  return isAlive(slot, peer) && load<u32>(peerAt(peer), PEER_SEGMENT) == Segment.number ? peer : 0;
}

/** Notes that `mac`, which no lease has, was seen behind `peer`. A claim of another VTEP too soon after the last is refused. */
export function learn(mac: u64, peer: u32): void {
  const now = load<u32>(CONFIG_NOW);
  let slot = find(mac);
  if (slot < 0) {
    if (!takeRoom()) return;
    slot = -1 - slot;
    store<u64>(infoOf(slot), 0, LEARNED_MOVES);
    writeEntry(slot, mac, peer, now);
    return;
  }
  const info = infoOf(slot);
  const before = <u32>(load<u64>(LEARNED + (slot << 3)) & FDB_PEER_MASK);
  if (before == peer || !isAlive(slot, before)) return writeEntry(slot, mac, peer, now);
  if (now - load<u32>(info, LEARNED_MOVED) < MOVE_INTERVAL && load<u16>(info, LEARNED_MOVES)) {
    countUp(info + LEARNED_REFUSED);
    return count(COUNT_REFUSED_MOVES, 1);
  }
  countUp(info + LEARNED_MOVES);
  store<u32>(info, now, LEARNED_MOVED);
  writeEntry(slot, mac, peer, now);
}

/** Counts one more entry of the segment in hand, if there is room. */
function takeRoom(): bool {
  const own = Learned.owned + (Segment.number << 2);
  const entries = load<u32>(own);
  if (entries >= SHARE) {
    if (Learned.beyond >= <u32>MAX_LEARNED - <u32>MAX_SEGMENTS * SHARE) return false;
    Learned.beyond++;
  }
  store<u32>(own, entries + 1);
  Learned.entries++;
  return true;
}

function giveRoom(s: u32): void {
  const own = Learned.owned + (s << 2);
  const entries = load<u32>(own) - 1;
  if (entries >= SHARE) Learned.beyond--;
  store<u32>(own, entries);
  Learned.entries--;
}

@inline
function writeEntry(slot: u32, mac: u64, peer: u32, now: u32): void {
  const info = infoOf(slot);
  store<u32>(info, now, LEARNED_SEEN);
  store<u32>(info, stampOf(peer, Segment.number), LEARNED_EPOCH);
  store<u64>(LEARNED + (slot << 3), (mac << FDB_MAC_SHIFT) | <u64>peer);
}

@inline
function countUp(at: usize): void {
  const value = load<u16>(at);
  if (value != 0xffff) store<u16>(at, value + 1);
}

/** Removes what has aged or whose peer has gone. Call about once a second. */
export function fdbSweep(): void {
  if (!Learned.entries) return;
  for (let i: u32 = 0; i < <u32>LEARNED_SLOTS; ) {
    const slot = load<u64>(LEARNED + (i << 3));
    const peer = <u32>(slot & FDB_PEER_MASK);
    if (slot == 0 || isAlive(i, peer)) i++;
    else remove(i);
  }
}

/** Forgets everything learned in the segment. */
export function fdbForget(): void {
  for (let i: u32 = 0; i < <u32>LEARNED_SLOTS; ) {
    if (load<u64>(LEARNED + (i << 3)) && segmentOf(i) == Segment.number) remove(i);
    else i++;
  }
}

/** Frees a slot and closes the gap: entries behind it that could not have their own slot move up. The next entry may be here afterwards. */
function remove(slot: u32): void {
  giveRoom(segmentOf(slot));
  let gap = slot;
  for (let i = (slot + 1) & MASK; ; i = (i + 1) & MASK) {
    const entry = load<u64>(LEARNED + (i << 3));
    if (entry == 0) break;
    const home = hashOf(entry >> FDB_MAC_SHIFT, segmentOf(i));
    // It may move up unless its home lies behind the gap.
    if (((i - home) & MASK) < ((i - gap) & MASK)) continue;
    store<u64>(LEARNED + (gap << 3), entry);
    memory.copy(infoOf(gap), infoOf(i), LEARNED_INFO_SIZE);
    gap = i;
  }
  store<u64>(LEARNED + (gap << 3), 0);
}

/** Peers to flood to in the segment in hand, and entry `i` of their list. */
export function floodCount(): u32 {
  return load<u32>(Tables.at + TABLES_FLOOD_INDEX + (Segment.number << 3), 4);
}

@inline
export function floodPeer(i: u32): u32 {
  return <u32>(
    load<u16>(Tables.at + TABLES_FLOOD + ((load<u32>(Tables.at + TABLES_FLOOD_INDEX + (Segment.number << 3)) + i) << 1))
  );
}

/** For the benchmark: looks up `n` addresses (u64 each) at `at` and returns the sum of the answers. */
export function fdbLookupMany(at: usize, n: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < n; i++) sum += fdbLookup(load<u64>(at + (i << 3)));
  return sum;
}
