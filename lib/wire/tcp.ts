/**
 * TCP header, RFC 9293 §3.1.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |          source port          |       destination port        |
 * |                        sequence number                        |
 * |                     acknowledgment number                     |
 * |offset |reservd|C|E|U|A|P|R|S|F|            window             |
 * |           checksum            |        urgent pointer         |
 * |                    options, 0 to 40 bytes                     |
 */
import { complementSum, internetSum } from './checksum.ts';
import {
  TCP_ACK,
  TCP_ACKNOWLEDGMENT,
  TCP_CHECKSUM,
  TCP_CWR,
  TCP_DATA_OFFSET,
  TCP_DESTINATION_PORT,
  TCP_ECE,
  TCP_FIN,
  TCP_FLAGS,
  TCP_HEADER_MAX,
  TCP_HEADER_MIN,
  TCP_OPTIONS,
  TCP_PSH,
  TCP_RST,
  TCP_SEQUENCE,
  TCP_SOURCE_PORT,
  TCP_SYN,
  TCP_URG,
  TCP_URGENT_POINTER,
  TCP_WINDOW,
} from './layout/tcp.ts';
import type { WireProblem } from './problem.ts';

/** What a TCP header says; data offset and checksum follow from the rest. */
export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** The four bits between data offset and flags; zero in ordinary traffic. */
  readonly reserved: number;
  /** TCP_FIN | TCP_SYN | ... */
  readonly flags: number;
  /** As sent, not scaled. */
  readonly window: number;
  readonly urgentPointer: number;
  /** 0..40 bytes, a multiple of 4. */
  readonly options: Uint8Array;
}

/** Whether view[offset, end) begins with a whole TCP header. */
export function checkTcp(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < TCP_HEADER_MIN) return 'truncated';
  const headerLength = tcpHeaderLength(view, offset);
  if (headerLength < TCP_HEADER_MIN) return 'bad-header-length';
  if (headerLength > end - offset) return 'truncated';
  return undefined;
}

const tcpSourcePort = (view: DataView, offset: number): number => view.getUint16(offset + TCP_SOURCE_PORT);
const tcpDestinationPort = (view: DataView, offset: number): number => view.getUint16(offset + TCP_DESTINATION_PORT);
const tcpSequence = (view: DataView, offset: number): number => view.getUint32(offset + TCP_SEQUENCE);
const tcpAcknowledgment = (view: DataView, offset: number): number => view.getUint32(offset + TCP_ACKNOWLEDGMENT);
/** Header length with options: 20..60 bytes. */
export const tcpHeaderLength = (view: DataView, offset: number): number =>
  (view.getUint8(offset + TCP_DATA_OFFSET) >>> 4) * 4;
const tcpFlags = (view: DataView, offset: number): number => view.getUint8(offset + TCP_FLAGS);
const tcpWindow = (view: DataView, offset: number): number => view.getUint16(offset + TCP_WINDOW);
export const tcpChecksum = (view: DataView, offset: number): number => view.getUint16(offset + TCP_CHECKSUM);
const tcpUrgentPointer = (view: DataView, offset: number): number => view.getUint16(offset + TCP_URGENT_POINTER);

/** Whether the checksum over [offset, end) fits; `pseudoSum` is the sum of the pseudo-header with that length. */
export function tcpChecksumIsValid(view: DataView, offset: number, end: number, pseudoSum: number): boolean {
  return internetSum(view, offset, end, pseudoSum) === 0xffff;
}

/** The header at `offset`. Call checkTcp first. `options` is a copy. */
export function parseTcpHeader(view: DataView, offset: number): TcpHeader {
  const optionsLength = tcpHeaderLength(view, offset) - TCP_HEADER_MIN;
  return {
    sourcePort: tcpSourcePort(view, offset),
    destinationPort: tcpDestinationPort(view, offset),
    sequence: tcpSequence(view, offset),
    acknowledgment: tcpAcknowledgment(view, offset),
    reserved: view.getUint8(offset + TCP_DATA_OFFSET) & 15,
    flags: tcpFlags(view, offset),
    window: tcpWindow(view, offset),
    urgentPointer: tcpUrgentPointer(view, offset),
    options: new Uint8Array(view.buffer, view.byteOffset + offset + TCP_OPTIONS, optionsLength).slice(),
  };
}

/**
 * Writes the header with checksum 0 and returns its length (20..60); `fillTcpChecksum` completes it once the payload is there.
 * Throws RangeError when `options` is not 0..40 bytes in steps of 4.
 */
export function emitTcpHeader(view: DataView, offset: number, header: TcpHeader): number {
  const headerLength = TCP_HEADER_MIN + header.options.length;
  if (headerLength > TCP_HEADER_MAX || headerLength % 4 !== 0)
    throw new RangeError(`TCP options must be 0..40 bytes in steps of 4: ${header.options.length}`);
  view.setUint16(offset + TCP_SOURCE_PORT, header.sourcePort);
  view.setUint16(offset + TCP_DESTINATION_PORT, header.destinationPort);
  view.setUint32(offset + TCP_SEQUENCE, header.sequence);
  view.setUint32(offset + TCP_ACKNOWLEDGMENT, header.acknowledgment);
  view.setUint8(offset + TCP_DATA_OFFSET, ((headerLength / 4) << 4) | header.reserved);
  view.setUint8(offset + TCP_FLAGS, header.flags);
  view.setUint16(offset + TCP_WINDOW, header.window);
  view.setUint16(offset + TCP_CHECKSUM, 0);
  view.setUint16(offset + TCP_URGENT_POINTER, header.urgentPointer);
  for (const [index, byte] of header.options.entries()) view.setUint8(offset + TCP_OPTIONS + index, byte);
  return headerLength;
}

/** Computes the checksum over header and payload [offset, end), which must be in place, and stores it. */
export function fillTcpChecksum(view: DataView, offset: number, end: number, pseudoSum: number): void {
  view.setUint16(offset + TCP_CHECKSUM, 0);
  view.setUint16(offset + TCP_CHECKSUM, complementSum(internetSum(view, offset, end, pseudoSum)));
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [TCP_SYN, 'SYN'],
  [TCP_FIN, 'FIN'],
  [TCP_RST, 'RST'],
  [TCP_PSH, 'PSH'],
  [TCP_ACK, 'ACK'],
  [TCP_URG, 'URG'],
  [TCP_ECE, 'ECE'],
  [TCP_CWR, 'CWR'],
];

/** "TCP 5201 > 33344 SYN,ACK seq 1 ack 2 window 64240 options 20". */
export function formatTcpHeader(header: TcpHeader): string {
  const flags = FLAG_NAMES.filter(([bit]) => (header.flags & bit) !== 0).map(([, name]) => name);
  const words = [
    `TCP ${header.sourcePort} > ${header.destinationPort}`,
    flags.length > 0 ? flags.join(',') : 'no-flags',
  ];
  words.push(`seq ${header.sequence}`);
  if ((header.flags & TCP_ACK) !== 0) words.push(`ack ${header.acknowledgment}`);
  words.push(`window ${header.window}`);
  if ((header.flags & TCP_URG) !== 0) words.push(`urgent ${header.urgentPointer}`);
  if (header.options.length > 0) words.push(`options ${header.options.length}`);
  return words.join(' ');
}
