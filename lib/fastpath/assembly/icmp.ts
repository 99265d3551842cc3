// ICMP errors to the sender of a packet that cannot go on. RFC 1812 §4.3.2, RFC 4443 §2.4.
// They come from whom the packet was for, as the kernel's own VXLAN device has it (net/ipv4/ip_tunnel_core.c): the sender has a
// route to that address by the card it sent from, so neither its reverse-path filter nor a firewall refuses the error. On a TAP
// the frame has the two MAC addresses exchanged.
// "Time exceeded" alone comes from the tunnel's own address, for it says which router a packet has come to; the kernel accepts
// that because the backend sets accept_local.
// Twin: test/golden/tun-twin.ts.
import {
  CONFIG_ICMP_TOKENS,
  COUNT_ICMP_LIMITED,
  COUNT_ICMP_SENT,
  ERROR_TIME_EXCEEDED,
  ICMP_LENGTH,
  ICMP_PACKET,
  ICMP_QUEUE,
  ICMP_SEGMENT,
  ICMP_SLOT_SIZE,
  ICMP_SLOTS,
  ICMP_START,
  SEGMENT_HAS_TUNNEL6,
  SEGMENT_TUNNEL4,
  SEGMENT_TUNNEL6,
  SEGMENT_VNET_HEADER,
} from '../abi';
import { count, IcmpQueue, Segment } from './context';
import { get32, get64, put16, put32 } from './packet/bytes';
import { fold, pseudoSum, sumBytes, word } from './packet/checksum';
import { isGroup } from './packet/ethernet';
import {
  ETHERNET_DESTINATION,
  ETHERNET_SOURCE,
  ICMP_CHECKSUM,
  ICMP_HEADER,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_REST,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_INFORMATIONAL,
  ICMPV6_REDIRECT,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_HEADER_MIN,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV6_DESTINATION,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
} from './packet/layout';
import {
  findTransport,
  isLaterFragment,
  isMulticast4,
  offsetOf,
  PROTOCOL_UNKNOWN,
  protocolOf,
  Transport,
} from './packet/packet';

/** RFC 1812 §4.3.2.3: as much of the packet as fits 576 bytes. */
const MAX_ICMP4: u32 = 576;
/** RFC 4443 §2.4 (c): as much as fits the minimum MTU. */
const MAX_ICMP6: u32 = 1280;
/** Internetwork control, RFC 1812 §4.3.2.5. */
const TOS_CONTROL: u32 = 0xc0;
const OUR_TTL: u32 = 64;

/** Number of ICMP errors that wait in ICMP_QUEUE. */
export function icmpQueued(): u32 {
  return IcmpQueue.count;
}

export function icmpReset(): void {
  IcmpQueue.count = 0;
}

/**
 * Queues the error `what` (abi.ts, ERROR_*) about the packet at `ip`, of the segment in hand, unless rules or the rate limit
 * forbid it. `l2`: bytes of Ethernet header before the packet on a TAP, 0 on a TUN.
 */
export function icmpError(ip: usize, total: u32, what: u32, parameter: u32, l2: u32): void {
  const version = load<u8>(ip) >> 4;
  const t = findTransport(ip, total);
  if (isLaterFragment(t)) return;
  // RFC 1122 §3.2.2, RFC 4443 §2.4 (e.4): nor about what was sent to a group on the link, whatever its IP address is.
  if (l2 && isGroup(ip - l2 + ETHERNET_DESTINATION)) return;
  const isTap = l2 != 0;
  if (version == 4 ? !mayAnswer4(ip, total, t, isTap) : !mayAnswer6(ip, total, t, isTap)) return;
  const tokens = load<u32>(CONFIG_ICMP_TOKENS);
  if (tokens == 0 || IcmpQueue.count == ICMP_SLOTS) {
    count(COUNT_ICMP_LIMITED, 1);
    return;
  }
  store<u32>(CONFIG_ICMP_TOKENS, tokens - 1);
  const fromRouter = what == ERROR_TIME_EXCEEDED;
  const slot = ICMP_QUEUE + IcmpQueue.count * ICMP_SLOT_SIZE;
  IcmpQueue.count++;
  const to = slot + ICMP_PACKET;
  let length =
    version == 4
      ? emit4(to, ip, total, what >> 16, parameter, fromRouter)
      : emit6(to, ip, total, what & 0xffff, parameter, fromRouter);
  if (l2) exchangeAddresses(to - l2, ip - l2, l2);
  const vnet = load<u32>(Segment.record, SEGMENT_VNET_HEADER);
  if (vnet) memory.fill(to - l2 - vnet, 0, vnet);
  length += l2 + vnet;
  store<u32>(slot, length, ICMP_LENGTH);
  store<u32>(slot, Segment.number, ICMP_SEGMENT);
  store<u32>(slot, <u32>(to - l2 - vnet), ICMP_START);
  count(COUNT_ICMP_SENT, 1);
}

/** Writes the Ethernet header at `to` of an answer to the frame at `from`. */
function exchangeAddresses(to: usize, from: usize, length: u32): void {
  memory.copy(to, from, length);
  memory.copy(to + ETHERNET_DESTINATION, from + ETHERNET_SOURCE, 6);
  memory.copy(to + ETHERNET_SOURCE, from + ETHERNET_DESTINATION, 6);
}

