/**
 * The messages that follow a TapReply. All numbers are little endian:
 *
 *     0 u32  bytes that follow            8 u16  number of the network
 *     4 u8   1 record, 2 lost, 3 end     10 u16  size of the datagrams of a super-packet's cuts (gso_size), 0
 *     of a record:                       12 u32  length of the packet
 *     5 u8   0 outbound, 1 inbound       16 u32  packets it stands for
 *     6 u8   verdict, of TAP_VERDICTS    20 u16  packets of the train, 0: none; 22 u16 place in it
 *     7 u8   place of the drop reason    24 u64  time in; 32 u64 time out, 0: none. ns of CLOCK_REALTIME
 *            in TapReply.reasons, 255    40 u8   family of the peer's address, 0: none; 41 u8 flags; 42 u16 0
 *                                        44 16 bytes, the address in network order
 *                                        60 the first bytes of the inner packet or frame
 *     of lost and end:                    8 u64  records this reader has lost so far; 16 u64 records it was sent
 */
import { formatIp } from '../addr/ip.ts';
import { MAX_TAP_SNAP, TAP_VERDICTS, type TapRecord, type TapReply } from './tap-protocol.ts';

/** A record with numbers in place of names. */
export interface RawTapRecord {
  readonly network: number;
  readonly inbound: boolean;
  /** Of TAP_VERDICTS. */
  readonly verdict: number;
  /** NO_REASON: none. */
  readonly reason: number;
  /** 4 or 16 bytes; empty: none. */
  readonly peer: Uint8Array;
  readonly trainPackets: number;
  readonly trainIndex: number;
  readonly superPacket: boolean;
  readonly gsoSize: number;
  readonly packets: number;
  readonly timeIn: bigint;
  readonly timeOut: bigint;
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly ethernet: boolean;
}

export interface TapLoss {
  readonly lost: number;
  readonly sent: number;
}

export type TapMessage =
  | { readonly type: 'record'; readonly record: RawTapRecord }
  | ({ readonly type: 'lost' | 'end' } & TapLoss);

export const NO_REASON = 255;
const RECORD = 1;
const LOST = 2;
const END = 3;
const PREFIX = 4;
const RECORD_HEADER = 60;
const LOSS_BYTES = 24;
const FLAG_ETHERNET = 1;
const FLAG_SUPER = 2;

/** A record with at most `snapLength` bytes of its packet. */
export function encodeTapRecord(record: RawTapRecord, snapLength: number): Uint8Array {
  const bytes = record.bytes.subarray(0, snapLength);
  const message = new Uint8Array(RECORD_HEADER + bytes.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length - PREFIX, true);
  message[4] = RECORD;
  message[5] = Number(record.inbound);
  message[6] = record.verdict;
  message[7] = record.reason;
  view.setUint16(8, record.network, true);
  view.setUint16(10, record.gsoSize, true);
  view.setUint32(12, record.length, true);
  view.setUint32(16, record.packets, true);
  view.setUint16(20, record.trainPackets, true);
  view.setUint16(22, record.trainIndex, true);
  view.setBigUint64(24, record.timeIn, true);
  view.setBigUint64(32, record.timeOut, true);
  message[40] = record.peer.length === 16 ? 6 : record.peer.length === 4 ? 4 : 0;
  message[41] = (record.ethernet ? FLAG_ETHERNET : 0) | (record.superPacket ? FLAG_SUPER : 0);
  message.set(record.peer, 44);
  message.set(bytes, RECORD_HEADER);
  return message;
}

export function encodeTapLoss(type: 'lost' | 'end', { lost, sent }: TapLoss): Uint8Array {
  const message = new Uint8Array(LOSS_BYTES);
  const view = new DataView(message.buffer);
  view.setUint32(0, LOSS_BYTES - PREFIX, true);
  message[4] = type === 'lost' ? LOST : END;
  view.setBigUint64(8, BigInt(lost), true);
  view.setBigUint64(16, BigInt(sent), true);
  return message;
}

/** Cuts a stream of bytes into messages, however they are split. */
export class TapDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /** What is complete with these bytes. Undefined: this is not a tap's stream, and nothing more can be read of it. */
  take(chunk: Uint8Array): TapMessage[] | undefined {
    const bytes = this.#rest.length === 0 ? chunk : concatenate(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const messages: TapMessage[] = [];
    let at = 0;
    while (bytes.length - at >= PREFIX) {
      const length = PREFIX + view.getUint32(at, true);
      if (length < LOSS_BYTES || length > RECORD_HEADER + MAX_TAP_SNAP) return undefined;
      if (bytes.length - at < length) break;
      // Copied, which a Buffer's slice does not: whoever keeps a record does not keep the chunk it came with.
      const message = readMessage(new Uint8Array(bytes.subarray(at, at + length)));
      if (message === undefined) return undefined;
      messages.push(message);
      at += length;
    }
    this.#rest = new Uint8Array(bytes.subarray(at));
    return messages;
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

function readMessage(message: Uint8Array): TapMessage | undefined {
  const view = new DataView(message.buffer);
  const type = message[4];
  if (type === LOST || type === END) {
    if (message.length !== LOSS_BYTES) return undefined;
    const loss = { lost: Number(view.getBigUint64(8, true)), sent: Number(view.getBigUint64(16, true)) };
    return { type: type === LOST ? 'lost' : 'end', ...loss };
  }
  const family = message[40];
  if (type !== RECORD || message.length < RECORD_HEADER || message[6]! >= TAP_VERDICTS.length) return undefined;
  const flags = message[41]!;
  return {
    type: 'record',
    record: {
      network: view.getUint16(8, true),
      inbound: message[5] === 1,
      verdict: message[6]!,
      reason: message[7]!,
      peer: message.subarray(44, family === 6 ? 60 : family === 4 ? 48 : 44),
      trainPackets: view.getUint16(20, true),
      trainIndex: view.getUint16(22, true),
      superPacket: (flags & FLAG_SUPER) !== 0,
      gsoSize: view.getUint16(10, true),
      packets: view.getUint32(16, true),
      timeIn: view.getBigUint64(24, true),
      timeOut: view.getBigUint64(32, true),
      bytes: message.subarray(RECORD_HEADER),
      length: view.getUint32(12, true),
      ethernet: (flags & FLAG_ETHERNET) !== 0,
    },
  };
}

/** The record with the names that the reply gave. */
export function namedRecord(
  raw: RawTapRecord,
  { networks, reasons }: Pick<TapReply, 'networks' | 'reasons'>,
): TapRecord {
  return {
    network: networks.find(({ number }) => number === raw.network)?.name ?? '',
    direction: raw.inbound ? 'inbound' : 'outbound',
    verdict: TAP_VERDICTS[raw.verdict]!,
    reason: raw.reason === NO_REASON ? null : (reasons[raw.reason] ?? 'unknown'),
    peer: addressText(raw.peer),
    train: raw.trainPackets === 0 ? null : { packets: raw.trainPackets, index: raw.trainIndex },
    superPacket: raw.superPacket,
    gsoSize: raw.gsoSize,
    packets: raw.packets,
    timeIn: raw.timeIn,
    timeOut: raw.timeOut === 0n ? null : raw.timeOut,
    bytes: raw.bytes,
    length: raw.length,
    ethernet: raw.ethernet,
  };
}

function addressText(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return formatIp(bytes.length === 4 ? view.getUint32(0) : (view.getBigUint64(0) << 64n) | view.getBigUint64(8));
}
