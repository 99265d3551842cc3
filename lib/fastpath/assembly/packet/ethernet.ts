// An Ethernet frame: where its payload begins, of which type it is.
import { get16 } from './bytes';
import {
  ETHERNET_HEADER,
  ETHERNET_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPPROTO_ICMPV6,
  IPV6_HEADER,
  IPV6_NEXT_HEADER,
} from './layout';

// IEEE 802.1Q and 802.1ad (S-VLAN) tags: 4 bytes each between the source address and the type.
const ETHERTYPE_8021Q: u32 = 0x8100;
const ETHERTYPE_8021AD: u32 = 0x88a8;
const TAG: u32 = 4;
const MAX_TAGS: u32 = 2;

/** Found by parseEthernet: bytes before the payload, with tags, and the payload's type. */
export let l2Length: u32 = 0;
export let etherType: u32 = 0;

/** Looks behind up to two tags. `size` must be at least 14; a tag that is cut off counts as the type. */
export function parseEthernet(frame: usize, size: u32): void {
  l2Length = ETHERNET_HEADER;
  etherType = get16(frame + ETHERNET_TYPE);
  for (let i: u32 = 0; i < MAX_TAGS && (etherType == ETHERTYPE_8021Q || etherType == ETHERTYPE_8021AD); i++) {
    if (l2Length + TAG > size) return;
    etherType = get16(frame + l2Length + 2);
    l2Length += TAG;
  }
}

// @ts-ignore: decorator
@inline
export function isIp(): bool {
  return etherType == ETHERTYPE_IPV4 || etherType == ETHERTYPE_IPV6;
}

/** The I/G bit: the address is a group's. */
// @ts-ignore: decorator
@inline
export function isGroup(at: usize): bool {
  return (load<u8>(at) & 1) != 0;
}

/** Neither a group's address nor 0, which no host has. */
// @ts-ignore: decorator
@inline
export function isHost(at: usize): bool {
  return !isGroup(at) && (load<u32>(at) | load<u16>(at, 4)) != 0;
}

/** Does an IP packet begin with the version its type says? */
// @ts-ignore: decorator
@inline
export function versionFits(ip: usize): bool {
  return <u32>(load<u8>(ip) >> 4) == (etherType == ETHERTYPE_IPV4 ? 4 : 6);
}

// RFC 4861 §4.3, §4.4
const NEIGHBOR_SOLICITATION: u32 = 135;
const NEIGHBOR_ADVERTISEMENT: u32 = 136;

/** ARP, or a neighbour solicitation or advertisement right behind the IPv6 header; call parseEthernet first. */
export function isNeighborMessage(frame: usize, size: u32): bool {
  if (etherType == ETHERTYPE_ARP) return true;
  if (etherType != ETHERTYPE_IPV6 || size < l2Length + <u32>IPV6_HEADER + 1) return false;
  const ip = frame + l2Length;
  if (<u32>load<u8>(ip, IPV6_NEXT_HEADER) != IPPROTO_ICMPV6) return false;
  const type = <u32>load<u8>(ip, IPV6_HEADER);
  return type == NEIGHBOR_SOLICITATION || type == NEIGHBOR_ADVERTISEMENT;
}
