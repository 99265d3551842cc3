// Underlay to overlay: each datagram from the socket becomes an item for the TUN, or a counted drop.
// Twin: test/golden/engine.ts, twinInbound.
import {
  CONFIG_OWN4,
  CONFIG_OWN4_MASK,
  CONFIG_OWN6,
  CONFIG_SOURCE_CHECK,
  COUNTERS,
  COUNT_IN_READS,
  COUNT_IN_RECEIVED,
  COUNT_SOCKET_OVERFLOW,
  DROP_FOREIGN_DESTINATION,
  DROP_SPOOFED_SOURCE,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
  DROP_UNKNOWN_PEER,
  IN_CONTROL,
  IN_CONTROL_SIZE,
  IN_IOVECS,
  IN_MESSAGES,
  IN_NAMES,
  IN_NAME_SIZE,
  IN_SLOTS,
  IN_SLOT_SIZE,
  IOVEC_SIZE,
  MMSGHDR_SIZE,
  PEER_IN_BYTES,
  PEER_IN_PACKETS,
  PEER_PUBLIC4,
} from '../abi';
import { get32, get64 } from './bytes';
import { deliver } from './coalesce';
import { addAt, count, drop, peerAt } from './count';
import { lookup4, lookup6, lookupSource } from './fib';
import { ICMP_TIME_EXCEEDED, icmpError } from './icmp';
import { itemSpace } from './items';
import { IPV4_DESTINATION, IPV4_SOURCE, IPV6_DESTINATION, IPV6_SOURCE } from './layout';
import { checkPacket, decrementTtl, ttlOf } from './packet';
import { absolute } from './trains';

const SOL_SOCKET: u32 = 1;
const SO_RXQ_OVFL: u32 = 40;
const SOL_UDP: u32 = 17;
const UDP_GRO: u32 = 104;
const AF_INET: u32 = 2;
const MSG_TRUNC: u32 = 0x20;
/** The most a datagram or a train brings: 65,507 bytes. */
const SLOT_BYTES: u64 = 65536;

/** Writes `slots` empty mmsghdr for recvmmsg; the kernel overwrites lengths and flags at each call. */
export function inboundPrepare(slots: u32): void {
  for (let i: u32 = 0; i < slots; i++) {
    const iovec = IN_IOVECS + i * IOVEC_SIZE;
    store<u64>(iovec, absolute(IN_SLOTS + i * IN_SLOT_SIZE));
    store<u64>(iovec, SLOT_BYTES, 8);
    const message = IN_MESSAGES + i * MMSGHDR_SIZE;
    store<u64>(message, absolute(IN_NAMES + i * IN_NAME_SIZE));
    store<u64>(message, IN_NAME_SIZE, 8);
    store<u64>(message, absolute(iovec), 16);
    store<u64>(message, 1, 24);
    store<u64>(message, absolute(IN_CONTROL + i * IN_CONTROL_SIZE), 32);
    store<u64>(message, IN_CONTROL_SIZE, 40);
    store<u64>(message, 0, 48);
    store<u64>(message, 0, 56);
  }
}

/** True once a message has been handled to its end. */
export const MESSAGE_DONE: u32 = 0xffffffff;

/** Handles received message `index` from byte `offset` on. Returns MESSAGE_DONE, or where to go on after the items have been written. */
export function inboundMessage(index: u32, offset: u32): u32 {
  const message = IN_MESSAGES + index * MMSGHDR_SIZE;
  const length = load<u32>(message, 56);
  const segment = readControl(message, length);
  const name = IN_NAMES + index * IN_NAME_SIZE;
  const outer = load<u16>(name) == AF_INET ? get32(name + 4) : 0;
  const slot = IN_SLOTS + index * IN_SLOT_SIZE;
  if (offset == 0) {
    count(COUNT_IN_READS, 1);
    if (load<u32>(message, 48) & MSG_TRUNC) {
      count(COUNT_IN_RECEIVED, 1);
      drop(DROP_TRUNCATED, 1);
      return MESSAGE_DONE;
    }
  }
  const known = lookupSource(outer);
  if (length == 0) inboundPacket(slot, 0, outer, known);
  for (; offset < length; offset += segment) {
    if (!itemSpace()) return offset;
    inboundPacket(slot + offset, min(segment, length - offset), outer, known);
  }
  return MESSAGE_DONE;
}

/** The size of a train's datagrams (UDP_GRO), or `length` for a single one; notes the socket's overflow counter. */
function readControl(message: usize, length: u32): u32 {
  let segment = length;
  let at = <usize>(load<u64>(message, 32) - absolute(0));
  const end = at + <usize>load<u64>(message, 40);
  while (at + 16 <= end) {
    const size = <u32>load<u64>(at);
    if (size < 16 || at + size > end) break;
    const level = load<u32>(at, 8);
    const type = load<u32>(at, 12);
    if (level == SOL_UDP && type == UDP_GRO && size >= 20) {
      const gro = load<u32>(at, 16);
      if (gro > 0 && gro < length) segment = gro;
    } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL && size >= 20) {
      store<u64>(COUNTERS + (COUNT_SOCKET_OVERFLOW << 3), load<u32>(at, 16));
    }
    at += (size + 7) & ~7;
  }
  return segment;
}

function inboundPacket(ip: usize, size: u32, outer: u32, known: u32): void {
  count(COUNT_IN_RECEIVED, 1);
  const checked = load<u32>(CONFIG_SOURCE_CHECK) != 0;
  if (checked && known == 0) return drop(DROP_UNKNOWN_PEER, 1);
  const length = checkPacket(ip, size);
  if (length < 0) return drop(<u32>(-1 - length), 1);
  const total = <u32>length;
  let peer: u32;
  let ours: bool;
  if (load<u8>(ip) >> 4 == 4) {
    peer = lookup4(get32(ip + IPV4_SOURCE));
    ours = (get32(ip + IPV4_DESTINATION) & load<u32>(CONFIG_OWN4_MASK)) == load<u32>(CONFIG_OWN4);
  } else {
    peer = lookup6(ip + IPV6_SOURCE);
    ours = isOwn6(ip + IPV6_DESTINATION);
  }
  if (checked) {
    if (peer == 0 || load<u32>(peerAt(peer), PEER_PUBLIC4) != outer) return drop(DROP_SPOOFED_SOURCE, 1);
  } else if (peer == 0) {
    peer = known;
  }
  if (!ours) return drop(DROP_FOREIGN_DESTINATION, 1);
  if (ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, 1);
    icmpError(ip, total, ICMP_TIME_EXCEEDED, 0);
    return;
  }
  if (peer) {
    addAt(peerAt(peer) + PEER_IN_PACKETS, 1);
    addAt(peerAt(peer) + PEER_IN_BYTES, total);
  }
  decrementTtl(ip);
  deliver(ip, total);
}

function isOwn6(at: usize): bool {
  const maskHigh = load<u64>(CONFIG_OWN6, 16);
  if (maskHigh == 0) return false;
  return (
    (get64(at) & maskHigh) == load<u64>(CONFIG_OWN6) &&
    (get64(at + 8) & load<u64>(CONFIG_OWN6, 24)) == load<u64>(CONFIG_OWN6, 8)
  );
}
