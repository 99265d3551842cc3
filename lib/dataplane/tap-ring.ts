/** The other end of the tap: takes what a worker recorded out of the memory of its queue. For one thread at a time. */
import {
  COUNT_TAP_LOST,
  COUNTER_BLOCK,
  COUNTERS,
  MAX_SEGMENTS,
  TAP_ADDRESS,
  TAP_BYTES,
  TAP_CAPTURED,
  TAP_CLOCK,
  TAP_DIRECTION,
  TAP_ETHERNET,
  TAP_FAMILY,
  TAP_GSO_SIZE,
  TAP_HEAD,
  TAP_IN,
  TAP_IN_RING,
  TAP_LENGTH,
  TAP_NETWORK,
  TAP_NONE_FORWARDED,
  TAP_OUT,
  TAP_OUT_RING,
  TAP_PACKETS,
  TAP_PAD,
  TAP_REASON,
  TAP_RING_SIZE,
  TAP_SIZE,
  TAP_SNAP_SHIFT,
  TAP_SUPER,
  TAP_TAIL,
  TAP_TIME_IN,
  TAP_TIME_OUT,
  TAP_TRAIN_INDEX,
  TAP_TRAIN_PACKETS,
  TAP_VERDICT,
} from '../fastpath/abi.ts';

/** A record, with the numbers of lib/fastpath/abi.ts. Its bytes are copies. */
export interface TapEntry {
  readonly network: number;
  readonly inbound: boolean;
  /** TAP_FORWARDED, TAP_DROPPED, TAP_FLOODED, TAP_ANSWERED. */
  readonly verdict: number;
  /** DROP_*, or TAP_NO_REASON. */
  readonly reason: number;
  /** 4 or 16 bytes; empty: none. */
  readonly peer: Uint8Array;
  readonly trainPackets: number;
  readonly trainIndex: number;
  readonly superPacket: boolean;
  readonly gsoSize: number;
  readonly packets: number;
  /** ns of CLOCK_REALTIME; no time out: 0. */
  readonly timeIn: bigint;
  readonly timeOut: bigint;
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly ethernet: boolean;
}

/** The value of CONFIG_TAP for one of `sample` forwarded packets (undefined: none) and `snapLength` bytes of each. */
export function tapWanted(sample: number | undefined, snapLength: number): number {
  return (snapLength << TAP_SNAP_SHIFT) | (sample ?? TAP_NONE_FORWARDED);
}

const RINGS = [
  { block: TAP_OUT, at: TAP_OUT_RING },
  { block: TAP_IN, at: TAP_IN_RING },
] as const;

export class TapRings {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Records that found no room, since the data plane began. */
  get lost(): number {
    let lost = 0;
    for (let segment = 0; segment <= MAX_SEGMENTS; segment++)
      lost += this.#view.getUint32(COUNTERS + segment * COUNTER_BLOCK + COUNT_TAP_LOST * 8, true);
    return lost;
  }

  /** Hands over all records that are there, those of each direction in their order. Returns the bytes they took in the fuller ring. */
  drain(onEntry: (entry: TapEntry) => void): number {
    let most = 0;
    for (const { block, at } of RINGS) {
      const head = Atomics.load(this.#words, (block + TAP_HEAD) / 4) >>> 0;
      let tail = this.#words[(block + TAP_TAIL) / 4]! >>> 0;
      most = Math.max(most, (head - tail) >>> 0);
      while (tail !== head) {
        const record = at + (tail & (TAP_RING_SIZE - 1));
        if (this.#bytes[record + TAP_DIRECTION] !== TAP_PAD) onEntry(this.#read(record));
        tail = (tail + this.#words[(record + TAP_SIZE) / 4]!) >>> 0;
      }
      Atomics.store(this.#words, (block + TAP_TAIL) / 4, tail | 0);
    }
    return most;
  }

  #read(record: number): TapEntry {
    const bytes = this.#bytes;
    const view = this.#view;
    const family = bytes[record + TAP_FAMILY];
    const address = record + TAP_ADDRESS;
    return {
      network: view.getUint16(record + TAP_NETWORK, true),
      inbound: bytes[record + TAP_DIRECTION] === 1,
      verdict: bytes[record + TAP_VERDICT]!,
      reason: bytes[record + TAP_REASON]!,
      peer: bytes.slice(address, address + (family === 6 ? 16 : family === 4 ? 4 : 0)),
      trainPackets: view.getUint16(record + TAP_TRAIN_PACKETS, true),
      trainIndex: view.getUint16(record + TAP_TRAIN_INDEX, true),
      superPacket: bytes[record + TAP_SUPER] === 1,
      gsoSize: view.getUint16(record + TAP_GSO_SIZE, true),
      packets: view.getUint32(record + TAP_PACKETS, true),
      timeIn: this.#time(record + TAP_TIME_IN),
      timeOut: this.#time(record + TAP_TIME_OUT),
      bytes: bytes.slice(record + TAP_BYTES, record + TAP_BYTES + view.getUint16(record + TAP_CAPTURED, true)),
      length: view.getUint32(record + TAP_LENGTH, true),
      ethernet: bytes[record + TAP_ETHERNET] === 1,
    };
  }

  #time(at: number): bigint {
    const ms = this.#view.getFloat64(at, true);
    if (ms === 0) return 0n;
    return BigInt(Math.round(ms * 1_000_000)) + this.#view.getBigInt64(TAP_CLOCK, true);
  }
}
