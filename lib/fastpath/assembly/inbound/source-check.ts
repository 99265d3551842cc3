// Who sent a datagram, and may its sender send that: the socket address recvmmsg gave us against the peers', the inner
// addresses against the leases.

import { AF_INET, AF_INET6, SOCKADDR_FAMILY, SOCKADDR_IN_ADDR, SOCKADDR_IN6_ADDR } from '../../../linux/sockaddr';
import {
  COUNT_IN_RECEIVED,
  PEER_ADDRESS,
  PEER_IN_BYTES,
  PEER_IN_PACKETS,
  SEGMENT_OWN4,
  SEGMENT_OWN4_MASK,
  SEGMENT_OWN6_HIGH,
  SEGMENT_OWN6_LOW,
  SEGMENT_OWN6_MASK_HIGH,
  SEGMENT_OWN6_MASK_LOW,
} from '../../abi';
import { addAt, count, Gso, peerAt, Segment, Tap } from '../context';
import { get32, get64 } from '../packet/bytes';
import { IPV4_DESTINATION, IPV4_SOURCE, IPV6_DESTINATION, IPV6_SOURCE } from '../packet/layout';
import { lookup4, lookup6, lookupOuter4, lookupOuter6 } from '../tables/fib';
import { recordArrival } from '../tap';

/** A peer of the segment in hand with the address of the sockaddr at `name`, whatever its port; 0: none. */
export function outerPeer(name: usize): u32 {
  const family = <u32>load<u16>(name, SOCKADDR_FAMILY);
  if (family == AF_INET) return lookupOuter4(get32(name + SOCKADDR_IN_ADDR));
  return family == AF_INET6 ? lookupOuter6(name + SOCKADDR_IN6_ADDR) : 0;
}

/** Is the address of the sockaddr at `name` that of `peer`? */
export function isFrom(peer: u32, name: usize): bool {
  const own = peerAt(peer) + PEER_ADDRESS;
  const family = load<u16>(name, SOCKADDR_FAMILY);
  if (family != load<u16>(own, SOCKADDR_FAMILY)) return false;
  if (<u32>family == AF_INET) return load<u32>(own, SOCKADDR_IN_ADDR) == load<u32>(name, SOCKADDR_IN_ADDR);
  return (
    load<u64>(own, SOCKADDR_IN6_ADDR) == load<u64>(name, SOCKADDR_IN6_ADDR) &&
    load<u64>(own, SOCKADDR_IN6_ADDR + 8) == load<u64>(name, SOCKADDR_IN6_ADDR + 8)
  );
}

/** Family of the underlay that the sockaddr at `name` is of: 4 or 6. */
@inline
export function underlayFamilyOf(name: usize): u32 {
  return <u32>load<u16>(name, SOCKADDR_FAMILY) == AF_INET ? 4 : 6;
}

/** The peer whose lease the source of a checked packet lies in; 0: none. */
export function peerOfSource(ip: usize): u32 {
  return load<u8>(ip) >> 4 == 4 ? lookup4(get32(ip + IPV4_SOURCE)) : lookup6(ip + IPV6_SOURCE);
}

/** Does the destination of a checked packet lie in the own lease? */
export function isForUs(ip: usize): bool {
  const record = Segment.record;
  if (load<u8>(ip) >> 4 == 4) {
    const mask = load<u32>(record, SEGMENT_OWN4_MASK);
    return mask != 0 && (get32(ip + IPV4_DESTINATION) & mask) == load<u32>(record, SEGMENT_OWN4);
  }
  const at = ip + IPV6_DESTINATION;
  const maskHigh = load<u64>(record, SEGMENT_OWN6_MASK_HIGH);
  if (maskHigh == 0) return false;
  return (
    (get64(at) & maskHigh) == load<u64>(record, SEGMENT_OWN6_HIGH) &&
    (get64(at + 8) & load<u64>(record, SEGMENT_OWN6_MASK_LOW)) == load<u64>(record, SEGMENT_OWN6_LOW)
  );
}

/** Counts what `deliver` made `packets` of: `size` bytes behind `l2` bytes of Ethernet header, from `peer` if it is known. */
export function arrived(peer: u32, packets: u32, size: u32, l2: u32): void {
  if (Tap.on) recordArrival(packets);
  // A super-packet has been counted as one.
  if (packets > 1) count(COUNT_IN_RECEIVED, packets - 1);
  if (!peer) return;
  addAt(peerAt(peer) + PEER_IN_PACKETS, packets);
  addAt(peerAt(peer) + PEER_IN_BYTES, l2 + size + (packets > 1 ? (packets - 1) * (l2 + Gso.headers) : 0));
}
