// A VXLAN datagram (RFC 7348): which segment, may its sender say that, which frame for the TAP.
import {
  CONFIG_SOURCE_CHECK,
  COUNT_IN_RECEIVED,
  DROP_BAD_SOURCE_MAC,
  DROP_BAD_VXLAN_HEADER,
  DROP_ECN_NOT_CAPABLE,
  DROP_FOREIGN_DESTINATION,
  DROP_NOT_IP,
  DROP_SPOOFED_SOURCE,
  DROP_TRUNCATED,
  DROP_UNKNOWN_PEER,
  DROP_UNKNOWN_VNI,
  MAX_SEGMENTS,
  SEGMENT_FAMILY,
  SEGMENT_LEARNING,
  SEGMENT_MAC,
  SEGMENT_SIZE,
  SEGMENT_USED,
  SEGMENT_VNI,
  SEGMENTS,
} from '../../abi';
import { count, enterSegment, Latest, Segment } from '../context';
import { drop } from '../drop';
import { get16, get32 } from '../packet/bytes';
import { decapEcn } from '../packet/ecn';
import {
  checkInner,
  completeInner,
  isHost,
  isIp,
  isNeighborMessage,
  L2,
  lengthOf,
  parseEthernet,
  versionFits,
} from '../packet/ethernet';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER,
  ETHERNET_SOURCE,
  IPV4_TOTAL_LENGTH,
  IPV6_HEADER,
  IPV6_PAYLOAD_LENGTH,
  VXLAN_FLAG_VNI,
  VXLAN_FLAGS,
  VXLAN_HEADER,
  VXLAN_VNI,
} from '../packet/layout';
import { checkPacket } from '../packet/packet';
import { learn, leasedPeer, macAt } from '../tables/fdb';
import { deliver } from './gro';
import { snoop } from './gro-items';
import { isForDevice, takeProbe } from './probe';
import { arrived, isForUs, isFrom, outerPeer, peerOfSource, underlayFamilyOf } from './source-check';
import { mayBeSuper } from './super-packet';
import { isUnfinished } from './unfinished';

/** Is the message of `size` bytes one frame whose packet reaches to its end, rather than a train of datagrams? */
export function isOneFrame(at: usize, size: u32): bool {
  if (size < <u32>(VXLAN_HEADER + ETHERNET_HEADER + IPV6_HEADER)) return false;
  const l2 = parseEthernet(at + VXLAN_HEADER, size - VXLAN_HEADER);
  const prefix: u32 = VXLAN_HEADER + lengthOf(l2);
  const ip = at + prefix;
  if (!isIp(l2) || size < prefix + IPV6_HEADER || !versionFits(ip, l2)) return false;
  const isIpv4 = load<u8>(ip) >> 4 == 4;
  const said = isIpv4 ? get16(ip + IPV4_TOTAL_LENGTH) : get16(ip + IPV6_PAYLOAD_LENGTH);
  // No length: it was left to whoever cuts the packet.
  if (said == 0) return isUnfinished(ip, size - prefix);
  return prefix + said + (isIpv4 ? 0 : IPV6_HEADER) == size;
}

/** Handles one datagram of `size` bytes from the sockaddr at `name`. `tos`: outer TOS octet; `gsoSize`: see deliver. */
export function datagramToTap(at: usize, size: u32, name: usize, tos: u32, gsoSize: u32): void {
  enterSegment(0);
  if (size < <u32>(VXLAN_HEADER + ETHERNET_HEADER)) return refuse(DROP_TRUNCATED);
  if (!(load<u8>(at, VXLAN_FLAGS) & VXLAN_FLAG_VNI)) return refuse(DROP_BAD_VXLAN_HEADER);
  const s = segmentOf(get32(at + VXLAN_VNI) >> 8, underlayFamilyOf(name));
  if (s == 0) return refuse(DROP_UNKNOWN_VNI);
  enterSegment(s);
  count(COUNT_IN_RECEIVED, 1);
  const frame = at + VXLAN_HEADER;
  size -= VXLAN_HEADER;
  const source = macAt(frame + ETHERNET_SOURCE);
  if (!isHost(frame + ETHERNET_SOURCE) || source == load<u64>(Segment.record, SEGMENT_MAC))
    return drop(DROP_BAD_SOURCE_MAC, 1);
  const l2 = parseEthernet(frame, size);
  if (load<u32>(Segment.record, SEGMENT_LEARNING)) return bridged(frame, size, l2, source, name, tos, gsoSize);
  routed(frame, size, l2, source, name, tos, gsoSize);
}

