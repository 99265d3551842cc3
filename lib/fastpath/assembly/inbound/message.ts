// Underlay to overlay: a received message (a datagram, or a train of them) becomes items for the device, or counted drops.
// Twins: test/golden/tun-twin.ts, twinInbound; test/golden/tap-twin.ts for VXLAN (inbound/vxlan.ts).

import {
  CMSGHDR_ALIGN,
  CMSGHDR_LEN,
  CMSGHDR_LEVEL,
  CMSGHDR_SIZE,
  CMSGHDR_TYPE,
  IOVEC_SIZE,
  MMSGHDR_LEN,
  MMSGHDR_SIZE,
  MSGHDR_CONTROL,
  MSGHDR_CONTROLLEN,
  MSGHDR_FLAGS,
} from '../../../linux/msghdr';
import {
  IP_TOS,
  IPV6_TCLASS,
  MSG_TRUNC,
  SO_RXQ_OVFL,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from '../../../linux/socket';
import {
  CONFIG_ENCAPSULATION,
  CONFIG_SOURCE_CHECK,
  COUNT_IN_READS,
  COUNT_IN_RECEIVED,
  COUNT_SOCKET_OVERFLOW,
  COUNTERS,
  DROP_ECN_NOT_CAPABLE,
  DROP_FOREIGN_DESTINATION,
  DROP_SPOOFED_SOURCE,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
  DROP_UNKNOWN_PEER,
  ENCAPSULATION_IPIP,
  ENCAPSULATION_VXLAN,
  ERROR_TIME_EXCEEDED,
  IN_CONTROL,
  IN_CONTROL_SIZE,
  IN_IOVECS,
  IN_MESSAGES,
  IN_NAME_SIZE,
  IN_NAMES,
  IN_SLOT_SIZE,
  IN_SLOTS,
  MESSAGE_DONE,
} from '../../abi';
import { count, enterSegment, Tap } from '../context';
import { drop } from '../drop';
import { icmpError } from '../icmp';
import { attachControl, putIovec, putMessage, relative } from '../msghdr';
import { decapEcn } from '../packet/ecn';
import { IPV4_HEADER_MIN, IPV4_TOS, VXLAN_HEADER } from '../packet/layout';
import { checkPacket, decrementTtl, ttlOf } from '../packet/packet';
import { holdDatagram, holdReceived } from '../tap';
import { deliver } from './gro';
import { itemSpace } from './gro-items';
import { isForDevice, takeProbe } from './probe';
import { arrived, isForUs, isFrom, outerPeer, peerOfSource } from './source-check';
import { datagramToTap, isOneFrame } from './vxlan';

/** The most a datagram or a train brings, and for a raw socket the outer header: 65,535 bytes. */
const SLOT_BYTES: u32 = 65536;

/** Writes `slots` empty mmsghdr for recvmmsg; the kernel overwrites lengths and flags at each call. */
export function inboundPrepare(slots: u32): void {
  for (let i: u32 = 0; i < slots; i++) {
    const iovec = IN_IOVECS + i * IOVEC_SIZE;
    const message = IN_MESSAGES + i * MMSGHDR_SIZE;
    putIovec(iovec, IN_SLOTS + i * IN_SLOT_SIZE, SLOT_BYTES);
    putMessage(message, IN_NAMES + i * IN_NAME_SIZE, IN_NAME_SIZE, iovec, 1);
    attachControl(message, IN_CONTROL + i * IN_CONTROL_SIZE, IN_CONTROL_SIZE);
  }
}

/** Handles received message `index` from byte `offset` on. Returns MESSAGE_DONE, or where to go on after the items have been written. */
export function inboundMessage(index: u32, offset: u32): i32 {
  const message = IN_MESSAGES + index * MMSGHDR_SIZE;
  const name = IN_NAMES + index * IN_NAME_SIZE;
  const slot = IN_SLOTS + index * IN_SLOT_SIZE;
  const length = load<u32>(message, MMSGHDR_LEN);
  // The one place on the way in that asks for the encapsulation.
  const encapsulation = load<u32>(CONFIG_ENCAPSULATION);
  // A TUN's engine has one segment; which one a VXLAN datagram is for, its VNI says.
  enterSegment(encapsulation == ENCAPSULATION_VXLAN ? 0 : 1);
  const control = readControl(message, length);
  if (offset == 0) {
    count(COUNT_IN_READS, 1);
    if (Tap.on && index == 0) holdReceived();
    if (load<u32>(message, MSGHDR_FLAGS) & MSG_TRUNC) {
      if (Tap.on) holdDatagram(slot, length, name, length, length, 0);
      count(COUNT_IN_RECEIVED, 1);
      drop(DROP_TRUNCATED, 1);
      return MESSAGE_DONE;
    }
  }
  if (encapsulation == ENCAPSULATION_VXLAN) return vxlanMessage(slot, length, offset, name, control);
  if (encapsulation == ENCAPSULATION_IPIP) return ipipMessage(slot, length, name);
  return udpMessage(slot, length, offset, name, control);
}

/** What the control messages of a message say: size of its datagrams << 8 | outer TOS octet. */
type Control = u32;

@inline
function sizeOf(control: Control): u32 {
  return control >> 8;
}

@inline
function tosOf(control: Control): u32 {
  return control & 0xff;
}

/** Reads the size of a train's datagrams (UDP_GRO), the outer TOS octet, and notes the socket's overflow counter. */
function readControl(message: usize, length: u32): Control {
  let size = length;
  let tos: u32 = 0;
  let at = relative(load<u64>(message, MSGHDR_CONTROL));
  const end = at + <usize>load<u64>(message, MSGHDR_CONTROLLEN);
  while (at + CMSGHDR_SIZE <= end) {
    const bytes = <u32>load<u64>(at, CMSGHDR_LEN);
    if (bytes <= <u32>CMSGHDR_SIZE || at + bytes > end) break;
    const level = load<u32>(at, CMSGHDR_LEVEL);
    const type = load<u32>(at, CMSGHDR_TYPE);
    const isWord = bytes >= <u32>(CMSGHDR_SIZE + 4);
    if (level == SOL_UDP && type == UDP_GRO && isWord) {
      const gro = load<u32>(at, CMSGHDR_SIZE);
      if (gro > 0 && gro < length) size = gro;
    } else if ((level == SOL_IP && type == IP_TOS) || (level == SOL_IPV6 && type == IPV6_TCLASS)) {
      tos = load<u8>(at, CMSGHDR_SIZE);
    } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL && isWord) {
      store<u64>(COUNTERS + (COUNT_SOCKET_OVERFLOW << 3), load<u32>(at, CMSGHDR_SIZE));
    }
    at += (bytes + CMSGHDR_ALIGN - 1) & ~(CMSGHDR_ALIGN - 1);
  }
  return (size << 8) | tos;
}

