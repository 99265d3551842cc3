// Overlay to underlay: one frame from the device becomes staged datagrams for a peer, or a counted drop with its ICMP error.
// Twins: test/golden/tun-twin.ts, twinOutbound, for a TUN; test/golden/tap-twin.ts for a TAP (outbound/vxlan.ts).
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
  ENCAPSULATION_VXLAN,
  ERROR_NET_UNREACHABLE,
  ERROR_TIME_EXCEEDED,
  FRAME_DONE,
  SEGMENT_VNET_HEADER,
} from '../../abi';
import { count, enterSegment, Gso, Segment, Tap } from '../context';
import { drop } from '../drop';
import { longestCut } from '../gso';
import { icmpError } from '../icmp';
import { get32 } from '../packet/bytes';
import { outerTosOf } from '../packet/flow';
import { IPV4_DESTINATION, IPV6_DESTINATION } from '../packet/layout';
import { checkPacket, decrementTtl, isMulticast4, ttlOf } from '../packet/packet';
import { lookup4, lookup6 } from '../tables/fib';
import { holdFrame } from '../tap';
import { finishChecksum, isSuper, needsChecksum, planSuper } from './offload';
import { aim, MAX_DATAGRAM, setFlow, stage, stageCuts } from './trains';
import { frameToVxlan } from './vxlan';

/**
 * Handles one frame of `size` bytes as read from the device of segment `s`. What it stages points into the frame: keep it
 * until outboundReset, and the 16 bytes before it, which are overwritten. Returns FRAME_DONE, or of a frame from a TAP what the
 * caller must do with it (abi.ts, FRAME_*).
 */
export function outboundFrame(s: u32, frame: usize, size: u32): u32 {
  enterSegment(s);
  count(COUNT_OUT_READS, 1);
  const vnet = load<u32>(Segment.record, SEGMENT_VNET_HEADER);
  // The one place on the way out that asks for the encapsulation.
  const encapsulation = load<u32>(CONFIG_ENCAPSULATION);
  if (Tap.on) holdFrame(frame + min(vnet, size), size - min(vnet, size));
  if (size < vnet) refuse(DROP_TRUNCATED);
  else if (encapsulation == ENCAPSULATION_VXLAN) return frameToVxlan(frame, vnet, size);
  else packetToPeer(frame, vnet, size, encapsulation == ENCAPSULATION_IP_IN_UDP);
  return FRAME_DONE;
}

/** `isHop`: IP-in-UDP is a hop, as flannel's proxy is one; the tunnel of IP-in-IP is a link (RFC 2003 §3.1). */
function packetToPeer(frame: usize, vnet: u32, size: u32, isHop: bool): void {
  const ip = frame + vnet;
  const length = checkPacket(ip, size - vnet);
  if (length < 0) return refuse(<u32>(-1 - length));
  const total = <u32>length;
  const joined = isSuper(frame, vnet);
  const planned = joined && planSuper(frame, ip, total, 0);
  const packets: u32 = planned ? Gso.segs : 1;
  count(COUNT_OUT_RECEIVED, packets);

  const peer = route(ip, total, packets, isHop);
  if (peer == 0) return;
  if (isHop) decrementTtl(ip);
  aim(peer, 0);
  setFlow(0, outerTosOf(ip));
  if (joined) {
    if (!planned) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
    if (longestCut() > MAX_DATAGRAM) return drop(DROP_TOO_BIG, packets);
    return stageCuts(ip, 0);
  }
  if (needsChecksum(frame, vnet) && !finishChecksum(frame, ip, total, 0)) return drop(DROP_BAD_OFFLOAD_HEADER, 1);
  if (total > MAX_DATAGRAM) return drop(DROP_TOO_BIG, 1);
  stage(ip, total);
}

@inline
function refuse(reason: u32): void {
  count(COUNT_OUT_RECEIVED, 1);
  drop(reason, 1);
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
    icmpError(ip, total, ERROR_NET_UNREACHABLE, 0, 0);
    return 0;
  }
  if (isHop && ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, packets);
    icmpError(ip, total, ERROR_TIME_EXCEEDED, 0, 0);
    return 0;
  }
  return peer;
}
