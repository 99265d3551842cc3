// An inner packet: is it well formed, where is its transport header.
import { DROP_BAD_HEADER, DROP_BAD_HEADER_CHECKSUM, DROP_NOT_IP, DROP_TRUNCATED } from '../../abi';
import { get16, put16 } from './bytes';
import { fold, sumBytes } from './checksum';
import {
  IPPROTO_DESTINATION_OPTIONS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOP_BY_HOP,
  IPPROTO_ROUTING,
  IPV4_CHECKSUM,
  IPV4_FLAGS_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_MIN,
  IPV4_MORE_FRAGMENTS,
  IPV4_PROTOCOL,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV6_EXT_LENGTH,
  IPV6_EXT_MAX,
  IPV6_EXT_MIN,
  IPV6_EXT_NEXT_HEADER,
  IPV6_FRAGMENT_OFFSET_FLAGS,
  IPV6_FRAGMENT_OFFSET_MASK,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
} from './layout';

/** Length of the packet at `ip` inside `size` bytes, or -1 - reason. Bytes behind the packet are legal and ignored. */
export function checkPacket(ip: usize, size: u32): i32 {
  if (size == 0) return -1 - DROP_TRUNCATED;
  const version = load<u8>(ip) >> 4;
  if (version == 4) return checkIpv4(ip, size);
  if (version == 6) return checkIpv6(ip, size);
  return -1 - DROP_NOT_IP;
}

@inline
function checkIpv4(ip: usize, size: u32): i32 {
  if (size < <u32>IPV4_HEADER_MIN) return -1 - DROP_TRUNCATED;
  const header = (<u32>load<u8>(ip) & 15) << 2;
  const total = get16(ip + IPV4_TOTAL_LENGTH);
  if (header < <u32>IPV4_HEADER_MIN || total < header) return -1 - DROP_BAD_HEADER;
  if (total > size) return -1 - DROP_TRUNCATED;
  if (fold(sumBytes(ip, header, 0)) != 0xffff) return -1 - DROP_BAD_HEADER_CHECKSUM;
  return <i32>total;
}

@inline
function checkIpv6(ip: usize, size: u32): i32 {
  if (size < <u32>IPV6_HEADER) return -1 - DROP_TRUNCATED;
  const payload = get16(ip + IPV6_PAYLOAD_LENGTH);
  // A jumbogram (RFC 2675) says 0 and brings its length in a hop-by-hop option; none fits a datagram.
  if (payload == 0 && load<u8>(ip, IPV6_NEXT_HEADER) == IPPROTO_HOP_BY_HOP) return -1 - DROP_BAD_HEADER;
  const total: u32 = IPV6_HEADER + payload;
  if (total > size) return -1 - DROP_TRUNCATED;
  return <i32>total;
}

/**
 * Gives the packet at `ip` the length `total` and, over IPv4, its header checksum: what the sender of a super-packet may leave to
 * whoever cuts it (inet_gso_segment, ipv6_gso_segment in the kernel). Returns `total`, or -1 - reason.
 */
export function completeHeader(ip: usize, total: u32): i32 {
  if (load<u8>(ip) >> 4 == 4) {
    if (total < <u32>IPV4_HEADER_MIN) return -1 - DROP_TRUNCATED;
    const header = (<u32>load<u8>(ip) & 15) << 2;
    if (header < <u32>IPV4_HEADER_MIN || header > total || total > 0xffff) return -1 - DROP_BAD_HEADER;
    put16(ip + IPV4_TOTAL_LENGTH, total);
    store<u16>(ip, 0, IPV4_CHECKSUM);
    store<u16>(ip, <u16>~fold(sumBytes(ip, header, 0)), IPV4_CHECKSUM);
    return <i32>total;
  }
  if (total < <u32>IPV6_HEADER) return -1 - DROP_TRUNCATED;
  // A jumbogram is none: its cuts would keep the option with its length.
  const isJumbo = get16(ip + IPV6_PAYLOAD_LENGTH) == 0 && load<u8>(ip, IPV6_NEXT_HEADER) == IPPROTO_HOP_BY_HOP;
  if (isJumbo || total > <u32>(IPV6_HEADER + 0xffff)) return -1 - DROP_BAD_HEADER;
  put16(ip + IPV6_PAYLOAD_LENGTH, total - IPV6_HEADER);
  return <i32>total;
}

/** Lowers TTL or hop limit by one; IPv4's checksum follows (RFC 1624). The value must be above 0. */
@inline
export function decrementTtl(ip: usize): void {
  if (load<u8>(ip) >> 4 == 4) {
    store<u8>(ip, load<u8>(ip, IPV4_TTL) - 1, IPV4_TTL);
    putChecksum(ip, get16(ip + IPV4_CHECKSUM) + 0x100);
  } else {
    store<u8>(ip, load<u8>(ip, IPV6_HOP_LIMIT) - 1, IPV6_HOP_LIMIT);
  }
}

