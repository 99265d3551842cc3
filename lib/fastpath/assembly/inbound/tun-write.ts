// Makes the writes of items: the super-packet's headers and offload meta-data, or the packets one by one.

import { IOVEC_SIZE } from '../../../linux/msghdr';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_SIZE } from '../../../linux/virtio-net';
import {
  COUNT_IN_BYTES,
  COUNT_IN_FORWARDED,
  COUNT_IN_WRITES,
  ITEM_COUNT,
  ITEM_FIRST_PIECE,
  ITEM_GSO_SIZE,
  ITEM_HEADER_COPY,
  ITEM_HEADER_LENGTH,
  ITEM_L2,
  ITEM_L4_OFFSET,
  ITEM_LENGTH,
  ITEM_PACKET,
  ITEM_PROTOCOL,
  ITEM_PSH,
  ITEM_SEGMENT,
  ITEM_SUPER,
  ITEM_VNET,
  PIECE_ADDRESS,
  PIECE_LENGTH,
  PIECE_NEXT,
  SEGMENT_VNET_HEADER,
  TAP_NO_REASON,
  WRITE_IOVECS,
  ZERO_VNET,
} from '../../abi';
import { count, enterSegment, Part, Segment, Tap } from '../context';
import { dropLate } from '../drop';
import { cutNext } from '../gso';
import { putIovec } from '../msghdr';
import { put16 } from '../packet/bytes';
import { fold, pseudoSum, sumBytes, word } from '../packet/checksum';
import {
  IPPROTO_TCP,
  IPV4_CHECKSUM,
  IPV4_HEADER_MIN,
  IPV4_TOTAL_LENGTH,
  IPV6_HEADER,
  IPV6_PAYLOAD_LENGTH,
  TCP_CHECKSUM,
  TCP_FLAGS,
  TCP_PSH,
  UDP_CHECKSUM,
  UDP_LENGTH,
} from '../packet/layout';
import { recordItemRefused, recordPart, recordWritten } from '../tap';
import { inCutSpace, inPieceAt, itemAt } from './gro-items';
import { beginItemCut, putVnet } from './super-packet';

/** The segment (network) of item `index`: whose device it is for. */
export function itemSegment(index: u32): u32 {
  return load<u32>(itemAt(index), ITEM_SEGMENT);
}

/** Bytes of Ethernet header before the item's packet. */
export function itemL2(index: u32): u32 {
  return load<u16>(itemAt(index), ITEM_L2);
}

/** Makes the write of item `index`: fills WRITE_IOVECS and returns how many there are. Its segment is in hand from then on. */
export function inboundWrite(index: u32): u32 {
  const item = itemAt(index);
  enterSegment(load<u32>(item, ITEM_SEGMENT));
  const whole = load<u32>(item, ITEM_SUPER) != 0;
  const joined = !whole && load<u32>(item, ITEM_COUNT) > 1;
  if (joined) joinHeaders(item);
  const l2 = <u32>load<u16>(item, ITEM_L2);
  let first = load<u32>(item, ITEM_LENGTH);
  let n: u32 = 0;
  if (load<u32>(Segment.record, SEGMENT_VNET_HEADER)) {
    iovecAt(n, joined || whole ? item + ITEM_VNET : ZERO_VNET, VNET_SIZE);
    n++;
  }
  if (joined) first = load<u32>(item, ITEM_HEADER_LENGTH) + load<u32>(item, ITEM_GSO_SIZE);
  iovecAt(n, load<u32>(item, ITEM_PACKET) - l2, first + l2);
  n++;
  if (joined) {
    for (let piece = load<u32>(item, ITEM_FIRST_PIECE); piece; piece = load<u32>(inPieceAt(piece), PIECE_NEXT)) {
      iovecAt(n, load<u32>(inPieceAt(piece), PIECE_ADDRESS), load<u32>(inPieceAt(piece), PIECE_LENGTH));
      n++;
    }
  }
  return n;
}

@inline
function iovecAt(n: u32, at: usize, length: u32): void {
  putIovec(WRITE_IOVECS + n * IOVEC_SIZE, at, length);
}