/** RFC 1812 §4.3.2.7: never about an ICMP error, nor about anything that no single host sent to a single host. */
function mayAnswer4(ip: usize, total: u32, t: Transport, isTap: bool): bool {
  if (!isTap && load<u32>(Segment.record, SEGMENT_TUNNEL4) == 0) return false;
  const source = get32(ip + IPV4_SOURCE);
  const first = source >> 24;
  if (first == 0 || first == 127 || first >= 224) return false;
  if (isMulticast4(get32(ip + IPV4_DESTINATION))) return false;
  if (protocolOf(t) != IPPROTO_ICMP) return true;
  const at = offsetOf(t);
  if (at >= total) return false;
  const type = <u32>load<u8>(ip + at, ICMP_TYPE);
  return (
    type != ICMP_UNREACHABLE &&
    type != ICMP_SOURCE_QUENCH &&
    type != ICMP_REDIRECT &&
    type != ICMP_TIME_EXCEEDED &&
    type != ICMP_PARAMETER_PROBLEM
  );
}

/** RFC 4443 §2.4 (e). */
function mayAnswer6(ip: usize, total: u32, t: Transport, isTap: bool): bool {
  if (!isTap && load<u32>(Segment.record, SEGMENT_HAS_TUNNEL6) == 0) return false;
  if (load<u8>(ip, IPV6_SOURCE) == 0xff) return false;
  // Unspecified and loopback.
  if (load<u64>(ip, IPV6_SOURCE) == 0 && get64(ip + IPV6_SOURCE + 8) <= 1) return false;
  if (load<u8>(ip, IPV6_DESTINATION) == 0xff) return false;
  if (protocolOf(t) == PROTOCOL_UNKNOWN) return false;
  if (protocolOf(t) != IPPROTO_ICMPV6) return true;
  const at = offsetOf(t);
  if (at >= total) return false;
  const type = <u32>load<u8>(ip + at, ICMP_TYPE);
  return type >= <u32>ICMPV6_INFORMATIONAL && type != ICMPV6_REDIRECT;
}

function emit4(to: usize, ip: usize, total: u32, typeCode: u32, parameter: u32, fromRouter: bool): u32 {
  const quoted = min(total, MAX_ICMP4 - IPV4_HEADER_MIN - ICMP_HEADER);
  const length = IPV4_HEADER_MIN + ICMP_HEADER + quoted;
  memory.fill(to, 0, IPV4_HEADER_MIN + ICMP_HEADER);
  store<u8>(to, 0x45);
  store<u8>(to, <u8>TOS_CONTROL, IPV4_TOS);
  put16(to + IPV4_TOTAL_LENGTH, length);
  // RFC 6864: with DF the id, 0 here, means nothing.
  put16(to + IPV4_FLAGS_FRAGMENT, IPV4_DONT_FRAGMENT);
  store<u8>(to, <u8>OUR_TTL, IPV4_TTL);
  store<u8>(to, <u8>IPPROTO_ICMP, IPV4_PROTOCOL);
  if (fromRouter) put32(to + IPV4_SOURCE, load<u32>(Segment.record, SEGMENT_TUNNEL4));
  else store<u32>(to, load<u32>(ip, IPV4_DESTINATION), IPV4_SOURCE);
  store<u32>(to, load<u32>(ip, IPV4_SOURCE), IPV4_DESTINATION);
  store<u16>(to, <u16>~fold(sumBytes(to, IPV4_HEADER_MIN, 0)), IPV4_CHECKSUM);
  const icmp = to + IPV4_HEADER_MIN;
  put16(icmp + ICMP_TYPE, typeCode);
  put32(icmp + ICMP_REST, parameter);
  memory.copy(icmp + ICMP_HEADER, ip, quoted);
  store<u16>(icmp, <u16>~fold(sumBytes(icmp, ICMP_HEADER + quoted, 0)), ICMP_CHECKSUM);
  return length;
}

function emit6(to: usize, ip: usize, total: u32, typeCode: u32, parameter: u32, fromRouter: bool): u32 {
  const quoted = min(total, MAX_ICMP6 - IPV6_HEADER - ICMP_HEADER);
  memory.fill(to, 0, IPV6_HEADER + ICMP_HEADER);
  store<u8>(to, 0x60);
  put16(to + IPV6_PAYLOAD_LENGTH, ICMP_HEADER + quoted);
  store<u8>(to, <u8>IPPROTO_ICMPV6, IPV6_NEXT_HEADER);
  store<u8>(to, <u8>OUR_TTL, IPV6_HOP_LIMIT);
  memory.copy(to + IPV6_SOURCE, fromRouter ? Segment.record + SEGMENT_TUNNEL6 : ip + IPV6_DESTINATION, 16);
  memory.copy(to + IPV6_DESTINATION, ip + IPV6_SOURCE, 16);
  const icmp = to + IPV6_HEADER;
  put16(icmp + ICMP_TYPE, typeCode);
  put32(icmp + ICMP_REST, parameter);
  memory.copy(icmp + ICMP_HEADER, ip, quoted);
  const sum = pseudoSum(to, 6, IPPROTO_ICMPV6) + word(ICMP_HEADER + quoted);
  store<u16>(icmp, <u16>~fold(sumBytes(icmp, ICMP_HEADER + quoted, sum)), ICMP_CHECKSUM);
  return IPV6_HEADER + ICMP_HEADER + quoted;
}
