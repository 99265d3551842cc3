/**
 * IPv4 header, RFC 791 §3.1.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |version|  IHL  |      TOS      |         total length          |
 * |              id               |0|D|M|    fragment offset      |
 * |      TTL      |   protocol    |        header checksum        |
 * |                            source                             |
 * |                          destination                          |
 * |                    options, 0 to 40 bytes                     |
 */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { complementSum, internetSum } from './checksum.ts';
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_MAX,
  IPV4_HEADER_MIN,
  IPV4_ID,
  IPV4_MORE_FRAGMENTS,
  IPV4_OPTIONS,
  IPV4_PROTOCOL,
  IPV4_RESERVED_FLAG,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV4_VERSION_IHL,
} from './layout/ipv4.ts';
import type { WireProblem } from './problem.ts';

/** What an IPv4 header says. Version, header length and checksum follow from the rest. */
export interface Ipv4Header {
  readonly tos: number;
  /** Header and payload, bytes. */
  readonly totalLength: number;
  readonly id: number;
  /** Must be zero, RFC 791; carried so that what was read can be written again. */
  readonly reservedFlag: boolean;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** 0..40 bytes, a multiple of 4. */
  readonly options: Uint8Array;
}

/**
 * Whether view[offset, end) begins with a whole IPv4 packet: version, header length, total length. The header checksum is a
 * question of its own: `ipv4ChecksumIsValid`.
 */
export function checkIpv4(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < IPV4_HEADER_MIN) return 'truncated';
  if (view.getUint8(offset + IPV4_VERSION_IHL) >>> 4 !== 4) return 'wrong-version';
  const headerLength = ipv4HeaderLength(view, offset);
  if (headerLength < IPV4_HEADER_MIN) return 'bad-header-length';
  const totalLength = ipv4TotalLength(view, offset);
  if (totalLength < headerLength) return 'bad-length';
  if (totalLength > end - offset) return 'truncated';
  return undefined;
}

/** Header length with options: 20..60 bytes. */
export const ipv4HeaderLength = (view: DataView, offset: number): number =>
  (view.getUint8(offset + IPV4_VERSION_IHL) & 15) * 4;
export const ipv4Tos = (view: DataView, offset: number): number => view.getUint8(offset + IPV4_TOS);
export const ipv4TotalLength = (view: DataView, offset: number): number => view.getUint16(offset + IPV4_TOTAL_LENGTH);
export const ipv4Id = (view: DataView, offset: number): number => view.getUint16(offset + IPV4_ID);
const flagsFragment = (view: DataView, offset: number): number => view.getUint16(offset + IPV4_FLAGS_FRAGMENT);
const ipv4DontFragment = (view: DataView, offset: number): boolean =>
  (flagsFragment(view, offset) & IPV4_DONT_FRAGMENT) !== 0;
export const ipv4MoreFragments = (view: DataView, offset: number): boolean =>
  (flagsFragment(view, offset) & IPV4_MORE_FRAGMENTS) !== 0;
/** Bytes, 0..65528. */
export const ipv4FragmentOffset = (view: DataView, offset: number): number =>
  (flagsFragment(view, offset) & IPV4_FRAGMENT_OFFSET_MASK) * 8;
export const ipv4Ttl = (view: DataView, offset: number): number => view.getUint8(offset + IPV4_TTL);
export const ipv4Protocol = (view: DataView, offset: number): number => view.getUint8(offset + IPV4_PROTOCOL);
export const ipv4Checksum = (view: DataView, offset: number): number => view.getUint16(offset + IPV4_CHECKSUM);
export const ipv4Source = (view: DataView, offset: number): Ipv4 => view.getUint32(offset + IPV4_SOURCE);
export const ipv4Destination = (view: DataView, offset: number): Ipv4 => view.getUint32(offset + IPV4_DESTINATION);

export function ipv4ChecksumIsValid(view: DataView, offset: number): boolean {
  return internetSum(view, offset, offset + ipv4HeaderLength(view, offset)) === 0xffff;
}

/** The header at `offset`. Call checkIpv4 first. `options` is a copy. */
export function parseIpv4Header(view: DataView, offset: number): Ipv4Header {
  const optionsLength = ipv4HeaderLength(view, offset) - IPV4_HEADER_MIN;
  return {
    tos: ipv4Tos(view, offset),
    totalLength: ipv4TotalLength(view, offset),
    id: ipv4Id(view, offset),
    reservedFlag: (flagsFragment(view, offset) & IPV4_RESERVED_FLAG) !== 0,
    dontFragment: ipv4DontFragment(view, offset),
    moreFragments: ipv4MoreFragments(view, offset),
    fragmentOffset: ipv4FragmentOffset(view, offset),
    ttl: ipv4Ttl(view, offset),
    protocol: ipv4Protocol(view, offset),
    source: ipv4Source(view, offset),
    destination: ipv4Destination(view, offset),
    options: new Uint8Array(view.buffer, view.byteOffset + offset + IPV4_OPTIONS, optionsLength).slice(),
  };
}

/**
 * Writes the header with its checksum and returns its length (20..60). The view must have that many bytes at `offset`.
 * Throws RangeError when `options` is not 0..40 bytes in steps of 4.
 */
export function emitIpv4Header(view: DataView, offset: number, header: Ipv4Header): number {
  const headerLength = IPV4_HEADER_MIN + header.options.length;
  if (headerLength > IPV4_HEADER_MAX || headerLength % 4 !== 0)
    throw new RangeError(`IPv4 options must be 0..40 bytes in steps of 4: ${header.options.length}`);
  view.setUint8(offset + IPV4_VERSION_IHL, 0x40 | (headerLength / 4));
  view.setUint8(offset + IPV4_TOS, header.tos);
  view.setUint16(offset + IPV4_TOTAL_LENGTH, header.totalLength);
  view.setUint16(offset + IPV4_ID, header.id);
  const flags =
    (header.reservedFlag ? IPV4_RESERVED_FLAG : 0) |
    (header.dontFragment ? IPV4_DONT_FRAGMENT : 0) |
    (header.moreFragments ? IPV4_MORE_FRAGMENTS : 0);
  view.setUint16(offset + IPV4_FLAGS_FRAGMENT, flags | (header.fragmentOffset / 8));
  view.setUint8(offset + IPV4_TTL, header.ttl);
  view.setUint8(offset + IPV4_PROTOCOL, header.protocol);
  view.setUint16(offset + IPV4_CHECKSUM, 0);
  view.setUint32(offset + IPV4_SOURCE, header.source);
  view.setUint32(offset + IPV4_DESTINATION, header.destination);
  for (const [index, byte] of header.options.entries()) view.setUint8(offset + IPV4_OPTIONS + index, byte);
  view.setUint16(offset + IPV4_CHECKSUM, complementSum(internetSum(view, offset, offset + headerLength)));
  return headerLength;
}

/** "IPv4 10.244.30.2 > 10.244.99.2 ttl 63 id 10055 DF". */
export function formatIpv4Header(header: Ipv4Header): string {
  const words = [`IPv4 ${formatIpv4(header.source)} > ${formatIpv4(header.destination)}`, `ttl ${header.ttl}`];
  if (header.tos !== 0) words.push(`tos 0x${header.tos.toString(16)}`);
  words.push(`id ${header.id}`);
  if (header.reservedFlag) words.push('reserved-flag');
  if (header.dontFragment) words.push('DF');
  if (header.moreFragments) words.push('MF');
  if (header.fragmentOffset !== 0) words.push(`fragment at ${header.fragmentOffset}`);
  if (header.options.length > 0) words.push(`options ${header.options.length}`);
  return words.join(' ');
}
