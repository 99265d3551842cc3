/**
 * IPv6 header, RFC 8200 §3, and the walk over its extension headers.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |version| traffic class |              flow label               |
 * |        payload length         |  next header  |   hop limit   |
 * |                       source, 16 bytes                        |
 * |                     destination, 16 bytes                     |
 */
import { formatIpv6, type Ipv6 } from '../addr/ipv6.ts';
import { IPPROTO_DESTINATION_OPTIONS, IPPROTO_FRAGMENT, IPPROTO_HOP_BY_HOP, IPPROTO_ROUTING } from './layout/ip.ts';
import {
  IPV6_DESTINATION,
  IPV6_EXT_LENGTH,
  IPV6_EXT_MAX,
  IPV6_EXT_MIN,
  IPV6_EXT_NEXT_HEADER,
  IPV6_FRAGMENT_ID,
  IPV6_FRAGMENT_MORE,
  IPV6_FRAGMENT_OFFSET_FLAGS,
  IPV6_FRAGMENT_OFFSET_MASK,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  IPV6_VERSION_CLASS_FLOW,
} from './layout/ipv6.ts';
import type { WireProblem } from './problem.ts';

/** What the fixed IPv6 header says. */
export interface Ipv6Header {
  readonly trafficClass: number;
  /** 20 bits. */
  readonly flowLabel: number;
  /** Everything after the 40 bytes of this header, extension headers included. */
  readonly payloadLength: number;
  /** Protocol of the first extension header or of the payload. */
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Ipv6;
  readonly destination: Ipv6;
}

/** Where the extension headers end and what they say about fragmentation. */
export interface Ipv6Chain {
  /** Protocol of the bytes at `offset`. */
  readonly protocol: number;
  /** Where the upper-layer header begins; in a later fragment there is none there, but the middle of some payload. */
  readonly offset: number;
  /** How many extension headers were passed. */
  readonly count: number;
  /** The first fragment header, if there is one. */
  readonly fragment: Ipv6Fragment | undefined;
}

interface Ipv6Fragment {
  /** Bytes, a multiple of 8. */
  readonly offset: number;
  readonly more: boolean;
  readonly id: number;
}

/**
 * Whether view[offset, end) begins with a whole IPv6 packet: version and payload length. A jumbogram (RFC 2675) has payload
 * length 0 and is taken at its word: a packet without payload.
 */
export function checkIpv6(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < IPV6_HEADER) return 'truncated';
  if (view.getUint8(offset + IPV6_VERSION_CLASS_FLOW) >>> 4 !== 6) return 'wrong-version';
  if (IPV6_HEADER + ipv6PayloadLength(view, offset) > end - offset) return 'truncated';
  return undefined;
}

const ipv6TrafficClass = (view: DataView, offset: number): number =>
  (view.getUint16(offset + IPV6_VERSION_CLASS_FLOW) >>> 4) & 0xff;
const ipv6FlowLabel = (view: DataView, offset: number): number =>
  view.getUint32(offset + IPV6_VERSION_CLASS_FLOW) & 0xfffff;
export const ipv6PayloadLength = (view: DataView, offset: number): number =>
  view.getUint16(offset + IPV6_PAYLOAD_LENGTH);
export const ipv6NextHeader = (view: DataView, offset: number): number => view.getUint8(offset + IPV6_NEXT_HEADER);
export const ipv6HopLimit = (view: DataView, offset: number): number => view.getUint8(offset + IPV6_HOP_LIMIT);
export const ipv6Source = (view: DataView, offset: number): Ipv6 => readIpv6(view, offset + IPV6_SOURCE);
export const ipv6Destination = (view: DataView, offset: number): Ipv6 => readIpv6(view, offset + IPV6_DESTINATION);

/** Sixteen bytes at `at`. */
export function readIpv6(view: DataView, at: number): Ipv6 {
  return (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8);
}

/**
 * Follows hop-by-hop, routing, fragment and destination options headers up to `end` (the packet's end). At most IPV6_EXT_MAX
 * are followed. The walk stops behind a fragment header whose offset is not 0: what comes next is the middle of something.
 * Other headers (ESP, AH, "no next header") count as the payload. Call checkIpv6 first.
 */
