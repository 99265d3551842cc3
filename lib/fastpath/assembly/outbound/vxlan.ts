// A frame from a TAP: FDB, VXLAN header (RFC 7348), copies of BUM frames.
import {
  COUNT_FLOODED,
  COUNT_OUT_RECEIVED,
  DROP_BAD_OFFLOAD_HEADER,
  DROP_BAD_SOURCE_MAC,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  DROP_TOO_BIG,
  DROP_TRUNCATED,
  FRAME_ASK,
  FRAME_DONE,
  FRAME_FLOOD,
  SEGMENT_LEARNING,
  SEGMENT_VNET_HEADER,
  SEGMENT_VNI,
} from '../../abi';
import { count, enterSegment, Gso, Held, peerAt, Segment, Tap } from '../context';
import { drop } from '../drop';
import { longestCut } from '../gso';
import { icmpError } from '../icmp';
import { put32 } from '../packet/bytes';
import {
  checkInner,
  completeInner,
  isGroup,
  isHost,
  isNeighborMessage,
  lengthOf,
  parseEthernet,
} from '../packet/ethernet';
import { flowOfFrame, flowOfPacket, outerTosOf, outerTosOfFrame } from '../packet/flow';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER,
  ETHERNET_SOURCE,
  VXLAN_FLAG_VNI,
  VXLAN_FLAGS,
  VXLAN_HEADER,
  VXLAN_VNI,
} from '../packet/layout';
import { fdbLookup, floodCount, macAt } from '../tables/fdb';
import { holdFrame, recordFlood } from '../tap';
import { finishChecksum, isSuper, needsChecksum, planSuper } from './offload';
import { aim, aimAtMany, copies, MAX_DATAGRAM, setFlow, stage, stageCuts, trainEncap, trainPeer } from './trains';

/** Handles a frame of `size` bytes with its virtio_net_hdr. What is not FRAME_DONE is the caller's: call outboundFlood or outboundDrop. */
export function frameToVxlan(frame: usize, vnet: u32, size: u32): u32 {
  const ethernet = frame + vnet;
  size -= vnet;
  if (size < <u32>ETHERNET_HEADER) return dropped(DROP_TRUNCATED);
  if (!isHost(ethernet + ETHERNET_SOURCE)) return dropped(DROP_BAD_SOURCE_MAC);
  const learning = load<u32>(Segment.record, SEGMENT_LEARNING) != 0;
  if (isGroup(ethernet + ETHERNET_DESTINATION)) {
    // The devices of VTEPs are known from leases, so even a segment that learns nothing can answer for them.
    if (isNeighborMessage(ethernet, size, parseEthernet(ethernet, size))) return FRAME_ASK;
    return learning ? FRAME_FLOOD : dropped(DROP_MULTICAST);
  }
  const peer = fdbLookup(macAt(ethernet + ETHERNET_DESTINATION));
  if (peer == 0) return learning ? FRAME_FLOOD : dropped(DROP_NO_FDB_ENTRY);
  aim(peer, VXLAN_HEADER);
  encap(frame, vnet, size);
  return FRAME_DONE;
}

function dropped(reason: u32): u32 {
  count(COUNT_OUT_RECEIVED, 1);
  drop(reason, 1);
  return FRAME_DONE;
}

/** Counts a frame of segment `s` as dropped. */
export function outboundDrop(s: u32, reason: u32): void {
  enterSegment(s);
  dropped(reason);
}

/** Stages copies of a frame for the peers `from` to `to` - 1 of the segment's flood list. The frame is altered by it. */
export function outboundFlood(s: u32, frame: usize, size: u32, from: u32, to: u32): void {
  enterSegment(s);
  const vnet = load<u32>(Segment.record, SEGMENT_VNET_HEADER);
  if (from == 0) count(COUNT_FLOODED, 1);
  aimAtMany(from, to, VXLAN_HEADER);
  if (!Tap.on) return encap(frame, vnet, size - vnet);
  holdFrame(frame + vnet, size - vnet);
  Held.train = 0;
  encap(frame, vnet, size - vnet);
  if (from == 0 && Held.train) recordFlood(frame + vnet, size - vnet, floodCount(), Held.train - 1);
}

