/** The other end of the tap: takes what a worker recorded out of the memory of its queue. For one thread at a time. */
import {
  COUNT_TAP_LOST,
  COUNTER_BLOCK,
  COUNTERS,
  MAX_SEGMENTS,
  TAP_CLOCK,
  TAP_DIRECTION,
  TAP_HEAD,
  TAP_IN,
  TAP_IN_RING,
  TAP_NONE_FORWARDED,
  TAP_OUT,
  TAP_OUT_RING,
  TAP_PAD,
  TAP_RING_SIZE,
  TAP_SIZE,
  TAP_SNAP_SHIFT,
  TAP_TAIL,
} from '../fastpath/abi.ts';

/** The value of CONFIG_TAP for one of `sample` forwarded packets (undefined: none) and `snapLength` bytes of each. */
export function tapWanted(sample: number | undefined, snapLength: number): number {
  return (snapLength << TAP_SNAP_SHIFT) | (sample ?? TAP_NONE_FORWARDED);
}

const RINGS = [
  { block: TAP_OUT, at: TAP_OUT_RING },
  { block: TAP_IN, at: TAP_IN_RING },
] as const;

export class TapRings {
  /** The whole memory: a record is the TAP_SIZE bytes from where `drain` says (lib/fastpath/abi.ts). */
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;

  constructor(buffer: SharedArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** What to add to the times of records, in ns, for CLOCK_REALTIME. */
  get clock(): bigint {
    return this.#view.getBigInt64(TAP_CLOCK, true);
  }

  /** Records that found no room, since the data plane began. */
  get lost(): number {
    let lost = 0;
    for (let segment = 0; segment <= MAX_SEGMENTS; segment++)
      lost += this.#view.getUint32(COUNTERS + segment * COUNTER_BLOCK + COUNT_TAP_LOST * 8, true);
    return lost;
  }

  /** Says where each record lies that is there, those of one direction in their order. Returns the bytes they took in the fuller ring. */
  drain(onRecord: (at: number) => void): number {
    let most = 0;
    for (const { block, at } of RINGS) {
      const head = Atomics.load(this.#words, (block + TAP_HEAD) / 4) >>> 0;
      let tail = this.#words[(block + TAP_TAIL) / 4]! >>> 0;
      most = Math.max(most, (head - tail) >>> 0);
      while (tail !== head) {
        const record = at + (tail & (TAP_RING_SIZE - 1));
        if (this.bytes[record + TAP_DIRECTION] !== TAP_PAD) onRecord(record);
        tail = (tail + this.#words[(record + TAP_SIZE) / 4]!) >>> 0;
      }
      Atomics.store(this.#words, (block + TAP_TAIL) / 4, tail | 0);
    }
    return most;
  }
}
