// Joins consecutive TCP packets, and equal-sized UDP datagrams, of one flow into one write to the TUN.
//
// An item is what one write carries. Items are written in the order of their first packets, and a packet may join only the
// newest item of its flow; any packet that cannot be joined is the newest item itself. So no packet overtakes another of
// its flow. A packet whose flow is not known (a fragment, options, extension headers) seals all items before it.
// Twin: what the writes stand for is checked against test/golden/tun-twin.ts with recut().
import {
  IN_FLOWS,
  ITEM_COUNT,
  ITEM_EPOCH,
  ITEM_FIRST_PIECE,
  ITEM_GSO_SIZE,
  ITEM_HASH_NEXT,
  ITEM_HEADER_LENGTH,
  ITEM_JOINABLE,
  ITEM_L2,
  ITEM_L4_OFFSET,
  ITEM_LAST_PIECE,
  ITEM_LENGTH,
  ITEM_NEXT_SEQ,
  ITEM_PACKET,
  ITEM_PROTOCOL,
  ITEM_PSH,
  ITEM_SEGMENT,
  ITEM_SUPER,
  ITEM_VERIFIED,
  SEGMENT_TUN_GRO,
  SEGMENT_TUN_USO,
} from '../../abi';
import { Gso, Segment } from '../context';
import { beginCut, cutNext } from '../gso';
import { get16, get32 } from '../packet/bytes';
import { fold, pseudoSum, sumBytes, word } from '../packet/checksum';
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DESTINATION,
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_HEADER_MIN,
  IPV4_ID,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TTL,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_SOURCE,
  TCP_ACK,
  TCP_ACKNOWLEDGMENT,
  TCP_DATA_OFFSET,
  TCP_FLAGS,
  TCP_HEADER_MIN,
  TCP_PSH,
  TCP_SEQUENCE,
  TCP_WINDOW,
  UDP_CHECKSUM,
  UDP_DESTINATION_PORT,
  UDP_HEADER,
  UDP_LENGTH,
} from '../packet/layout';
import { findTransport, isFragment, offsetOf, protocolOf, Transport } from '../packet/packet';
import {
  currentEpoch,
  inboundItems,
  inCutSpace,
  itemAt,
  join,
  keepItem,
  nextItem,
  sealItems,
  takeInCutSpace,
} from './gro-items';
import { describeSuper, deviceTakesSuper, mayBeSuper, planReceived } from './super-packet';
import { checksumOffset, hasTransport, isPartial } from './unfinished';

const JOIN_TCP: u32 = 1;
const JOIN_UDP: u32 = 2;
/** Largest total length of a joined packet. */
const MAX_JOINED: u32 = 65535;
/** UDP_MAX_SEGMENTS of kernels before 6.9, include/linux/udp.h. */
const MAX_UDP_JOINED: u32 = 64;
const MAX_TCP_JOINED: u32 = 512;

/**
 * Takes a checked packet of `total` bytes for the device of the segment in hand, with `l2` bytes of Ethernet header before
 * it; `size` bytes from `ip` on are written, more than `total` if the frame is padded. A `total` of 0 is a frame that is not
 * looked into. `gsoSize`: payload of the packets it was joined from, if the kernel said so (UDP_GRO), else 0. The bytes must
 * stay until the items are written. Returns the packets it stands for: of a super-packet, those it becomes when it is cut.
 */
export function deliver(ip: usize, total: u32, l2: u32, size: u32, gsoSize: u32): u32 {
  if (total == 0) {
    beginItem(nextItem(), ip, l2, size);
    sealItems();
    keepItem();
    return 1;
  }
  const t = findTransport(ip, total);
  const partial = hasTransport(total, t) && isPartial(ip, total, t);
  if (partial) {
    if (mayBeSuper(total) && size == total && planReceived(ip, total, t, gsoSize)) {
      const packets = Gso.segs;
      if (deviceTakesSuper(t)) deliverPacket(ip, total, l2, size, t, true, true);
      else deliverCuts(ip, l2);
      return packets;
    }
    finishPartial(ip, total, t);
  }
  deliverPacket(ip, total, l2, size, t, partial, false);
  return 1;
}

