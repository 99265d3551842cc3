/** Takes frames out of a packet socket's ring, block by block: each is the kernel's, then ours, then the kernel's again. */
import {
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
  TPACKET_BLOCK_FIRST,
  TPACKET_BLOCK_PACKETS,
  TPACKET_BLOCK_STATUS,
  TPACKET_NEXT,
} from '../linux/packet.ts';
import { Frame, type SeenFrame } from './packet-frame.ts';
import { type PacketRing, RING_BLOCK } from './packet-ring.ts';

export class RingReader {
  readonly #blocks: number;
  readonly #view: DataView;
  /** The ring in words, for the one field that both sides write. */
  readonly #words: Int32Array;
  readonly #frame: Frame;
  #block = 0;
  /** Frames of the block in hand that have not been taken; 0: none is in hand. */
  #left = 0;
  /** Where the frame in hand begins. */
  #at = 0;
  #isRead = false;
  #closed = false;

  constructor({ memory, blocks }: PacketRing) {
    this.#blocks = blocks;
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
    this.#frame = new Frame(new Uint8Array(memory));
  }

  /** The oldest frame that was not taken; undefined when none has come. It stays until `take`. */
  peek(): SeenFrame | undefined {
    if (this.#left === 0 && !this.#openBlock()) return undefined;
    if (!this.#isRead) {
      this.#frame.read(this.#view, this.#at);
      this.#isRead = true;
    }
    return this.#frame;
  }

  /** Gives the frame in hand back to the kernel. */
  take(): void {
    if (this.#left === 0) return;
    this.#left--;
    this.#isRead = false;
    if (this.#left > 0) this.#at += this.#view.getUint32(this.#at + TPACKET_NEXT, true);
    else this.#giveBack();
  }

  /** Nothing is in the ring any more. */
  close(): void {
    this.#closed = true;
    this.#left = 0;
  }

  #statusWord(): number {
    return (this.#block * RING_BLOCK + TPACKET_BLOCK_STATUS) >> 2;
  }

  #giveBack(): void {
    Atomics.store(this.#words, this.#statusWord(), TP_STATUS_KERNEL);
    this.#block = (this.#block + 1) % this.#blocks;
  }

  #openBlock(): boolean {
    while (!this.#closed && (Atomics.load(this.#words, this.#statusWord()) & TP_STATUS_USER) !== 0) {
      const block = this.#block * RING_BLOCK;
      this.#left = this.#view.getUint32(block + TPACKET_BLOCK_PACKETS, true);
      this.#at = block + this.#view.getUint32(block + TPACKET_BLOCK_FIRST, true);
      this.#isRead = false;
      if (this.#left > 0) return true;
      this.#giveBack();
    }
    return false;
  }
}
