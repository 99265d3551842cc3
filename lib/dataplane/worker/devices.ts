/** The worker's view of segments and their devices, in words of the queue's memory (lib/fastpath/abi.ts, SEGMENTS). */
import {
  CONFIG_DEVICES_IN_USE,
  CONFIG_DEVICES_WANTED,
  MAX_SEGMENTS,
  SEGMENT_FD,
  SEGMENT_SIZE,
  SEGMENT_USED,
  SEGMENT_VNET_HEADER,
  SEGMENTS,
} from '../../fastpath/abi.ts';

const wordOf = (segment: number, field: number): number => (SEGMENTS + segment * SEGMENT_SIZE + field) / 4;

/** Descriptor of a segment's device, -1 without one. */
export function deviceOf(words: Int32Array, segment: number): number {
  return words[wordOf(segment, SEGMENT_FD)]!;
}

/** Bytes of virtio_net_hdr before each packet on the segment's device: 10 or 0. */
export function vnetHeaderOf(words: Int32Array, segment: number): number {
  return words[wordOf(segment, SEGMENT_VNET_HEADER)]!;
}

/** The device is gone: nobody uses its descriptor any more. */
export function forgetDevice(words: Int32Array, segment: number): void {
  Atomics.store(words, wordOf(segment, SEGMENT_FD), -1);
}

export class Devices {
  readonly #words: Int32Array;
  /** Segments in use. */
  #used: readonly number[] = [];
  /** Those with a device. */
  segments: readonly number[] = [];

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Takes note of devices given and taken since the last call. Returns the segments that ended, undefined if nothing changed. */
  refresh(): readonly number[] | undefined {
    const words = this.#words;
    const wanted = Atomics.load(words, CONFIG_DEVICES_WANTED / 4);
    if (wanted === words[CONFIG_DEVICES_IN_USE / 4]) return undefined;
    const used = Array.from({ length: MAX_SEGMENTS }, (_, i) => i + 1).filter(
      (segment) => Atomics.load(words, wordOf(segment, SEGMENT_USED)) !== 0,
    );
    const ended = this.#used.filter((segment) => !used.includes(segment));
    this.#used = used;
    this.collect();
    Atomics.store(words, CONFIG_DEVICES_IN_USE / 4, wanted);
    return ended;
  }

  /** Looks again which segments have a device. */
  collect(): void {
    this.segments = this.#used.filter((segment) => deviceOf(this.#words, segment) >= 0);
  }
}