/** As deliver, for one item. `complete`: its checksum was computed here; `whole`: it is the planned super-packet. */
function deliverPacket(ip: usize, total: u32, l2: u32, size: u32, t: Transport, complete: bool, whole: bool): void {
  const item = nextItem();
  beginItem(item, ip, l2, size);
  if (whole) describeSuper(item, ip, l2, t);
  const transport = offsetOf(t);
  const protocol = protocolOf(t);
  const plain = transport == (load<u8>(ip) >> 4 == 4 ? IPV4_HEADER_MIN : IPV6_HEADER);
  if (!plain || !hasTransport(total, t)) {
    if (isFragment(t) || !plain || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) sealItems();
    keepItem();
    return;
  }
  const bucket = IN_FLOWS + (flowHash(ip, transport) << 2);
  const padded = size != total;
  if (!whole && !padded) {
    const newest = newestOfFlow(load<u32>(bucket), ip, t);
    const joined =
      protocol == IPPROTO_TCP
        ? joinTcp(newest, item, ip, total, t, complete)
        : joinUdp(newest, item, ip, total, t, complete);
    if (joined) return;
  }
  store<u32>(item, transport, ITEM_L4_OFFSET);
  store<u32>(item, protocol, ITEM_PROTOCOL);
  store<u32>(item, currentEpoch(), ITEM_EPOCH);
  store<u32>(item, complete ? 1 : 0, ITEM_VERIFIED);
  store<u32>(item, 0, ITEM_FIRST_PIECE);
  store<u32>(item, 0, ITEM_LAST_PIECE);
  store<u32>(item, 0, ITEM_PSH);
  store<u32>(item, load<u32>(bucket), ITEM_HASH_NEXT);
  store<u32>(bucket, inboundItems() + 1);
  keepItem();
}

@inline
function beginItem(item: usize, ip: usize, l2: u32, size: u32): void {
  store<u32>(item, <u32>ip, ITEM_PACKET);
  store<u32>(item, size, ITEM_LENGTH);
  store<u32>(item, 1, ITEM_COUNT);
  store<u32>(item, 0, ITEM_JOINABLE);
  store<u16>(item, <u16>l2, ITEM_L2);
  store<u32>(item, Segment.number, ITEM_SEGMENT);
  store<u32>(item, 0, ITEM_SUPER);
}

/** Computes the checksum of a packet that isPartial. */
function finishPartial(ip: usize, total: u32, t: Transport): void {
  // A good checksum may happen to look the same.
  if (goodChecksum(ip, total, t)) return;
  const transport = offsetOf(t);
  const protocol = protocolOf(t);
  const sum = <u16>~fold(sumBytes(ip + transport, total - transport, 0));
  store<u16>(ip + transport + checksumOffset(protocol), sum == 0 && protocol == IPPROTO_UDP ? 0xffff : sum);
}

/** Cuts the planned super-packet and delivers its packets one by one: the device takes no joined packets of its kind. */
function deliverCuts(ip: usize, l2: u32): void {
  beginCut(ip, l2);
  for (;;) {
    const at = inCutSpace();
    const length = cutNext(at);
    if (!length) return;
    takeInCutSpace(length);
    const cut = at + l2;
    const total = length - l2;
    // Not by way of deliver: a cut is nothing to plan again, whatever its checksum looks like, or this one loses its plan.
    deliverPacket(cut, total, l2, total, findTransport(cut, total), true, false);
  }
}

/** Mixes ports and the low halves of the addresses: enough to keep the flows of a batch apart. */
@inline
function flowHash(ip: usize, transport: u32): u32 {
  let h = load<u32>(ip + transport);
  if (load<u8>(ip) >> 4 == 4) h ^= load<u32>(ip, IPV4_SOURCE) ^ load<u32>(ip, IPV4_DESTINATION);
  else h ^= load<u32>(ip, IPV6_SOURCE + 12) ^ load<u32>(ip, IPV6_SOURCE + 28);
  h *= 0x9e3779b1;
  return h >> 24;
}

