// Overlay to underlay: one frame from the device becomes staged datagrams for a peer, or a counted drop with its ICMP error.
// Twins: test/golden/engine.ts, twinOutbound, for a TUN; test/golden/vxlan-engine.ts for a TAP (outbound/vxlan.ts).
import {
  CONFIG_ENCAPSULATION,
  COUNT_OUT_READS,
  COUNT_OUT_RECEIVED,
  DROP_BAD_OFFLOAD_HEADER,
  DROP_MULTICAST,
  DROP_NO_ROUTE,
  DROP_TOO_BIG,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
  ENCAPSULATION_IP_IN_UDP,
  SEGMENT_VNET_HEADER,
  SEGMENT_VNI,
} from '../../abi';
import { get32 } from '../packet/bytes';
import { count, drop, enterSegment, segment } from '../context';
import { lookup4, lookup6 } from '../tables/fib';
import { outerTosOf } from '../packet/flow';
import { ICMP_NET_UNREACHABLE, ICMP_TIME_EXCEEDED, icmpError } from '../icmp';
import { IPV4_DESTINATION, IPV6_DESTINATION } from '../packet/layout';
import { FRAME_DONE, frameToVxlan } from './vxlan';
import { finishChecksum, needsChecksum, packetsOf, planned, readOffload, wasJoined } from './offload';
import { checkPacket, decrementTtl, isMulticast4, ttlOf } from '../packet/packet';
import { longestCut, stageCuts } from '../gso';
import { aim, MAX_DATAGRAM, setFlow, stage } from './trains';

/**
 * Handles one frame of `size` bytes as read from the device of segment `s`. What it stages points into the frame: keep it
 * until the flush, and the 16 bytes before it, which are overwritten. Returns FRAME_DONE, or what the caller must do with a
 * frame from a TAP (outbound/vxlan.ts).
 */
export function outboundFrame(s: u32, frame: usize, size: u32): u32 {
  enterSegment(s);
  count(COUNT_OUT_READS, 1);
  const vnet = load<u32>(segment, SEGMENT_VNET_HEADER);
  if (size < vnet) refuse(DROP_TRUNCATED, 1);
  else if (load<u32>(segment, SEGMENT_VNI)) return frameToVxlan(frame, vnet, size);
  else packetToPeer(frame, vnet, size);
  return FRAME_DONE;
}

function packetToPeer(frame: usize, vnet: u32, size: u32): void {
  const ip = frame + vnet;
  const total = checkPacket(ip, size - vnet);
  if (total < 0) return refuse(<u32>(-1 - total), 1);
  readOffload(frame, vnet, ip, <u32>total, 0);
  const packets = packetsOf();
  count(COUNT_OUT_RECEIVED, packets);

  // IP-in-UDP is a hop, as flannel's proxy is one; the tunnel of IP-in-IP is a link (RFC 2003 §3.1).
  const isHop = load<u32>(CONFIG_ENCAPSULATION) == ENCAPSULATION_IP_IN_UDP;
  const peer = route(ip, <u32>total, packets, isHop);
  if (peer == 0) return;
  if (isHop) decrementTtl(ip);
  aim(peer);
  setFlow(0, outerTosOf(ip));
  if (wasJoined()) {
    if (!planned) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
    if (longestCut() > MAX_DATAGRAM) return drop(DROP_TOO_BIG, packets);
    return stageCuts(ip, 0);
  }
  if (needsChecksum() && !finishChecksum(ip, <u32>total, 0)) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
  if (<u32>total > MAX_DATAGRAM) return drop(DROP_TOO_BIG, 1);
  stage(ip, <u32>total);
}

// @ts-ignore: decorator
@inline
function refuse(reason: u32, packets: u32): void {
  count(COUNT_OUT_RECEIVED, packets);
  drop(reason, packets);
}

/** The peer for a packet that may be forwarded; else counts the drop, sends the ICMP error and returns 0. */
function route(ip: usize, total: u32, packets: u32, isHop: bool): u32 {
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
  if (isHop && ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, packets);
    icmpError(ip, total, ICMP_TIME_EXCEEDED, 0);
    return 0;
  }
  return peer;
}
