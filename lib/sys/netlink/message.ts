/**
 * Netlink messages and attributes as bytes. Pure: no socket, no system call.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------------------------------+-------------------------------+
 *   |                        nlmsg_len (with this header)           |
 *   +-------------------------------+-------------------------------+
 *   |          nlmsg_type           |          nlmsg_flags          |
 *   +-------------------------------+-------------------------------+
 *   |                           nlmsg_seq                           |
 *   +---------------------------------------------------------------+
 *   |                           nlmsg_pid                           |
 *   +---------------------------------------------------------------+
 *   |   fixed body of the type, then attributes (each aligned to 4) |
 *   |   +---------------------------+---------------------------+   |
 *   |   |  nla_len (with header)    |         nla_type          |   |
 *   |   +---------------------------+---------------------------+   |
 *
 * Numbers are in the byte order of the machine, addresses in network order. RFC 3549 §2.3,
 * include/uapi/linux/netlink.h.
 *
 * Every length is checked before it is used; a message or attribute that does not fit its bytes is an EBADMSG error.
 * What comes out of parsing are views into the caller's bytes: they are valid as long as those are.
 */
import { WeftError } from '../../error.ts';
import { NLA_TYPE_MASK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NLMSGERR_ATTR_MSG } from './abi.ts';

const MESSAGE_HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;

/** True on little-endian machines, as DataView wants it. */
export const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Netlink port id of the socket the message is for; 0 for multicasts. */
  readonly port: number;
  /** Fixed body and attributes. */
  readonly payload: Uint8Array;
}

/** Attributes by type. If a type comes twice, the last one counts, as in the kernel's nla_parse. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** An attribute to be emitted. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** What the kernel says at the end of a request or dump. */
export interface Verdict {
  /** Positive errno, or 0 for success. */
  readonly errno: number;
  /** The kernel's own words (NETLINK_EXT_ACK), if it had any. */
  readonly text: string | undefined;
}

function malformed(what: string): WeftError {
  return new WeftError('EBADMSG', `Cannot parse netlink message: ${what}`);
}

function align4(length: number): number {
  return (length + 3) & ~3;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The messages of one datagram. Throws EBADMSG when one does not fit. */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset < datagram.length; ) {
    const left = datagram.length - offset;
    if (left < MESSAGE_HEADER_LENGTH) throw malformed(`${left} bytes where a header of 16 should be`);
    const length = view.getUint32(offset, LITTLE_ENDIAN);
    if (length < MESSAGE_HEADER_LENGTH || length > left) throw malformed(`length ${length} with ${left} bytes left`);
    messages.push({
      type: view.getUint16(offset + 4, LITTLE_ENDIAN),
      flags: view.getUint16(offset + 6, LITTLE_ENDIAN),
      sequence: view.getUint32(offset + 8, LITTLE_ENDIAN),
      port: view.getUint32(offset + 12, LITTLE_ENDIAN),
      payload: datagram.subarray(offset + MESSAGE_HEADER_LENGTH, offset + length),
    });
    offset += align4(length);
  }
  return messages;
}

/** The attributes in `payload` from `offset` on, which must not lie beyond its end. Throws EBADMSG when one does not fit. */
export function parseAttributes(payload: Uint8Array, offset: number): Attributes {
  if (payload.length < offset) throw malformed(`body of ${payload.length} bytes, ${offset} expected`);
  const view = viewOf(payload);
  const attributes = new Map<number, Uint8Array>();
  let at = align4(offset);
  while (at < payload.length) {
    const left = payload.length - at;
    if (left < ATTRIBUTE_HEADER_LENGTH) throw malformed(`${left} bytes where an attribute header of 4 should be`);
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (length < ATTRIBUTE_HEADER_LENGTH || length > left)
      throw malformed(`attribute length ${length} with ${left} bytes left`);
    attributes.set(
      view.getUint16(at + 2, LITTLE_ENDIAN) & NLA_TYPE_MASK,
      payload.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length),
    );
    at += align4(length);
  }
  return attributes;
}

/** A u32 attribute, or undefined if it is absent. Throws EBADMSG when it is shorter than 4 bytes. */
export function readU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  if (value.length < 4) throw malformed(`attribute ${type} has ${value.length} bytes, a u32 needs 4`);
  return viewOf(value).getUint32(0, LITTLE_ENDIAN);
}