/** The newest item with this packet's addresses, ports and protocol, from item number `link` - 1 on; 0 if none. */
function newestOfFlow(link: u32, ip: usize, t: Transport): usize {
  const transport = offsetOf(t);
  const protocol = protocolOf(t);
  const version = load<u8>(ip) >> 4;
  const ports = load<u32>(ip + transport);
  for (; link; link = load<u32>(itemAt(link - 1), ITEM_HASH_NEXT)) {
    const item = itemAt(link - 1);
    const other = <usize>load<u32>(item, ITEM_PACKET);
    if (load<u8>(other) >> 4 != version || load<u32>(item, ITEM_PROTOCOL) != protocol) continue;
    if (load<u32>(item, ITEM_SEGMENT) != Segment.number) continue;
    if (load<u32>(other + transport) != ports) continue;
    if (version == 4) {
      if (load<u64>(other, IPV4_SOURCE) == load<u64>(ip, IPV4_SOURCE)) return item;
    } else if (
      load<u64>(other, IPV6_SOURCE) == load<u64>(ip, IPV6_SOURCE) &&
      load<u64>(other, IPV6_SOURCE + 8) == load<u64>(ip, IPV6_SOURCE + 8) &&
      load<u64>(other, IPV6_SOURCE + 16) == load<u64>(ip, IPV6_SOURCE + 16) &&
      load<u64>(other, IPV6_SOURCE + 24) == load<u64>(ip, IPV6_SOURCE + 24)
    ) {
      return item;
    }
  }
  return 0;
}

/** Joins the packet to `newest`, or describes it in `item`. True: joined. */
function joinTcp(newest: usize, item: usize, ip: usize, total: u32, t: Transport, complete: bool): bool {
  const transport = offsetOf(t);
  const l4 = ip + transport;
  const header = transport + ((<u32>load<u8>(l4, TCP_DATA_OFFSET) >> 4) << 2);
  const flags = <u32>load<u8>(l4, TCP_FLAGS);
  const legal = header >= transport + TCP_HEADER_MIN && header < total;
  if (
    !legal ||
    (flags & ~TCP_PSH) != TCP_ACK ||
    load<u8>(l4, TCP_DATA_OFFSET) & 15 ||
    !load<u32>(Segment.record, SEGMENT_TUN_GRO)
  )
    return false;
  const payload = total - header;
  const sequence = get32(l4 + TCP_SEQUENCE);
  if (newest && mayJoin(newest, JOIN_TCP, ip, header, payload, MAX_TCP_JOINED)) {
    const head = <usize>load<u32>(newest, ITEM_PACKET);
    const headL4 = head + transport;
    if (
      load<u32>(newest, ITEM_NEXT_SEQ) == sequence &&
      load<u32>(headL4, TCP_ACKNOWLEDGMENT) == load<u32>(l4, TCP_ACKNOWLEDGMENT) &&
      load<u16>(headL4, TCP_WINDOW) == load<u16>(l4, TCP_WINDOW) &&
      sameWords(headL4 + TCP_HEADER_MIN, l4 + TCP_HEADER_MIN, header - transport - TCP_HEADER_MIN) &&
      verified(newest, t) &&
      (complete || goodChecksum(ip, total, t))
    ) {
      join(newest, ip + header, payload);
      store<u32>(newest, sequence + payload, ITEM_NEXT_SEQ);
      if (flags & TCP_PSH) {
        store<u32>(newest, 1, ITEM_PSH);
        store<u32>(newest, 0, ITEM_JOINABLE);
      }
      return true;
    }
  }
  store<u32>(item, header, ITEM_HEADER_LENGTH);
  store<u32>(item, payload, ITEM_GSO_SIZE);
  store<u32>(item, sequence + payload, ITEM_NEXT_SEQ);
  store<u32>(item, flags & TCP_PSH ? 0 : JOIN_TCP, ITEM_JOINABLE);
  return false;
}

