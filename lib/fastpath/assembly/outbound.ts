// Overlay to underlay: one frame from the TUN becomes staged datagrams for a peer, or a counted drop with its ICMP error.
// Twin: test/golden/engine.ts, twinOutbound.
import {
  CONFIG_VNET_HEADER,
  COUNT_OUT_READS,
  COUNT_OUT_RECEIVED,
  DROP_BAD_OFFLOAD_HEADER,
  DROP_MULTICAST,
  DROP_NO_ROUTE,
  DROP_TOO_BIG,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
} from '../abi';
import { get32 } from './bytes';
import { fold, sumBytes } from './checksum';
import { count, drop } from './count';
import { lookup4, lookup6 } from './fib';
import { ICMP_NET_UNREACHABLE, ICMP_TIME_EXCEEDED, icmpError } from './icmp';
import { IPPROTO_UDP, IPV4_DESTINATION, IPV6_DESTINATION, IPV6_HEADER, UDP_CHECKSUM } from './layout';
import { checkPacket, decrementTtl, findTransport, isMulticast4, protocol, transport, ttlOf } from './packet';
import { checksumIsAt, longestSegment, planSegments, segmentCount, segmentInto } from './segment';
import { MAX_DATAGRAM, stage } from './trains';
import {
  GSO_ECN,
  GSO_NONE,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
} from './vnet';

/** Handles one frame of `size` bytes as read from the TUN. What it stages points into the frame: keep it until the flush. */
export function outboundFrame(frame: usize, size: u32): void {
  count(COUNT_OUT_READS, 1);
  const vnet = load<u32>(CONFIG_VNET_HEADER);
  if (size < vnet) return refuse(DROP_TRUNCATED, 1);
  const ip = frame + vnet;
  const total = checkPacket(ip, size - vnet);
  if (total < 0) return refuse(<u32>(-1 - total), 1);

  const gsoType: u32 = vnet ? <u32>load<u8>(frame, VNET_GSO_TYPE) : GSO_NONE;
  const unfinished = vnet != 0 && (<u32>load<u8>(frame, VNET_FLAGS) & NEEDS_CSUM) != 0;
  const start = vnet ? <u32>load<u16>(frame, VNET_CSUM_START) : 0;
  const offset = vnet ? <u32>load<u16>(frame, VNET_CSUM_OFFSET) : 0;
  const planned =
    gsoType != GSO_NONE &&
    planSegments(ip, <u32>total, gsoType & ~GSO_ECN, load<u16>(frame, VNET_GSO_SIZE)) &&
    (!unfinished || checksumIsAt(start, offset));
  const packets: u32 = planned ? segmentCount : 1;
  count(COUNT_OUT_RECEIVED, packets);

  const peer = route(ip, <u32>total, packets);
  if (peer == 0) return;
  decrementTtl(ip);
  if (gsoType != GSO_NONE) {
    if (!planned) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
    if (longestSegment() > MAX_DATAGRAM) return drop(DROP_TOO_BIG, packets);
    return segmentInto(peer, ip);
  }
  if (unfinished && !finishChecksum(ip, <u32>total, start, offset)) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
  if (<u32>total > MAX_DATAGRAM) return drop(DROP_TOO_BIG, 1);
  stage(peer, ip, <u32>total);
}

// @ts-ignore: decorator
@inline
function refuse(reason: u32, packets: u32): void {
  count(COUNT_OUT_RECEIVED, packets);
  drop(reason, packets);
}

/** The peer for a packet that may be forwarded; else counts the drop, sends the ICMP error and returns 0. */
function route(ip: usize, total: u32, packets: u32): u32 {
  let peer: u32;
  if (load<u8>(ip) >> 4 == 4) {
    const destination = get32(ip + IPV4_DESTINATION);
    if (isMulticast4(destination)) {
      drop(DROP_MULTICAST, packets);
      return 0;
    }
    peer = lookup4(destination);
  } else {
    if (load<u8>(ip, IPV6_DESTINATION) == 0xff) {
      drop(DROP_MULTICAST, packets);
      return 0;
    }
    peer = lookup6(ip + IPV6_DESTINATION);
  }
  if (peer == 0) {
    drop(DROP_NO_ROUTE, packets);
    icmpError(ip, total, ICMP_NET_UNREACHABLE, 0);
    return 0;
  }
  if (ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, packets);
    icmpError(ip, total, ICMP_TIME_EXCEEDED, 0);
    return 0;
  }
  return peer;
}

/** Completes a checksum the kernel left to us: its field holds the pseudo-header's sum. Meta-data never reaches the wire. */
function finishChecksum(ip: usize, total: u32, start: u32, offset: u32): bool {
  const field = start + offset;
  const header: u32 = load<u8>(ip) >> 4 == 4 ? (<u32>load<u8>(ip) & 15) << 2 : IPV6_HEADER;
  if (start < header || start > total || field + 2 > total) return false;
  let sum = ~fold(sumBytes(ip + start, total - start, 0)) & 0xffff;
  if (sum == 0) {
    // RFC 768: a computed 0 is sent as 0xffff; for TCP 0 stays.
    findTransport(ip, total);
    if (protocol == IPPROTO_UDP && transport == start && offset == <u32>UDP_CHECKSUM) sum = 0xffff;
  }
  store<u16>(ip + field, <u16>sum);
  return true;
}