/** A u16 attribute in network order, as ports are, or undefined if it is absent. Throws EBADMSG when it is shorter than 2 bytes. */
export function readPort(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  if (value.length < 2) throw malformed(`attribute ${type} has ${value.length} bytes, a port needs 2`);
  return viewOf(value).getUint16(0);
}

/** A string attribute up to its NUL (or its end), or undefined if it is absent. */
export function readString(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/**
 * What an NLMSG_ERROR or NLMSG_DONE message says; undefined for every other type. Throws EBADMSG when it is cut short.
 *
 * NLMSG_ERROR: s32 error, header of the request, its body unless NLM_F_CAPPED, then attributes if NLM_F_ACK_TLVS.
 * NLMSG_DONE: s32 error, then attributes if NLM_F_ACK_TLVS.
 */
export function parseVerdict(message: NetlinkMessage): Verdict | undefined {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return undefined;
  const { payload } = message;
  // Old kernels end a dump with a bare NLMSG_DONE.
  if (message.type === NLMSG_DONE && payload.length === 0) return { errno: 0, text: undefined };
  if (payload.length < 4) throw malformed(`answer of ${payload.length} bytes, an error code needs 4`);
  const errno = 0 - viewOf(payload).getInt32(0, LITTLE_ENDIAN);
  if (errno < 0) throw malformed(`error code ${-errno} is positive`);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: undefined };
  return { errno, text: readString(parseAttributes(payload, verdictAttributesOffset(message)), NLMSGERR_ATTR_MSG) };
}

function verdictAttributesOffset(message: NetlinkMessage): number {
  if (message.type === NLMSG_DONE) return 4;
  const end = 4 + MESSAGE_HEADER_LENGTH;
  if (message.payload.length < end) throw malformed(`answer of ${message.payload.length} bytes, ${end} expected`);
  if ((message.flags & NLM_F_CAPPED) !== 0) return end;
  const requestLength = viewOf(message.payload).getUint32(4, LITTLE_ENDIAN);
  if (requestLength < MESSAGE_HEADER_LENGTH || requestLength > message.payload.length)
    throw malformed(`answer repeats a request of ${requestLength} bytes`);
  return 4 + align4(requestLength);
}

/** The bytes of a message whose fixed body is `body`. Its own port is left 0, which the kernel takes as "the sender's". */
export function emitMessage(
  header: { readonly type: number; readonly flags: number; readonly sequence: number },
  body: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  let length = MESSAGE_HEADER_LENGTH + align4(body.length);
  for (const { value } of attributes) length += ATTRIBUTE_HEADER_LENGTH + align4(value.length);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, length, LITTLE_ENDIAN);
  view.setUint16(4, header.type, LITTLE_ENDIAN);
  view.setUint16(6, header.flags, LITTLE_ENDIAN);
  view.setUint32(8, header.sequence, LITTLE_ENDIAN);
  bytes.set(body, MESSAGE_HEADER_LENGTH);
  putAttributes(bytes, MESSAGE_HEADER_LENGTH + align4(body.length), attributes);
  return bytes;
}

export function u32Attribute(type: number, value: number): Attribute {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, LITTLE_ENDIAN);
  return { type, value: bytes };
}

/** An attribute that holds others. */
export function nestedAttribute(type: number, attributes: readonly Attribute[]): Attribute {
  const length = attributes.reduce((sum, { value }) => sum + ATTRIBUTE_HEADER_LENGTH + align4(value.length), 0);
  const bytes = new Uint8Array(length);
  putAttributes(bytes, 0, attributes);
  return { type, value: bytes };
}

function putAttributes(bytes: Uint8Array, start: number, attributes: readonly Attribute[]): void {
  const view = viewOf(bytes);
  let offset = start;
  for (const { type, value } of attributes) {
    view.setUint16(offset, ATTRIBUTE_HEADER_LENGTH + value.length, LITTLE_ENDIAN);
    view.setUint16(offset + 2, type, LITTLE_ENDIAN);
    bytes.set(value, offset + ATTRIBUTE_HEADER_LENGTH);
    offset += ATTRIBUTE_HEADER_LENGTH + align4(value.length);
  }
}

/** A string with its closing NUL, which the kernel expects in names. */
export function stringAttribute(type: number, text: string): Attribute {
  return { type, value: new TextEncoder().encode(`${text}\0`) };
}
