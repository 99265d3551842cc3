/** What one reader gets of what is recorded for all: its own sample, its own length, its own network, and what it has lost. */
import { encodeTapClock, encodeTapLoss, type TapLoss } from '../control/tap-messages.ts';
import type { TapRequest } from '../control/tap-protocol.ts';
import {
  TAP_BYTES,
  TAP_CAPTURED,
  TAP_DROPPED,
  TAP_FORWARDED,
  TAP_NETWORK,
  TAP_NEXT,
  TAP_SIZE,
  TAP_VERDICT,
} from '../fastpath/abi.ts';

/** Our choice: what waits for one reader at most; about 1,300 records. */
const MOST_WAITING = 256 * 1024;
/** Room for what is pushed beyond that: a record, a clock, two losses. */
const MARGIN = 4096;

export class Reader {
  readonly #request: TapRequest;
  /** Number of the network it asked for. */
  readonly #network: number | undefined;
  /** What is sent with the next `take`; as long as it is has been enough so far. */
  #batch = new Uint8Array(16 * 1024);
  #words = new Uint32Array(this.#batch.buffer);
  #used = 0;
  /** Forwarded packets that the records stood for since the last it was given. */
  #passed = 0;
  #lost = 0;
  #sent = 0;
  #lostSaid = 0;
  /** Of the records that come, and as it was said last. */
  #clock = 0n;
  #clockSaid = 0n;

  constructor(request: TapRequest, network: number | undefined) {
    this.#request = request;
    this.#network = network;
  }

  get loss(): TapLoss {
    return { lost: this.#lost, sent: this.#sent };
  }

  /** The clock of the records that follow, TapRings.clock. */
  setClock(clock: bigint): void {
    this.#clock = clock;
  }

  /**
   * The record at `at` of a data plane's memory. `sample`: a forwarded packet was recorded of so many. `waiting`: bytes that
   * the reader has not taken yet.
   */
  offer(memory: Uint8Array, at: number, sample: number, waiting: number): void {
    if (this.#network !== undefined && u16(memory, at + TAP_NETWORK) !== this.#network) return;
    if (!this.#isWanted(memory[at + TAP_VERDICT]!, sample)) return;
    if (waiting + this.#used > MOST_WAITING) {
      this.#lost++;
      return;
    }
    this.#sayLoss();
    if (this.#clock !== this.#clockSaid) {
      this.#clockSaid = this.#clock;
      this.#push(encodeTapClock(this.#clock));
    }
    this.#copy(memory, at);
    this.#sent++;
  }

  /** Records that the worker had no room for. */
  missed(records: number): void {
    this.#lost += records;
  }

  /** What is to be sent now. */
  take(waiting: number): Uint8Array | undefined {
    if (waiting <= MOST_WAITING) this.#sayLoss();
    if (this.#used === 0) return undefined;
    const bytes = this.#batch.slice(0, this.#used);
    this.#used = 0;
    return bytes;
  }

  /** The last that is sent. */
  end(): Uint8Array {
    this.#lostSaid = this.#lost;
    this.#push(encodeTapLoss('end', this.loss));
    return this.take(MOST_WAITING)!;
  }

  #isWanted(verdict: number, sample: number): boolean {
    if (this.#request.droppedOnly === true) return verdict === TAP_DROPPED;
    if (verdict !== TAP_FORWARDED) return true;
    this.#passed += sample;
    if (this.#passed < this.#request.sample) return false;
    this.#passed -= this.#request.sample;
    return true;
  }

  /** With no more of the packet than it asked for, and without what is the worker's alone. */
  #copy(memory: Uint8Array, at: number): void {
    const captured = Math.min(u16(memory, at + TAP_CAPTURED), this.#request.snapLength);
    const size = (TAP_BYTES + captured + 7) & ~7;
    this.#makeRoom(size);
    const to = this.#used;
    this.#batch.set(memory.subarray(at, at + TAP_BYTES + captured), to);
    this.#batch.fill(0, to + TAP_BYTES + captured, to + size);
    this.#batch.fill(0, to + TAP_NEXT, to + TAP_BYTES);
    this.#words[(to + TAP_SIZE) / 4] = size;
    this.#batch[to + TAP_CAPTURED] = captured & 0xff;
    this.#batch[to + TAP_CAPTURED + 1] = captured >> 8;
    this.#used += size;
  }

  #sayLoss(): void {
    if (this.#lost === this.#lostSaid) return;
    this.#lostSaid = this.#lost;
    this.#push(encodeTapLoss('lost', this.loss));
  }

  #push(message: Uint8Array): void {
    this.#makeRoom(message.length);
    this.#batch.set(message, this.#used);
    this.#used += message.length;
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#batch.length) return;
    const larger = new Uint8Array(Math.min(this.#batch.length * 4, MOST_WAITING + MARGIN));
    larger.set(this.#batch);
    this.#batch = larger;
    this.#words = new Uint32Array(larger.buffer);
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** What the widest of the readers want: the sample (undefined: no forwarded packets) and the bytes of each. */
export function widest(requests: readonly TapRequest[]): { sample: number | undefined; snapLength: number } {
  const samples = requests.filter(({ droppedOnly }) => droppedOnly !== true).map(({ sample }) => sample);
  return {
    sample: samples.length === 0 ? undefined : Math.min(...samples),
    snapLength: Math.max(0, ...requests.map(({ snapLength }) => snapLength)),
  };
}
