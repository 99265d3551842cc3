// Underlay to overlay: each datagram from a socket becomes an item for a device, or a counted drop.
// Twins: test/golden/engine.ts, twinInbound; test/golden/vxlan-engine.ts for VXLAN (inbound/vxlan.ts).
import {
  CONFIG_ENCAPSULATION,
  CONFIG_SOURCE_CHECK,
  COUNTERS,
  COUNT_IN_READS,
  COUNT_IN_RECEIVED,
  COUNT_SOCKET_OVERFLOW,
  DROP_ECN_NOT_CAPABLE,
  DROP_FOREIGN_DESTINATION,
  DROP_SPOOFED_SOURCE,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
  DROP_UNKNOWN_PEER,
  ENCAPSULATION_IPIP,
  ENCAPSULATION_IP_IN_UDP,
  ENCAPSULATION_VXLAN,
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
  SEGMENT_OWN4,
  SEGMENT_OWN4_MASK,
  SEGMENT_OWN6,
} from '../../abi';
import { get32, get64 } from '../packet/bytes';
import { deliver } from './gro';
import { addAt, count, drop, enterSegment, peerAt, segment } from '../context';
import { decapEcn } from '../packet/ecn';
import { lookup4, lookup6 } from '../tables/fib';
import { ICMP_TIME_EXCEEDED, icmpError } from '../icmp';
import { datagramToTap, isOneFrame } from './vxlan';
import { itemSpace } from './gro-items';
import { IPV4_DESTINATION, IPV4_HEADER_MIN, IPV4_SOURCE, IPV4_TOS, IPV6_DESTINATION, IPV6_SOURCE } from '../packet/layout';
import { isFrom, outerPeer } from './source-check';
import { checkPacket, decrementTtl, ttlOf } from '../packet/packet';
import { headerLength } from '../gso';
import { tellSize } from './super-packet';
import { absolute } from '../outbound/trains';

const SOL_SOCKET: u32 = 1;
const SO_RXQ_OVFL: u32 = 40;
const SOL_UDP: u32 = 17;
const UDP_GRO: u32 = 104;
const IPPROTO_IP: u32 = 0;
const IP_TOS: u32 = 1;
const IPPROTO_IPV6: u32 = 41;
const IPV6_TCLASS: u32 = 67;
const MSG_TRUNC: u32 = 0x20;
/** The most a datagram or a train brings, and for a raw socket the outer header: 65,535 bytes. */
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

/** Of the message in work: size of its datagrams, and the outer TOS octet. */
let datagramSize: u32 = 0;
let outerTos: u32 = 0;

/** Handles received message `index` from byte `offset` on. Returns MESSAGE_DONE, or where to go on after the items have been written. */
export function inboundMessage(index: u32, offset: u32): u32 {
  const message = IN_MESSAGES + index * MMSGHDR_SIZE;
  const length = load<u32>(message, 56);
  const encapsulation = load<u32>(CONFIG_ENCAPSULATION);
  // A TUN's engine has one segment; which one a VXLAN datagram is for, its VNI says.
  enterSegment(encapsulation == ENCAPSULATION_VXLAN ? 0 : 1);
  readControl(message, length);
  const name = IN_NAMES + index * IN_NAME_SIZE;
  const slot = IN_SLOTS + index * IN_SLOT_SIZE;
  if (offset == 0) {
    count(COUNT_IN_READS, 1);
    if (load<u32>(message, 48) & MSG_TRUNC) {
      count(COUNT_IN_RECEIVED, 1);
      drop(DROP_TRUNCATED, 1);
      return MESSAGE_DONE;
    }
  }
  if (encapsulation == ENCAPSULATION_IPIP) {
    if (!itemSpace()) return offset;
    tellSize(0);
    ipipPacket(slot, length, name);
    return MESSAGE_DONE;
  }
  tellSize(0);
  if (encapsulation == ENCAPSULATION_VXLAN && offset == 0 && datagramSize < length && isOneFrame(slot, length)) {
    // What the kernel tells is the size of the inner segments: this is no train.
    tellSize(datagramSize);
    datagramSize = length;
  }
  const known = encapsulation == ENCAPSULATION_VXLAN ? 0 : outerPeer(name);
  do {
    if (!itemSpace()) return offset;
    const size = min(datagramSize, length - offset);
    if (encapsulation == ENCAPSULATION_VXLAN) datagramToTap(slot + offset, size, name, outerTos);
    else packetToTun(slot + offset, size, name, known, outerTos);
    offset += datagramSize;
  } while (offset < length);
  return MESSAGE_DONE;
}

