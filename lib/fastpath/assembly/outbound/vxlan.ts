// A frame from a TAP: FDB, VXLAN header (RFC 7348), copies for many.
import {
  CONFIG_ENCAPSULATION,
  COUNT_FLOODED,
  COUNT_OUT_RECEIVED,
  DROP_BAD_OFFLOAD_HEADER,
  DROP_BAD_SOURCE_MAC,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  DROP_TOO_BIG,
  DROP_TRUNCATED,
  ENCAPSULATION_VXLAN,
  SEGMENT_LEARNING,
  SEGMENT_VNET_HEADER,
  SEGMENT_VNI,
} from '../../abi';
import { put32 } from '../packet/bytes';
import { count, drop, enterSegment, peerAt, segment } from '../context';
import { isGroup, isHost, isIp, isNeighborMessage, l2Length, parseEthernet, versionFits } from '../packet/ethernet';
import { fdbLookup, floodCount, macAt } from '../tables/fdb';
import { flowOfFrame, flowOfPacket, outerTosOf, outerTosOfFrame } from '../packet/flow';
import { ETHERNET_DESTINATION, ETHERNET_HEADER, ETHERNET_SOURCE, VXLAN_FLAG_VNI, VXLAN_FLAGS, VXLAN_HEADER, VXLAN_VNI } from '../packet/layout';
import { finishChecksum, needsChecksum, packetsOf, planned, readOffload, readOffloadHeader, wasJoined } from './offload';
import { checkPacket } from '../packet/packet';
import { longestCut, stageCuts } from '../gso';
import { aim, aimAtMany, copies, MAX_DATAGRAM, setFlow, stage, trainPeer } from './trains';

/** Verdicts on a frame: it is staged or dropped; it goes to all peers if the limiter agrees; the neighbour table may know the answer, else it goes to all. */
export const FRAME_DONE: u32 = 0;
export const FRAME_FLOOD: u32 = 1;
export const FRAME_ASK: u32 = 2;

/** Handles a frame of `size` bytes with its virtio_net_hdr. What is not FRAME_DONE is the caller's: call outboundFlood or outboundDrop. */
export function frameToVxlan(frame: usize, vnet: u32, size: u32): u32 {
  const ethernet = frame + vnet;
  size -= vnet;
  if (size < <u32>ETHERNET_HEADER) return dropped(DROP_TRUNCATED);
  if (!isHost(ethernet + ETHERNET_SOURCE)) return dropped(DROP_BAD_SOURCE_MAC);
  const learning = load<u32>(segment, SEGMENT_LEARNING) != 0;
  if (isGroup(ethernet + ETHERNET_DESTINATION)) {
    parseEthernet(ethernet, size);
    // The devices of VTEPs are known from leases, so even a segment that learns nothing can answer for them.
    if (isNeighborMessage(ethernet, size)) return FRAME_ASK;
    return learning ? FRAME_FLOOD : dropped(DROP_MULTICAST);
  }
  const peer = fdbLookup(macAt(ethernet + ETHERNET_DESTINATION));
  if (peer == 0) return learning ? FRAME_FLOOD : dropped(DROP_NO_FDB_ENTRY);
  aim(peer);
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
  const vnet = load<u32>(segment, SEGMENT_VNET_HEADER);
  if (from == 0) count(COUNT_FLOODED, 1);
  aimAtMany(from, to);
  encap(frame, vnet, size - vnet);
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
  parseEthernet(ethernet, size);
  const ip = ethernet + l2Length;
  const total = isIp() && size > l2Length && versionFits(ip) ? checkPacket(ip, size - l2Length) : -1;
  if (total < 0) {
    // Not IP, or not well-formed: carried as it is, for the far host to judge.
    readOffloadHeader(frame, vnet);
    count(COUNT_OUT_RECEIVED, copies());
    if (wasJoined() || needsChecksum()) return drop(DROP_BAD_OFFLOAD_HEADER, copies());
    setFlow(flowOfFrame(ethernet), outerTosOfFrame());
  } else {
    readOffload(frame, vnet, ip, <u32>total, l2Length);
    const packets = packetsOf() * copies();
    count(COUNT_OUT_RECEIVED, packets);
    setFlow(flowOfPacket(ip, <u32>total), outerTosOf(ip));
    if (wasJoined()) {
      const prefix = VXLAN_HEADER + l2Length;
      if (!planned) return drop(DROP_BAD_OFFLOAD_HEADER, packets);
      if (longestCut() + prefix > MAX_DATAGRAM) return drop(DROP_TOO_BIG, packets);
      putVxlanHeader(datagram);
      return stageCuts(ip, prefix);
    }
    if (needsChecksum() && !finishChecksum(ip, <u32>total, l2Length)) return drop(DROP_BAD_OFFLOAD_HEADER, packets);
  }
  if (size + VXLAN_HEADER > MAX_DATAGRAM) return drop(DROP_TOO_BIG, copies());
  putVxlanHeader(datagram);
  stage(datagram, size + VXLAN_HEADER);
}

// @ts-ignore: decorator
@inline
function putVxlanHeader(at: usize): void {
  put32(at + VXLAN_FLAGS, VXLAN_FLAG_VNI << 24);
  put32(at + VXLAN_VNI, load<u32>(segment, SEGMENT_VNI) << 8);
}

/**
 * Where the IP packet begins in a datagram of `size` bytes of ours at `at`, from `at` on; -1 if there is none. What icmpError
 * needs to know of the frame is known then.
 */
export function datagramIp(at: usize, size: u32): i32 {
  if (load<u32>(CONFIG_ENCAPSULATION) != ENCAPSULATION_VXLAN) return 0;
  parseEthernet(at + VXLAN_HEADER, size - VXLAN_HEADER);
  const prefix: u32 = VXLAN_HEADER + l2Length;
  return isIp() && size > prefix && versionFits(at + prefix) && checkPacket(at + prefix, size - prefix) > 0 ? <i32>prefix : -1;
}

/**
 * Is the datagram at `at`, of a train of the segment in work, one of the copies of a frame for many, or of one that nobody
 * knows where to send? What befalls it says nothing about whom the frame is for.
 */
export function isFloodCopy(at: usize, train: u32): bool {
  if (load<u32>(CONFIG_ENCAPSULATION) != ENCAPSULATION_VXLAN) return false;
  return peerAt(fdbLookup(macAt(at + VXLAN_HEADER + ETHERNET_DESTINATION))) != trainPeer(train);
}