function vxlanMessage(slot: usize, length: u32, offset: u32, name: usize, control: Control): i32 {
  let size = sizeOf(control);
  let gsoSize: u32 = 0;
  if (offset == 0 && size < length && isOneFrame(slot, length)) {
    // What the kernel says is the size of the packets that this one was joined from: it is no train.
    gsoSize = size;
    size = length;
  }
  do {
    if (!itemSpace()) return offset;
    if (Tap.on) holdVxlan(slot + offset, min(size, length - offset), name, length, size, offset);
    datagramToTap(slot + offset, min(size, length - offset), name, tosOf(control), gsoSize);
    offset += size;
  } while (offset < length);
  return MESSAGE_DONE;
}

/** The tap shows the frame, where there is one. */
function holdVxlan(at: usize, size: u32, name: usize, length: u32, step: u32, offset: u32): void {
  const header = min(size, <u32>VXLAN_HEADER);
  holdDatagram(at + header, size - header, name, length, step, offset);
}

function udpMessage(slot: usize, length: u32, offset: u32, name: usize, control: Control): i32 {
  const size = sizeOf(control);
  const known = outerPeer(name);
  do {
    if (!itemSpace()) return offset;
    if (Tap.on) holdDatagram(slot + offset, min(size, length - offset), name, length, size, offset);
    packetToTun(slot + offset, min(size, length - offset), name, known, tosOf(control), true);
    offset += size;
  } while (offset < length);
  return MESSAGE_DONE;
}

/** A raw socket hands over the outer IPv4 header too (raw(7)); the kernel has checked it. */
function ipipMessage(outer: usize, size: u32, name: usize): i32 {
  if (!itemSpace()) return 0;
  const header = (<u32>load<u8>(outer) & 15) << 2;
  if (Tap.on) holdDatagram(outer + min(header, size), size - min(header, size), name, size, size, 0);
  if (size < <u32>IPV4_HEADER_MIN || header > size) {
    count(COUNT_IN_RECEIVED, 1);
    drop(DROP_TRUNCATED, 1);
    return MESSAGE_DONE;
  }
  packetToTun(outer + header, size - header, name, outerPeer(name), load<u8>(outer, IPV4_TOS), false);
  return MESSAGE_DONE;
}

/** `known`: the peer that sent it; `isHop`: the tunnel counts as a hop (outbound/frame.ts). */
function packetToTun(ip: usize, size: u32, name: usize, known: u32, tos: u32, isHop: bool): void {
  count(COUNT_IN_RECEIVED, 1);
  const checked = load<u32>(CONFIG_SOURCE_CHECK) != 0;
  if (checked && known == 0) return drop(DROP_UNKNOWN_PEER, 1);
  const length = checkPacket(ip, size);
  if (length < 0) return drop(<u32>(-1 - length), 1);
  const total = <u32>length;
  let peer = peerOfSource(ip);
  if (checked) {
    if (peer == 0 || !isFrom(peer, name)) return drop(DROP_SPOOFED_SOURCE, 1);
  } else if (peer == 0) {
    peer = known;
  }
  if (!isForUs(ip)) return drop(DROP_FOREIGN_DESTINATION, 1);
  if (isForDevice(ip) && takeProbe(ip, total, peer, ip, 0)) return;
  if (isHop && ttlOf(ip) <= 1) {
    drop(DROP_TTL_EXPIRED, 1);
    icmpError(ip, total, ERROR_TIME_EXCEEDED, 0, 0);
    return;
  }
  if (!decapEcn(ip, tos)) return drop(DROP_ECN_NOT_CAPABLE, 1);
  if (isHop) decrementTtl(ip);
  arrived(peer, deliver(ip, total, 0, total, 0), total, 0);
}
