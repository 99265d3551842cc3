/**
 * UDP header, RFC 768.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |          source port          |       destination port        |
 * |            length             |           checksum            |
 */
import { complementSum, internetSum } from './checksum.ts';
import { UDP_CHECKSUM, UDP_DESTINATION_PORT, UDP_HEADER, UDP_LENGTH, UDP_SOURCE_PORT } from './layout/udp.ts';
import type { WireProblem } from './problem.ts';

/** What a UDP header says; the checksum follows from the rest. */
export interface UdpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Header and payload, bytes. */
  readonly length: number;
}

/** Whether view[offset, end) begins with a whole UDP datagram. */
export function checkUdp(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < UDP_HEADER) return 'truncated';
  const length = udpLength(view, offset);
  if (length < UDP_HEADER) return 'bad-length';
  if (length > end - offset) return 'truncated';
  return undefined;
}

export const udpSourcePort = (view: DataView, offset: number): number => view.getUint16(offset + UDP_SOURCE_PORT);
export const udpDestinationPort = (view: DataView, offset: number): number =>
  view.getUint16(offset + UDP_DESTINATION_PORT);
/** Header and payload, bytes. */
export const udpLength = (view: DataView, offset: number): number => view.getUint16(offset + UDP_LENGTH);
/** 0 means that the sender computed none (IPv4 only). */
export const udpChecksum = (view: DataView, offset: number): number => view.getUint16(offset + UDP_CHECKSUM);

/**
 * Whether the checksum fits; `pseudoSum` is the sum of the pseudo-header with the UDP length. A checksum of 0 fits always: the
 * sender computed none. (Over IPv6 that is illegal, RFC 8200 §8.1; the caller knows the family.)
 */
export function udpChecksumIsValid(view: DataView, offset: number, pseudoSum: number): boolean {
  if (udpChecksum(view, offset) === 0) return true;
  return internetSum(view, offset, offset + udpLength(view, offset), pseudoSum) === 0xffff;
}

/** The header at `offset`. Call checkUdp first. */
export function parseUdpHeader(view: DataView, offset: number): UdpHeader {
  return {
    sourcePort: udpSourcePort(view, offset),
    destinationPort: udpDestinationPort(view, offset),
    length: udpLength(view, offset),
  };
}

/** Writes the header with checksum 0 ("none") and returns its length, 8. */
export function emitUdpHeader(view: DataView, offset: number, header: UdpHeader): number {
  view.setUint16(offset + UDP_SOURCE_PORT, header.sourcePort);
  view.setUint16(offset + UDP_DESTINATION_PORT, header.destinationPort);
  view.setUint16(offset + UDP_LENGTH, header.length);
  view.setUint16(offset + UDP_CHECKSUM, 0);
  return UDP_HEADER;
}

/** Computes the checksum over header and payload, which must be in place, and stores it; a result of 0 is sent as 0xffff. */
export function fillUdpChecksum(view: DataView, offset: number, pseudoSum: number): void {
  view.setUint16(offset + UDP_CHECKSUM, 0);
  const checksum = complementSum(internetSum(view, offset, offset + udpLength(view, offset), pseudoSum));
  view.setUint16(offset + UDP_CHECKSUM, checksum === 0 ? 0xffff : checksum);
}

/** "UDP 8285 > 8285 length 92". */
export function formatUdpHeader(header: UdpHeader): string {
  return `UDP ${header.sourcePort} > ${header.destinationPort} length ${header.length}`;
}
