/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443): one header of eight bytes, two sets of type numbers.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |     type      |     code      |           checksum            |
 * |           rest: identifier | sequence, or MTU, or 0           |
 *
 * What follows is the echo's data, or the beginning of the packet that an error is about.
 */
import { complementSum, internetSum } from './checksum.ts';
import {
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HEADER,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_REST,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_INFORMATIONAL,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_REDIRECT,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
} from './layout/icmp.ts';
import type { WireProblem } from './problem.ts';

/** What the first eight bytes say; the checksum follows from the rest of the message. */
export interface IcmpHeader {
  readonly type: number;
  readonly code: number;
  /** The second 32 bits; echoRest and icmpEcho read it as an echo, an error may hold an MTU. */
  readonly rest: number;
}

/** Whether view[offset, end) begins with a whole ICMP or ICMPv6 header. */
export function checkIcmp(_view: DataView, offset: number, end: number): WireProblem | undefined {
  return end - offset < ICMP_HEADER ? 'truncated' : undefined;
}

export const icmpType = (view: DataView, offset: number): number => view.getUint8(offset + ICMP_TYPE);
export const icmpCode = (view: DataView, offset: number): number => view.getUint8(offset + ICMP_CODE);
export const icmpChecksum = (view: DataView, offset: number): number => view.getUint16(offset + ICMP_CHECKSUM);
const icmpRest = (view: DataView, offset: number): number => view.getUint32(offset + ICMP_REST);

/** Whether the checksum over [offset, end) fits. `pseudoSum` is 0 for ICMP, the sum of the pseudo-header for ICMPv6. */
export function icmpChecksumIsValid(view: DataView, offset: number, end: number, pseudoSum: number): boolean {
  return internetSum(view, offset, end, pseudoSum) === 0xffff;
}

/** Error messages must never be answered with an error. RFC 1122 §3.2.2. */
export function isIcmpError(type: number): boolean {
  return (
    type === ICMP_UNREACHABLE ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM
  );
}

/** The same for ICMPv6, unknown error types and redirects included. RFC 4443 §2.4 (e). */
export function isIcmpv6Error(type: number): boolean {
  return type < ICMPV6_INFORMATIONAL || type === ICMPV6_REDIRECT;
}

/** Identifier and sequence number of an echo. */
export function icmpEcho(header: IcmpHeader): { readonly identifier: number; readonly sequence: number } {
  return { identifier: header.rest >>> 16, sequence: header.rest & 0xffff };
}

/** The `rest` of an echo. Both are 16 bits. */
export function echoRest(identifier: number, sequence: number): number {
  return identifier * 0x10000 + sequence;
}

/** The header at `offset`. Call checkIcmp first. */
export function parseIcmpHeader(view: DataView, offset: number): IcmpHeader {
  return { type: icmpType(view, offset), code: icmpCode(view, offset), rest: icmpRest(view, offset) };
}

/** Writes the header with checksum 0 and returns its length, 8; `fillIcmpChecksum` completes it once the body is there. */
export function emitIcmpHeader(view: DataView, offset: number, header: IcmpHeader): number {
  view.setUint8(offset + ICMP_TYPE, header.type);
  view.setUint8(offset + ICMP_CODE, header.code);
  view.setUint16(offset + ICMP_CHECKSUM, 0);
  view.setUint32(offset + ICMP_REST, header.rest);
  return ICMP_HEADER;
}

/** Computes the checksum over header and body [offset, end) and stores it. `pseudoSum` is 0 for ICMP. */
export function fillIcmpChecksum(view: DataView, offset: number, end: number, pseudoSum: number): void {
  view.setUint16(offset + ICMP_CHECKSUM, 0);
  view.setUint16(offset + ICMP_CHECKSUM, complementSum(internetSum(view, offset, end, pseudoSum)));
}

const UNREACHABLE_NAMES = ['net', 'host', 'protocol', 'port'];
const UNREACHABLE6_NAMES = ['no route', 'prohibited', 'beyond scope', 'address', 'port'];

/** "ICMP echo request id 21546 seq 1", "ICMP unreachable (net)". */
export function formatIcmpHeader(header: IcmpHeader): string {
  const { type, code } = header;
  if (type === ICMP_ECHO_REQUEST) return `ICMP echo request ${formatEcho(header)}`;
  if (type === ICMP_ECHO_REPLY) return `ICMP echo reply ${formatEcho(header)}`;
  if (type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED)
    return `ICMP fragmentation needed mtu ${header.rest & 0xffff}`;
  if (type === ICMP_UNREACHABLE) return `ICMP unreachable (${UNREACHABLE_NAMES[code] ?? `code ${code}`})`;
  if (type === ICMP_TIME_EXCEEDED) return `ICMP time exceeded${code === 0 ? '' : ` (code ${code})`}`;
  return `ICMP type ${type} code ${code}`;
}

/** "ICMPv6 echo request id 1 seq 2", "ICMPv6 packet too big mtu 1280". */
export function formatIcmpv6Header(header: IcmpHeader): string {
  const { type, code } = header;
  if (type === ICMPV6_ECHO_REQUEST) return `ICMPv6 echo request ${formatEcho(header)}`;
  if (type === ICMPV6_ECHO_REPLY) return `ICMPv6 echo reply ${formatEcho(header)}`;
  if (type === ICMPV6_UNREACHABLE) return `ICMPv6 unreachable (${UNREACHABLE6_NAMES[code] ?? `code ${code}`})`;
  if (type === ICMPV6_PACKET_TOO_BIG) return `ICMPv6 packet too big mtu ${header.rest}`;
  if (type === ICMPV6_TIME_EXCEEDED) return `ICMPv6 time exceeded${code === 0 ? '' : ` (code ${code})`}`;
  if (type === ICMPV6_PARAMETER_PROBLEM) return `ICMPv6 parameter problem (code ${code}) at ${header.rest}`;
  return `ICMPv6 type ${type} code ${code}`;
}

function formatEcho(header: IcmpHeader): string {
  const { identifier, sequence } = icmpEcho(header);
  return `id ${identifier} seq ${sequence}`;
}