function refuse(reason: u32): void {
  count(COUNT_IN_RECEIVED, 1);
  drop(reason, 1);
}

/** The segment with this VNI over this family of underlay; 0: none. */
function segmentOf(vni: u32, family: u32): u32 {
  if (isSegment(Latest.segment, vni, family)) return Latest.segment;
  for (let s: u32 = 1; s <= <u32>MAX_SEGMENTS; s++) {
    if (!isSegment(s, vni, family)) continue;
    Latest.segment = s;
    return s;
  }
  return 0;
}

@inline
function isSegment(s: u32, vni: u32, family: u32): bool {
  const record = SEGMENTS + s * SEGMENT_SIZE;
  return (
    load<u32>(record, SEGMENT_USED) != 0 &&
    load<u32>(record, SEGMENT_VNI) == vni &&
    load<u32>(record, SEGMENT_FAMILY) == family
  );
}

/** Hosts route between their subnets: a frame is from one VTEP's device to ours, and carries a packet between their leases. */
function routed(frame: usize, size: u32, l2: L2, source: u64, name: usize, tos: u32, gsoSize: u32): void {
  const known = outerPeer(name);
  let peer = leasedPeer(source);
  if (load<u32>(CONFIG_SOURCE_CHECK)) {
    if (known == 0) return drop(DROP_UNKNOWN_PEER, 1);
    if (peer == 0 || !isFrom(peer, name)) return drop(DROP_SPOOFED_SOURCE, 1);
  } else if (peer == 0) {
    peer = known;
  }
  if (macAt(frame + ETHERNET_DESTINATION) != load<u64>(Segment.record, SEGMENT_MAC))
    return drop(DROP_FOREIGN_DESTINATION, 1);
  const l2Length = lengthOf(l2);
  const ip = frame + l2Length;
  // Routers send no tags. An empty packet is checkPacket's to refuse.
  if (l2Length != ETHERNET_HEADER || !isIp(l2) || (size > l2Length && !versionFits(ip, l2)))
    return drop(DROP_NOT_IP, 1);
  const total = checkPacket(ip, size - l2Length);
  if (total < 0) return drop(<u32>(-1 - total), 1);
  if (load<u32>(CONFIG_SOURCE_CHECK) && peerOfSource(ip) != peer) return drop(DROP_SPOOFED_SOURCE, 1);
  if (!isForUs(ip)) return drop(DROP_FOREIGN_DESTINATION, 1);
  if (isForDevice(ip) && takeProbe(ip, <u32>total, peer, frame - VXLAN_HEADER, l2Length)) return;
  if (!decapEcn(ip, tos)) return drop(DROP_ECN_NOT_CAPABLE, 1);
  arrived(peer, deliver(ip, <u32>total, l2Length, size - l2Length, gsoSize), size - l2Length, l2Length);
}

/** One Ethernet over all hosts: any frame passes, and its source is learned. What a lease says cannot be overruled. */
function bridged(frame: usize, size: u32, l2: L2, source: u64, name: usize, tos: u32, gsoSize: u32): void {
  const known = outerPeer(name);
  const checked = load<u32>(CONFIG_SOURCE_CHECK) != 0;
  if (checked && known == 0) return drop(DROP_UNKNOWN_PEER, 1);
  const leased = leasedPeer(source);
  if (leased) {
    if (checked && !isFrom(leased, name)) return drop(DROP_SPOOFED_SOURCE, 1);
  } else if (known) {
    learn(source, known);
  }
  const l2Length = lengthOf(l2);
  const ip = frame + l2Length;
  let total = checkInner(frame, size, l2);
  if (total < 0 && isIp(l2) && mayBeSuper(size - l2Length) && versionFits(ip, l2)) {
    // Longer than any packet here: a super-packet whose header was left to whoever cuts it, or nothing that a bridge passes on.
    if (!isUnfinished(ip, size - l2Length)) return drop(<u32>(-1 - total), 1);
    total = completeInner(frame, size, l2);
    if (total < 0) return drop(<u32>(-1 - total), 1);
  }
  const peer = leased ? leased : known;
  if (total >= 0) {
    if (isForDevice(ip) && takeProbe(ip, <u32>total, peer, frame - VXLAN_HEADER, l2Length)) return;
    if (!decapEcn(ip, tos)) return drop(DROP_ECN_NOT_CAPABLE, 1);
  }
  if (known && isNeighborMessage(frame, size, l2)) snoop();
  if (total >= 0) arrived(peer, deliver(ip, <u32>total, l2Length, size - l2Length, gsoSize), size - l2Length, l2Length);
  else arrived(peer, deliver(frame, 0, 0, size, 0), size, 0);
}
