// An Ethernet frame: where its payload begins, of which type it is.
import { get16 } from './bytes';
import {
  ETHERNET_HEADER,
  ETHERNET_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_PROVIDER_VLAN,
  ETHERTYPE_VLAN,
  ICMP_TYPE,
  IPPROTO_ICMPV6,
  IPV6_HEADER,
  IPV6_NEXT_HEADER,
  NDP_ADVERTISEMENT,
  NDP_SOLICITATION,
  VLAN_NEXT_TYPE,
  VLAN_TAG,
} from './layout';
import { checkPacket, completeHeader } from './packet';

const MAX_TAGS: u32 = 2;

/** What is before a frame's payload: its type << 16 | bytes of header, with tags. */
export type L2 = u32;

/** Looks behind up to two tags. `size` must be at least 14; a tag that is cut off counts as the type. */
export function parseEthernet(frame: usize, size: u32): L2 {
  let length: u32 = ETHERNET_HEADER;
  let type = get16(frame + ETHERNET_TYPE);
  for (let i: u32 = 0; i < MAX_TAGS && (type == ETHERTYPE_VLAN || type == ETHERTYPE_PROVIDER_VLAN); i++) {
    if (length + VLAN_TAG > size) break;
    type = get16(frame + length + VLAN_NEXT_TYPE);
    length += VLAN_TAG;
  }
  return (type << 16) | length;
}

/** Bytes of Ethernet header, with tags. */
@inline
export function lengthOf(l2: L2): u32 {
  return l2 & 0xffff;
}

@inline
function typeOf(l2: L2): u32 {
  return l2 >> 16;
}

/**
 * Is there a well-formed IP packet in a frame of `size` bytes, of the version its type says? Its length, or -1 - reason. A frame
 * that says it carries something else, or nothing, gives -1 too.
 */
export function checkInner(frame: usize, size: u32, l2: L2): i32 {
  const length = lengthOf(l2);
  const ip = frame + length;
  return isIp(l2) && size > length && versionFits(ip, l2) ? checkPacket(ip, size - length) : -1;
}

/** As checkInner, of a super-packet whose header was left to whoever cuts it: it reaches to the frame's end, and its header is completed. */
export function completeInner(frame: usize, size: u32, l2: L2): i32 {
  const length = lengthOf(l2);
  const ip = frame + length;
  return isIp(l2) && size > length && versionFits(ip, l2) ? completeHeader(ip, size - length) : -1;
}

@inline
export function isIp(l2: L2): bool {
  const type = typeOf(l2);
  return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
}

/** Does an IP packet begin with the version its type says? */
@inline
export function versionFits(ip: usize, l2: L2): bool {
  return <u32>(load<u8>(ip) >> 4) == (typeOf(l2) == ETHERTYPE_IPV4 ? 4 : 6);
}

/** The I/G bit: the address is a group's. */
@inline
export function isGroup(at: usize): bool {
  return (load<u8>(at) & 1) != 0;
}

/** Neither a group's address nor 0, which no host has. */
@inline
export function isHost(at: usize): bool {
  return !isGroup(at) && (load<u32>(at) | load<u16>(at, 4)) != 0;
}

/** ARP, or a neighbour solicitation or advertisement right behind the IPv6 header. */
export function isNeighborMessage(frame: usize, size: u32, l2: L2): bool {
  const length = lengthOf(l2);
  if (typeOf(l2) == ETHERTYPE_ARP) return true;
  if (typeOf(l2) != ETHERTYPE_IPV6 || size < length + <u32>IPV6_HEADER + 1) return false;
  const ip = frame + length;
  if (<u32>load<u8>(ip, IPV6_NEXT_HEADER) != IPPROTO_ICMPV6) return false;
  const type = <u32>load<u8>(ip, IPV6_HEADER + ICMP_TYPE);
  return type == NDP_SOLICITATION || type == NDP_ADVERTISEMENT;
}