/** Notes the size of a train's datagrams (UDP_GRO), the outer TOS octet, and the socket's overflow counter. */
function readControl(message: usize, length: u32): void {
  datagramSize = length;
  outerTos = 0;
  let at = <usize>(load<u64>(message, 32) - absolute(0));
  const end = at + <usize>load<u64>(message, 40);
  while (at + 16 <= end) {
    const size = <u32>load<u64>(at);
    if (size < 17 || at + size > end) break;
    const level = load<u32>(at, 8);
    const type = load<u32>(at, 12);
    if (level == SOL_UDP && type == UDP_GRO && size >= 20) {
      const gro = load<u32>(at, 16);
      if (gro > 0 && gro < length) datagramSize = gro;
    } else if ((level == IPPROTO_IP && type == IP_TOS) || (level == IPPROTO_IPV6 && type == IPV6_TCLASS)) {
      outerTos = load<u8>(at, 16);
    } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL && size >= 20) {
      store<u64>(COUNTERS + (COUNT_SOCKET_OVERFLOW << 3), load<u32>(at, 16));
    }
    at += (size + 7) & ~7;
  }
}

/** A raw socket hands over the outer IPv4 header too (raw(7)); the kernel has checked it. */
function ipipPacket(outer: usize, size: u32, name: usize): void {
  const header = (<u32>load<u8>(outer) & 15) << 2;
  if (size < <u32>IPV4_HEADER_MIN || header > size) {
    count(COUNT_IN_RECEIVED, 1);
    return drop(DROP_TRUNCATED, 1);
  }
  packetToTun(outer + header, size - header, name, outerPeer(name), load<u8>(outer, IPV4_TOS));
}

function packetToTun(ip: usize, size: u32, name: usize, known: u32, tos: u32): void {
  count(COUNT_IN_RECEIVED, 1);
  const checked = load<u32>(CONFIG_SOURCE_CHECK) != 0;
  if (checked && known == 0) return drop(DROP_UNKNOWN_PEER, 1);
  const length = checkPacket(ip, size);
  if (length < 0) return drop(<u32>(-1 - length), 1);
  const total = <u32>length;
  let peer = peerOfSource(ip);
  if (checked) {
    if (peer == 0 || !isFrom(peer, name)) return drop(DROP_SPOOFED_SOURCE, 1);
  } else if (peer == 0) {
    peer = known;
  }
  if (!isForUs(ip)) return drop(DROP_FOREIGN_DESTINATION, 1);
  const isHop = load<u32>(CONFIG_ENCAPSULATION) == ENCAPSULATION_IP_IN_UDP;
  if (isHop && ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, 1);
    icmpError(ip, total, ICMP_TIME_EXCEEDED, 0);
    return;
  }
  if (!decapEcn(ip, tos)) return drop(DROP_ECN_NOT_CAPABLE, 1);
  if (isHop) decrementTtl(ip);
  arrived(peer, deliver(ip, total, 0, total), total, 0);
}

/** Counts what `deliver` made `packets` of: `size` bytes behind `l2` bytes of Ethernet header, from `peer` if it is known. */
export function arrived(peer: u32, packets: u32, size: u32, l2: u32): void {
  // A super-packet has been counted as one.
  if (packets > 1) count(COUNT_IN_RECEIVED, packets - 1);
  if (!peer) return;
  addAt(peerAt(peer) + PEER_IN_PACKETS, packets);
  addAt(peerAt(peer) + PEER_IN_BYTES, l2 + size + (packets > 1 ? (packets - 1) * (l2 + headerLength) : 0));
}

/** The peer whose lease the source of a checked packet lies in; 0: none. */
export function peerOfSource(ip: usize): u32 {
  return load<u8>(ip) >> 4 == 4 ? lookup4(get32(ip + IPV4_SOURCE)) : lookup6(ip + IPV6_SOURCE);
}

/** Does the destination of a checked packet lie in the own lease? */
export function isForUs(ip: usize): bool {
  if (load<u8>(ip) >> 4 == 4) {
    const mask = load<u32>(segment, SEGMENT_OWN4_MASK);
    return mask != 0 && (get32(ip + IPV4_DESTINATION) & mask) == load<u32>(segment, SEGMENT_OWN4);
  }
  const own = segment + SEGMENT_OWN6;
  const at = ip + IPV6_DESTINATION;
  const maskHigh = load<u64>(own, 16);
  if (maskHigh == 0) return false;
  return (
    (get64(at) & maskHigh) == load<u64>(own) && (get64(at + 8) & load<u64>(own, 24)) == load<u64>(own, 8)
  );
}