/** Turns the first packet's headers into the super-packet's, and keeps what they were. */
function joinHeaders(item: usize): void {
  const ip = <usize>load<u32>(item, ITEM_PACKET);
  const header = load<u32>(item, ITEM_HEADER_LENGTH);
  const l4Offset = load<u32>(item, ITEM_L4_OFFSET);
  const total = load<u32>(item, ITEM_LENGTH);
  const version: u32 = load<u8>(ip) >> 4;
  const proto = load<u32>(item, ITEM_PROTOCOL);
  memory.copy(item + ITEM_HEADER_COPY, ip, header);
  if (version == 4) {
    put16(ip + IPV4_TOTAL_LENGTH, total);
    store<u16>(ip, 0, IPV4_CHECKSUM);
    store<u16>(ip, <u16>~fold(sumBytes(ip, IPV4_HEADER_MIN, 0)), IPV4_CHECKSUM);
  } else {
    put16(ip + IPV6_PAYLOAD_LENGTH, total - IPV6_HEADER);
  }
  const l4 = ip + l4Offset;
  const pseudo = <u16>fold(pseudoSum(ip, version, proto) + word(total - l4Offset));
  let offset: u32 = TCP_CHECKSUM;
  let gsoType: u32 = version == 4 ? GSO_TCPV4 : GSO_TCPV6;
  if (proto == IPPROTO_TCP) {
    if (load<u32>(item, ITEM_PSH)) store<u8>(l4, load<u8>(l4, TCP_FLAGS) | <u8>TCP_PSH, TCP_FLAGS);
  } else {
    offset = UDP_CHECKSUM;
    gsoType = GSO_UDP_L4;
    put16(l4 + UDP_LENGTH, total - l4Offset);
  }
  store<u16>(l4 + offset, pseudo);
  const l2 = <u32>load<u16>(item, ITEM_L2);
  putVnet(item + ITEM_VNET, gsoType, l2 + header, load<u32>(item, ITEM_GSO_SIZE), l2 + l4Offset, offset);
}

/** Packets in item `index`. */
export function itemCount(index: u32): u32 {
  return load<u32>(itemAt(index), ITEM_COUNT);
}

/** Protocol number of joined item `index`. */
export function itemProtocol(index: u32): u32 {
  return load<u32>(itemAt(index), ITEM_PROTOCOL);
}

/** Counts item `index` as written. */
export function itemWritten(index: u32): void {
  const item = itemAt(index);
  enterSegment(load<u32>(item, ITEM_SEGMENT));
  const packets = load<u32>(item, ITEM_COUNT);
  count(COUNT_IN_FORWARDED, packets);
  // The headers of joined packets are written once, but each packet had its own.
  const l2 = <u32>load<u16>(item, ITEM_L2);
  const headers = packets > 1 ? (packets - 1) * (l2 + load<u32>(item, ITEM_HEADER_LENGTH)) : 0;
  count(COUNT_IN_BYTES, l2 + load<u32>(item, ITEM_LENGTH) + headers);
  count(COUNT_IN_WRITES, 1);
  if (Tap.on) recordWritten(index);
}

export function itemRefused(index: u32, reason: u32): void {
  const item = itemAt(index);
  const packets = load<u32>(item, ITEM_COUNT);
  enterSegment(load<u32>(item, ITEM_SEGMENT));
  dropLate(reason, packets);
  if (!Tap.on) return;
  const l2 = <u32>load<u16>(item, ITEM_L2);
  recordItemRefused(index, packets, reason, load<u32>(item, ITEM_PACKET) - l2, load<u32>(item, ITEM_LENGTH) + l2);
}

/** After the device refused joined item `index`: makes the write of its packet `part` alone. Call for all parts in order. */
export function itemPart(index: u32, part: u32): u32 {
  const item = itemAt(index);
  enterSegment(load<u32>(item, ITEM_SEGMENT));
  const l2 = <u32>load<u16>(item, ITEM_L2);
  let at: usize;
  if (load<u32>(item, ITEM_SUPER)) {
    if (part == 0) beginItemCut(item, l2);
    at = inCutSpace();
    Part.length = cutNext(at);
  } else {
    at = partOfJoined(item, part) - l2;
    Part.length += l2;
  }
  Part.item = index;
  Part.number = part;
  Part.at = at;
  let n: u32 = 0;
  if (load<u32>(Segment.record, SEGMENT_VNET_HEADER)) {
    iovecAt(n, ZERO_VNET, VNET_SIZE);
    n++;
  }
  iovecAt(n, at, Part.length);
  return n + 1;
}

/** Where packet `part` of a joined item lies. For part 0 the headers are made what they were. */
function partOfJoined(item: usize, part: u32): usize {
  const header = load<u32>(item, ITEM_HEADER_LENGTH);
  const first = <usize>load<u32>(item, ITEM_PACKET);
  if (part == 0) {
    memory.copy(first, item + ITEM_HEADER_COPY, header);
    Part.length = header + load<u32>(item, ITEM_GSO_SIZE);
    return first;
  }
  let piece = load<u32>(item, ITEM_FIRST_PIECE);
  for (let i: u32 = 1; i < part; i++) piece = load<u32>(inPieceAt(piece), PIECE_NEXT);
  // Only the first packet's headers were changed; the others still stand before their payloads.
  Part.length = header + load<u32>(inPieceAt(piece), PIECE_LENGTH);
  return <usize>load<u32>(inPieceAt(piece), PIECE_ADDRESS) - header;
}

/** Counts the part that itemPart made last as written alone. */
export function partWritten(): void {
  count(COUNT_IN_FORWARDED, 1);
  count(COUNT_IN_BYTES, Part.length);
  count(COUNT_IN_WRITES, 1);
  if (Tap.on) recordPart(Part.item, Part.number, TAP_NO_REASON, Part.at, Part.length);
}

export function partRefused(reason: u32): void {
  dropLate(reason, 1);
  if (Tap.on) recordPart(Part.item, Part.number, reason, Part.at, Part.length);
}