/** Peers of segment `s` to flood to. */
export function outboundFloodPeers(s: u32): u32 {
  enterSegment(s);
  return floodCount();
}

/** Puts the VXLAN header before the frame, over what the virtio_net_hdr leaves behind it, and stages what it stands for. */
function encap(frame: usize, vnet: u32, size: u32): void {
  const ethernet = frame + vnet;
  const datagram = ethernet - VXLAN_HEADER;
  const l2 = parseEthernet(ethernet, size);
  const l2Length = lengthOf(l2);
  const ip = ethernet + l2Length;
  let length = checkInner(ethernet, size, l2);
  const joined = isSuper(frame, vnet);
  if (joined && length < 0) length = completeInner(ethernet, size, l2);
  if (length < 0) {
    // Not IP, or not well-formed: carried as it is, for the far host to judge.
    count(COUNT_OUT_RECEIVED, copies());
    if (joined || needsChecksum(frame, vnet)) return drop(DROP_BAD_OFFLOAD_HEADER, copies());
    setFlow(flowOfFrame(ethernet), outerTosOfFrame());
  } else {
    const total = <u32>length;
    const planned = joined && planSuper(frame, ip, total, l2Length);
    const packets = (planned ? Gso.segs : 1) * copies();
    count(COUNT_OUT_RECEIVED, packets);
    setFlow(flowOfPacket(ip, total), outerTosOf(ip));
    if (joined) {
      const prefix = VXLAN_HEADER + l2Length;
      if (!planned) return drop(DROP_BAD_OFFLOAD_HEADER, packets);
      if (longestCut() + prefix > MAX_DATAGRAM) return drop(DROP_TOO_BIG, packets);
      putVxlanHeader(datagram);
      return stageCuts(ip, prefix);
    }
    if (needsChecksum(frame, vnet) && !finishChecksum(frame, ip, total, l2Length))
      return drop(DROP_BAD_OFFLOAD_HEADER, packets);
  }
  if (size + VXLAN_HEADER > MAX_DATAGRAM) return drop(DROP_TOO_BIG, copies());
  putVxlanHeader(datagram);
  stage(datagram, size + VXLAN_HEADER);
}

@inline
function putVxlanHeader(at: usize): void {
  put32(at + VXLAN_FLAGS, VXLAN_FLAG_VNI << 24);
  put32(at + VXLAN_VNI, load<u32>(Segment.record, SEGMENT_VNI) << 8);
}

/** Where the IP packet begins in the datagram of `size` bytes at `at`, of this train, from `at` on; -1 if there is none. */
export function datagramIp(train: u32, at: usize, size: u32): i32 {
  const encap = trainEncap(train);
  if (encap == 0) return 0;
  const frame = at + encap;
  const l2 = parseEthernet(frame, size - encap);
  return checkInner(frame, size - encap, l2) > 0 ? <i32>(encap + lengthOf(l2)) : -1;
}

/** Queues the error `what` (abi.ts, ERROR_*) about the packet in the datagram of `size` bytes at `at`, of this train, if there is one. */
export function datagramError(train: u32, at: usize, size: u32, what: u32, parameter: u32): void {
  const ip = datagramIp(train, at, size);
  if (ip < 0) return;
  icmpError(at + <usize>ip, size - <u32>ip, what, parameter, <u32>ip - trainEncap(train));
}

/**
 * Is the datagram at `at`, of this train, whose segment is in hand, a copy of a BUM frame? What befalls it says nothing about
 * whom the frame is for.
 */
export function isFloodCopy(train: u32, at: usize): bool {
  const encap = trainEncap(train);
  return encap != 0 && peerAt(fdbLookup(macAt(at + encap + ETHERNET_DESTINATION))) != trainPeer(train);
}