/** As joinTcp, for datagrams. One without a checksum stays alone: the kernel would compute one. */
function joinUdp(newest: usize, item: usize, ip: usize, total: u32, t: Transport, complete: bool): bool {
  const transport = offsetOf(t);
  const l4 = ip + transport;
  const header = transport + UDP_HEADER;
  if (!load<u32>(Segment.record, SEGMENT_TUN_USO) || header >= total) return false;
  if (get16(l4 + UDP_LENGTH) != total - transport || load<u16>(l4, UDP_CHECKSUM) == 0) return false;
  const payload = total - header;
  const fits = newest != 0 && mayJoin(newest, JOIN_UDP, ip, header, payload, MAX_UDP_JOINED);
  if (fits && verified(newest, t) && (complete || goodChecksum(ip, total, t))) {
    join(newest, ip + header, payload);
    return true;
  }
  if (isDhcp(l4)) return false;
  store<u32>(item, header, ITEM_HEADER_LENGTH);
  store<u32>(item, payload, ITEM_GSO_SIZE);
  store<u32>(item, JOIN_UDP, ITEM_JOINABLE);
  return false;
}

/**
 * Is the datagram for a DHCP client or server, of IPv4 or IPv6? They read raw frames, before anything behind the bridge would have
 * cut what was joined and finished its checksums.
 */
@inline
function isDhcp(l4: usize): bool {
  const port = get16(l4 + UDP_DESTINATION_PORT);
  return port == 67 || port == 68 || port == 546 || port == 547;
}

/** What TCP and UDP ask alike: an open item, sizes that fit, and IP headers that differ in nothing the kernel does not restore. */
function mayJoin(newest: usize, kind: u32, ip: usize, header: u32, payload: u32, most: u32): bool {
  if (load<u32>(newest, ITEM_JOINABLE) != kind || load<u32>(newest, ITEM_EPOCH) != currentEpoch()) return false;
  const joined = load<u32>(newest, ITEM_COUNT);
  if (
    load<u32>(newest, ITEM_HEADER_LENGTH) != header ||
    payload > load<u32>(newest, ITEM_GSO_SIZE) ||
    joined >= most ||
    load<u32>(newest, ITEM_LENGTH) + payload > MAX_JOINED
  ) {
    return false;
  }
  const head = <usize>load<u32>(newest, ITEM_PACKET);
  // No packet of an item has another Ethernet header than its first.
  const l2 = <u32>load<u16>(newest, ITEM_L2);
  if (!sameOctets(head - l2, ip - l2, l2)) return false;
  if (load<u8>(ip) >> 4 == 6) {
    // version, traffic class and flow label; hop limit
    return load<u32>(head) == load<u32>(ip) && load<u8>(head, IPV6_HOP_LIMIT) == load<u8>(ip, IPV6_HOP_LIMIT);
  }
  const bits = get16(ip + IPV4_FLAGS_FRAGMENT);
  if (
    load<u8>(head, IPV4_TOS) != load<u8>(ip, IPV4_TOS) ||
    load<u8>(head, IPV4_TTL) != load<u8>(ip, IPV4_TTL) ||
    get16(head + IPV4_FLAGS_FRAGMENT) != bits
  ) {
    return false;
  }
  // The kernel numbers them id, id + 1, ...: without DF the numbers matter to the host that reassembles fragments.
  return (bits & IPV4_DONT_FRAGMENT) != 0 || ((get16(head + IPV4_ID) + joined) & 0xffff) == get16(ip + IPV4_ID);
}

function sameOctets(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** As sameOctets, for a length that is a multiple of 4. */
function sameWords(a: usize, b: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i += 4) if (load<u32>(a + i) != load<u32>(b + i)) return false;
  return true;
}

/** True if the item's first packet, of the same flow, has a good checksum; a bad one closes the item, so that the receiver counts it alone. */
function verified(item: usize, t: Transport): bool {
  if (load<u32>(item, ITEM_VERIFIED)) return true;
  if (!goodChecksum(<usize>load<u32>(item, ITEM_PACKET), load<u32>(item, ITEM_LENGTH), t)) {
    store<u32>(item, 0, ITEM_JOINABLE);
    return false;
  }
  store<u32>(item, 1, ITEM_VERIFIED);
  return true;
}

function goodChecksum(ip: usize, total: u32, t: Transport): bool {
  const transport = offsetOf(t);
  const length = total - transport;
  const sum = pseudoSum(ip, load<u8>(ip) >> 4, protocolOf(t)) + word(length);
  return fold(sumBytes(ip + transport, length, sum)) == 0xffff;
}