export function walkIpv6(view: DataView, offset: number, end: number): Ipv6Chain | WireProblem {
  let protocol = ipv6NextHeader(view, offset);
  let at = offset + IPV6_HEADER;
  let count = 0;
  let fragment: Ipv6Fragment | undefined;
  while (isExtensionHeader(protocol)) {
    if (count === IPV6_EXT_MAX) return 'too-many-headers';
    if (end - at < IPV6_EXT_MIN) return 'truncated';
    count++;
    const next = view.getUint8(at + IPV6_EXT_NEXT_HEADER);
    if (protocol === IPPROTO_FRAGMENT) {
      const found = readFragment(view, at);
      fragment ??= found;
      at += IPV6_EXT_MIN;
      protocol = next;
      if (found.offset !== 0) break;
    } else {
      const length = IPV6_EXT_MIN + view.getUint8(at + IPV6_EXT_LENGTH) * 8;
      if (length > end - at) return 'truncated';
      at += length;
      protocol = next;
    }
  }
  return { protocol, offset: at, count, fragment };
}

function isExtensionHeader(protocol: number): boolean {
  return (
    protocol === IPPROTO_HOP_BY_HOP ||
    protocol === IPPROTO_ROUTING ||
    protocol === IPPROTO_FRAGMENT ||
    protocol === IPPROTO_DESTINATION_OPTIONS
  );
}

function readFragment(view: DataView, at: number): Ipv6Fragment {
  const word = view.getUint16(at + IPV6_FRAGMENT_OFFSET_FLAGS);
  return {
    // The mask leaves the offset in place of its three low bits, so it is in bytes already.
    offset: word & IPV6_FRAGMENT_OFFSET_MASK,
    more: (word & IPV6_FRAGMENT_MORE) !== 0,
    id: view.getUint32(at + IPV6_FRAGMENT_ID),
  };
}

/** The fixed header at `offset`. Call checkIpv6 first. */
export function parseIpv6Header(view: DataView, offset: number): Ipv6Header {
  return {
    trafficClass: ipv6TrafficClass(view, offset),
    flowLabel: ipv6FlowLabel(view, offset),
    payloadLength: ipv6PayloadLength(view, offset),
    nextHeader: ipv6NextHeader(view, offset),
    hopLimit: ipv6HopLimit(view, offset),
    source: ipv6Source(view, offset),
    destination: ipv6Destination(view, offset),
  };
}

/** Writes the fixed header and returns its length, 40. */
export function emitIpv6Header(view: DataView, offset: number, header: Ipv6Header): number {
  const word = 0x60000000 + header.trafficClass * 0x100000 + header.flowLabel;
  view.setUint32(offset + IPV6_VERSION_CLASS_FLOW, word);
  view.setUint16(offset + IPV6_PAYLOAD_LENGTH, header.payloadLength);
  view.setUint8(offset + IPV6_NEXT_HEADER, header.nextHeader);
  view.setUint8(offset + IPV6_HOP_LIMIT, header.hopLimit);
  writeIpv6(view, offset + IPV6_SOURCE, header.source);
  writeIpv6(view, offset + IPV6_DESTINATION, header.destination);
  return IPV6_HEADER;
}

export function writeIpv6(view: DataView, at: number, address: Ipv6): void {
  view.setBigUint64(at, address >> 64n);
  view.setBigUint64(at + 8, address & 0xffff_ffff_ffff_ffffn);
}

/** "IPv6 fd00::1 > fd00::2 hop-limit 63". */
export function formatIpv6Header(header: Ipv6Header): string {
  const words = [
    `IPv6 ${formatIpv6(header.source)} > ${formatIpv6(header.destination)}`,
    `hop-limit ${header.hopLimit}`,
  ];
  if (header.trafficClass !== 0) words.push(`class 0x${header.trafficClass.toString(16)}`);
  if (header.flowLabel !== 0) words.push(`flow 0x${header.flowLabel.toString(16)}`);
  return words.join(' ');
}