/** Stores IPv4's checksum from a sum of up to 17 bits. Of ones' complement's two zeros it writes 0, as a sum of the whole header does. */
@inline
export function putChecksum(ip: usize, sum: u32): void {
  let folded = (sum & 0xffff) + (sum >> 16);
  folded = (folded & 0xffff) + (folded >> 16);
  put16(ip + IPV4_CHECKSUM, folded == 0xffff ? 0 : folded);
}

@inline
export function ttlOf(ip: usize): u32 {
  return load<u8>(ip) >> 4 == 4 ? <u32>load<u8>(ip, IPV4_TTL) : <u32>load<u8>(ip, IPV6_HOP_LIMIT);
}

/** 224.0.0.0/4 or 255.255.255.255; 240.0.0.0/4 is unicast, as Linux has it. */
@inline
export function isMulticast4(address: u32): bool {
  return address >> 28 == 14 || address == 0xffffffff;
}

/** Where the transport header of a packet is: its offset in 17 bits, two marks of fragments, the protocol in the upper 8. */
export type Transport = u32;

const OFFSET_MASK: u32 = 0x1ffff;
const FRAGMENT: u32 = 1 << 17;
const LATER_FRAGMENT: u32 = 1 << 18;
const PROTOCOL_SHIFT: u32 = 24;
/** Where an IPv6 chain runs over the packet's end. IANA's "reserved": a packet that says so itself is treated alike. */
export const PROTOCOL_UNKNOWN: u32 = 255;

/** Bytes before the transport header; where the chain runs over the end, the packet's length. */
@inline
export function offsetOf(t: Transport): u32 {
  return t & OFFSET_MASK;
}

@inline
export function protocolOf(t: Transport): u32 {
  return t >> PROTOCOL_SHIFT;
}

/** The packet is a fragment. */
@inline
export function isFragment(t: Transport): bool {
  return (t & FRAGMENT) != 0;
}

/** The packet is a fragment, and not the first: it has no transport header. */
@inline
export function isLaterFragment(t: Transport): bool {
  return (t & LATER_FRAGMENT) != 0;
}

/** Finds the transport header of a checked packet. */
export function findTransport(ip: usize, total: u32): Transport {
  if (load<u8>(ip) >> 4 == 4) {
    const bits = get16(ip + IPV4_FLAGS_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK);
    const marks = bits == 0 ? 0 : (bits & IPV4_FRAGMENT_OFFSET_MASK) == 0 ? FRAGMENT : FRAGMENT | LATER_FRAGMENT;
    return ((<u32>load<u8>(ip, IPV4_PROTOCOL)) << PROTOCOL_SHIFT) | marks | ((<u32>load<u8>(ip) & 15) << 2);
  }
  return findTransport6(ip, total);
}

function findTransport6(ip: usize, total: u32): Transport {
  let next = <u32>load<u8>(ip, IPV6_NEXT_HEADER);
  let at: u32 = IPV6_HEADER;
  let marks: u32 = 0;
  for (let i: u32 = 0; i <= <u32>IPV6_EXT_MAX; i++) {
    const isExtension =
      next == IPPROTO_HOP_BY_HOP ||
      next == IPPROTO_ROUTING ||
      next == IPPROTO_FRAGMENT ||
      next == IPPROTO_DESTINATION_OPTIONS;
    if (!isExtension) return (next << PROTOCOL_SHIFT) | marks | at;
    if (i == IPV6_EXT_MAX || at + IPV6_EXT_MIN > total) break;
    const header = ip + at;
    if (next == IPPROTO_FRAGMENT) {
      const isLater = (get16(header + IPV6_FRAGMENT_OFFSET_FLAGS) & IPV6_FRAGMENT_OFFSET_MASK) != 0;
      marks = isLater ? FRAGMENT | LATER_FRAGMENT : FRAGMENT;
      next = load<u8>(header, IPV6_EXT_NEXT_HEADER);
      at += IPV6_EXT_MIN;
      if (isLater) return (next << PROTOCOL_SHIFT) | marks | at;
    } else {
      next = load<u8>(header, IPV6_EXT_NEXT_HEADER);
      at += (<u32>load<u8>(header, IPV6_EXT_LENGTH) + 1) << 3;
    }
    if (at > total) break;
  }
  return (PROTOCOL_UNKNOWN << PROTOCOL_SHIFT) | marks | total;
}
