/**
 * Writes pcapng capture files, block by block: one section header, one description per interface, then the packets.
 * draft-ietf-opsawg-pcapng §3, §4. Little endian, timestamps in nanoseconds or none.
 *
 *   | block type | total length | body, padded to 4 bytes | options | total length |
 *
 * Each function returns one block; a file is their concatenation, so it can be written to any file or pipe as it goes, and is
 * whole after every block.
 */
import {
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  IF_DESCRIPTION,
  IF_FILTER,
  IF_NAME,
  IF_TIMESTAMP_RESOLUTION,
  INTERFACE_DESCRIPTION_BLOCK,
  OPTION_COMMENT,
  OPTION_END,
  SECTION_HEADER_BLOCK,
  SHB_USER_APPLICATION,
  SIMPLE_PACKET_BLOCK,
} from './pcapng-format.ts';

export interface CaptureInterface {
  /** As Wireshark shows it: "eth0", "flannel0". */
  readonly name: string;
  /** What it is, in a few words. */
  readonly description?: string;
  /** What it was filtered by, pcap-filter(7). */
  readonly filter?: string;
  /** LINKTYPE_ETHERNET, LINKTYPE_RAW, ... */
  readonly linkType: number;
  /** Longest prefix of a packet that is kept; 0 is no limit. */
  readonly snapLength: number;
}

export interface PacketRecord {
  /** Which interface, counted from 0 in the order of their descriptions. */
  readonly interfaceId: number;
  /** Nanoseconds since the epoch, below 2^64. */
  readonly timestampNs: bigint;
  readonly bytes: Uint8Array;
  /** Length on the wire, at least bytes.length. */
  readonly originalLength: number;
  /** Shown by Wireshark as the packet's comment. */
  readonly comment?: string;
}

const SECTION_LENGTH_UNKNOWN = 0xffff_ffff_ffff_ffffn;

// Timestamps count 10^-9 s.
const NANOSECONDS = 9;

/** The block every file begins with. `application` is the program that writes it. §4.1 */
export function sectionHeader(application: string): Uint8Array {
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true); // version 1.0
  view.setUint16(6, 0, true);
  view.setBigUint64(8, SECTION_LENGTH_UNKNOWN, true);
  return block(SECTION_HEADER_BLOCK, body, [[SHB_USER_APPLICATION, encodeText(application)]]);
}

/** Describes the next interface; packets name it by its number. §4.2 */
export function interfaceDescription(description: CaptureInterface): Uint8Array {
  const body = new Uint8Array(8);
  const view = new DataView(body.buffer);
  view.setUint16(0, description.linkType, true);
  view.setUint16(2, 0, true); // reserved
  view.setUint32(4, description.snapLength, true);
  const options: Option[] = [[IF_NAME, encodeText(description.name)]];
  if (description.description !== undefined) options.push([IF_DESCRIPTION, encodeText(description.description)]);
  options.push([IF_TIMESTAMP_RESOLUTION, Uint8Array.of(NANOSECONDS)]);
  // Its first byte says in which language.
  if (description.filter !== undefined) options.push([IF_FILTER, encodeText(`\0${description.filter}`)]);
  return block(INTERFACE_DESCRIPTION_BLOCK, body, options);
}

/** One packet. §4.3 */
export function enhancedPacket(packet: PacketRecord): Uint8Array {
  const head = 20;
  const body = new Uint8Array(head + packet.bytes.length);
  const view = new DataView(body.buffer);
  view.setUint32(0, packet.interfaceId, true);
  view.setUint32(4, Number(packet.timestampNs >> 32n), true);
  view.setUint32(8, Number(packet.timestampNs & 0xffff_ffffn), true);
  view.setUint32(12, packet.bytes.length, true);
  view.setUint32(16, packet.originalLength, true);
  body.set(packet.bytes, head);
  const options: Option[] = packet.comment === undefined ? [] : [[OPTION_COMMENT, encodeText(packet.comment)]];
  return block(ENHANCED_PACKET_BLOCK, body, options);
}

/**
 * One packet whose time is not known, of the first interface. `bytes` holds all of its `originalLength` on the wire, or as
 * many as that interface's snap length. §4.4
 */
export function simplePacket(bytes: Uint8Array, originalLength: number): Uint8Array {
  const head = 4;
  const body = new Uint8Array(head + bytes.length);
  new DataView(body.buffer).setUint32(0, originalLength, true);
  body.set(bytes, head);
  return block(SIMPLE_PACKET_BLOCK, body, []);
}

type Option = readonly [code: number, value: Uint8Array];

function block(type: number, body: Uint8Array, options: readonly Option[]): Uint8Array {
  const optionsLength = options.reduce((length, [, value]) => length + 4 + padded(value.length), 0);
  // A list of options ends with one of its own; no options, no end.
  const endLength = options.length > 0 ? 4 : 0;
  const total = 8 + padded(body.length) + optionsLength + endLength + 4;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  bytes.set(body, 8);
  let at = 8 + padded(body.length);
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  if (endLength > 0) view.setUint32(at, OPTION_END, true);
  view.setUint32(total - 4, total, true);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

// An option's length field has 16 bits.
const OPTION_LENGTH_MAX = 0xffff;

function encodeText(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= OPTION_LENGTH_MAX) return bytes;
  // Cut before the character that does not fit whole: its following bytes are 0b10xxxxxx.
  let end = OPTION_LENGTH_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
