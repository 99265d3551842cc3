// What a kernel left to a network card that the packet never met (docs/adr/0017).
import { fold, pseudoSum, word } from '../packet/checksum';
import { IPPROTO_TCP, IPPROTO_UDP, TCP_CHECKSUM, TCP_HEADER_MIN, UDP_CHECKSUM, UDP_HEADER } from '../packet/layout';
import { findTransport, isFragment, offsetOf, protocolOf, Transport } from '../packet/packet';

/** It is TCP or UDP, not a fragment, and its header is whole. */
@inline
export function hasTransport(total: u32, t: Transport): bool {
  const protocol = protocolOf(t);
  if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || isFragment(t)) return false;
  return offsetOf(t) + (protocol == IPPROTO_TCP ? TCP_HEADER_MIN : UDP_HEADER) <= total;
}

/**
 * A checksum field that holds just the pseudo-header's sum was left to a network card by the kernel that sent the packet,
 * and there was none on its way: a veth, or the virtual network of one hypervisor. The kernel knows that of the datagram, but
 * says so to no socket. The outer checksum vouches for the bytes, so ours is computed as the card would have.
 */
export function isPartial(ip: usize, total: u32, t: Transport): bool {
  const transport = offsetOf(t);
  const protocol = protocolOf(t);
  const pseudo = fold(pseudoSum(ip, load<u8>(ip) >> 4, protocol) + word(total - transport));
  return <u32>load<u16>(ip + transport + checksumOffset(protocol)) == pseudo;
}

@inline
export function checksumOffset(protocol: u32): usize {
  return protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
}

/**
 * Is what lies at `ip`, and is longer than any packet of the network, a super-packet of `total` bytes with an unfinished checksum?
 * What its IP header says of length and checksum is not looked at: that may have been left to whoever cuts it.
 */
export function isUnfinished(ip: usize, total: u32): bool {
  const t = findTransport(ip, total);
  return hasTransport(total, t) && isPartial(ip, total, t);
}
