/**
 * The messages that follow a TapReply: each begins with its length in bytes, a multiple of 8 (u32), and its type (u8 at 4). All
 * numbers are little endian. A record is what the data plane writes into its memory (lib/fastpath/abi.ts, TAP_*), so that
 * nobody on the way has to look into it:
 *
 *      4 u8   type: 0 outbound, 1 inbound          16 u32  packets it stands for
 *      5 u8   verdict, of TAP_VERDICTS             20 u16  packets of the train, 0: none; 22 u16 place in it
 *      6 u8   place of the drop reason             24 f64  time in; 32 f64 time out, 0: none; ms, see below
 *             in TapReply.reasons, 255: none       40 u8   family of the address, 0: none; 41 u8 1: a frame
 *      7 u8   1: of a super-packet                 42 u16  bytes of the packet that are here
 *      8 u16  number of the network                44      16 bytes, address on the underlay, network order
 *     10 u16  payload of its cuts (gso_size)       60      12 bytes that mean nothing
 *     12 u32  length of the packet                 72      the first bytes of the packet or frame
 *
 * Type 254, clock: i64 at 8, what to add to the times of the records that follow, in ns, for CLOCK_REALTIME. Types 253, lost, and
 * 252, end: u64 at 8, records that this reader has lost so far; u64 at 16, those it was sent.
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
const CLOCK = 254;
const LOST = 253;
const END = 252;
const RECORD_HEADER = 72;
const CLOCK_BYTES = 16;
const LOSS_BYTES = 24;
const MOST_BYTES = RECORD_HEADER + MAX_TAP_SNAP;

export function encodeTapClock(offset: bigint): Uint8Array {
  const message = begin(CLOCK, CLOCK_BYTES);
  new DataView(message.buffer).setBigInt64(8, offset, true);
  return message;
}

export function encodeTapLoss(type: 'lost' | 'end', { lost, sent }: TapLoss): Uint8Array {
  const message = begin(type === 'lost' ? LOST : END, LOSS_BYTES);
  const view = new DataView(message.buffer);
  view.setBigUint64(8, BigInt(lost), true);
  view.setBigUint64(16, BigInt(sent), true);
  return message;
}

function begin(type: number, length: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(length);
  new DataView(message.buffer).setUint32(0, length, true);
  message[4] = type;
  return message;
}

/** Cuts a stream of bytes into messages, however they are split. */
export class TapDecoder {
  #rest: Uint8Array = new Uint8Array(0);
  #clock = 0n;

  /** What is complete with these bytes. Undefined: this is not a tap's stream, and nothing more can be read of it. */
  take(chunk: Uint8Array): TapMessage[] | undefined {
    const bytes = this.#rest.length === 0 ? chunk : concatenate(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const messages: TapMessage[] = [];
    let at = 0;
    while (bytes.length - at >= 8) {
      const length = view.getUint32(at, true);
      if (length < CLOCK_BYTES || length > MOST_BYTES || length % 8 !== 0) return undefined;
      if (bytes.length - at < length) break;
      // Copied, which a Buffer's slice does not: whoever keeps a record does not keep the chunk it came with.
      const read = this.#read(new Uint8Array(bytes.subarray(at, at + length)));
      if (read === undefined) return undefined;
      messages.push(...read);
      at += length;
    }
    this.#rest = new Uint8Array(bytes.subarray(at));
    return messages;
  }

  #read(message: Uint8Array): TapMessage[] | undefined {
    const view = new DataView(message.buffer);
    switch (message[4]) {
      case CLOCK:
        this.#clock = view.getBigInt64(8, true);
        return message.length === CLOCK_BYTES ? [] : undefined;
      case LOST:
      case END: {
        if (message.length !== LOSS_BYTES) return undefined;
        const loss = { lost: Number(view.getBigUint64(8, true)), sent: Number(view.getBigUint64(16, true)) };
        return [{ type: message[4] === LOST ? 'lost' : 'end', ...loss }];
      }
      default: {
        const record = readTapRecord(message, this.#clock);
        return record === undefined ? undefined : [{ type: 'record', record }];
      }
    }
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

/** Reads a message that is a record; undefined: it is none. `clock`: what the last clock message said. */
export function readTapRecord(message: Uint8Array, clock: bigint): RawTapRecord | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (message.length < RECORD_HEADER || message[4]! > 1 || message[5]! >= TAP_VERDICTS.length) return undefined;
  const captured = view.getUint16(42, true);
  if (RECORD_HEADER + captured > message.length) return undefined;
  const family = message[40];
  return {
    inbound: message[4] === 1,
    verdict: message[5]!,
    reason: message[6]!,
    superPacket: message[7] === 1,
    network: view.getUint16(8, true),
    gsoSize: view.getUint16(10, true),
    length: view.getUint32(12, true),
    packets: view.getUint32(16, true),
    trainPackets: view.getUint16(20, true),
    trainIndex: view.getUint16(22, true),
    timeIn: timeOf(view.getFloat64(24, true), clock),
    timeOut: timeOf(view.getFloat64(32, true), clock),
    ethernet: message[41] === 1,
    peer: message.subarray(44, family === 6 ? 60 : family === 4 ? 48 : 44),
    bytes: message.subarray(RECORD_HEADER, RECORD_HEADER + captured),
  };
}

/** Of a time that is none, and of one that cannot be: 0. */
function timeOf(ms: number, clock: bigint): bigint {
  return ms > 0 && ms < 1e12 ? BigInt(Math.round(ms * 1_000_000)) + clock : 0n;
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
