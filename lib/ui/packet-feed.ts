/** The tap of one network as batches of lines: so many a second, whatever passes. */
import { openTap, type Tap, type TapRecord } from '../control/tap-client.ts';
import { WeftError } from '../error.ts';
import type { PacketBatch, PacketLine, Sentence } from './messages.ts';
import type { Surroundings } from './outer-headers.ts';
import type { KeptPacket } from './packet-detail.ts';
import { packetLine } from './packet-line.ts';
import { LINES_PER_SECOND, SampleChoice } from './sample.ts';

const BATCH_MS = 500;
const MOST_IN_BATCH = (LINES_PER_SECOND * BATCH_MS) / 1000;
/** Our choice: so many lines of a batch are forwarded packets' even when very many are dropped. */
const LEAST_FORWARDED = 50;
/** Our choice: headers, and a little of what is in them. Bytes. */
const SNAP = 256;
/** Our choice: records that are kept for whoever clicks on one; 2 MB. */
const KEPT = 5000;
/** Our choice: lines that a new page gets at once. */
const FIRST_LINES = 1000;
/** Our choice: until the first rate is known. */
const FIRST_SAMPLE = 64;

export interface FeedOptions {
  /** '' for the only network. */
  readonly network: string;
  /** Numbers packets across all networks. */
  readonly nextId: () => number;
  /** What is known of the network now. */
  readonly around: () => Surroundings | undefined;
  readonly onBatch: (batch: PacketBatch) => void;
  /** Null: the packets come. */
  readonly onState: (problem: Sentence | null) => void;
}

export class PacketFeed {
  readonly #options: FeedOptions;
  /** By id, the oldest first. */
  readonly #kept = new Map<number, KeptPacket>();
  #choice = new SampleChoice(FIRST_SAMPLE);
  #tap: Tap | undefined;
  #timer: NodeJS.Timeout | undefined;
  #forwarded: TapRecord[] = [];
  #others: TapRecord[] = [];
  /** Of taps that were closed. */
  #lostBefore = 0;
  #skipped = 0;
  #told = '';

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Opens the tap, if it is not open. */
  open(socketPath: string): void {
    if (this.#tap !== undefined) return;
    const { network } = this.#options;
    const { sample } = this.#choice;
    const tap = openTap(socketPath, { sample, snapLength: SNAP, ...(network !== '' && { network }) });
    this.#tap = tap;
    this.#timer ??= setInterval(() => this.#flush(), BATCH_MS);
    void this.#read(tap);
  }

  /** A tick's forwarded packets a second: asks for another part of them if that is too few or too many. */
  rate(packets: number, socketPath: string): void {
    if (!this.#choice.rate(packets) || this.#tap === undefined) return;
    this.close();
    this.open(socketPath);
  }

  /** What is kept stays. */
  close(): void {
    const tap = this.#tap;
    this.#tap = undefined;
    if (tap !== undefined) this.#lostBefore += tap.lost;
    tap?.close();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  find(id: number): KeptPacket | undefined {
    return this.#kept.get(id);
  }

  /** The latest of those that are kept. */
  get latest(): PacketBatch {
    const ids = [...this.#kept.keys()].slice(-FIRST_LINES);
    return this.#batch(ids.map((id) => this.#kept.get(id)!.line));
  }

  async #read(tap: Tap): Promise<void> {
    try {
      await tap.reply;
      if (tap === this.#tap) this.#tell(null);
      for await (const record of tap) if (tap === this.#tap) this.#take(record);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      if (tap === this.#tap) this.#tell({ text: error.message, hint: error.hint ?? null });
    }
    // It ended by itself, or never began: whoever looks at weftd opens it again.
    if (tap === this.#tap) this.close();
  }

  #take(record: TapRecord): void {
    const list = record.verdict === 'forwarded' ? this.#forwarded : this.#others;
    if (list.length < MOST_IN_BATCH) list.push(record);
    else this.#skipped++;
  }

  #flush(): void {
    const [forwarded, others] = [this.#forwarded, this.#others];
    if (forwarded.length + others.length === 0) return;
    this.#forwarded = [];
    this.#others = [];
    const some = others.slice(0, MOST_IN_BATCH - Math.min(LEAST_FORWARDED, forwarded.length));
    const rest = forwarded.slice(0, MOST_IN_BATCH - some.length);
    this.#skipped += forwarded.length + others.length - some.length - rest.length;
    const records = [...some, ...rest].toSorted((a, b) => Number(a.timeIn - b.timeIn));
    this.#options.onBatch(this.#batch(records.map((record) => this.#keep(record))));
  }

  #keep(record: TapRecord): PacketLine {
    const line = packetLine(record, this.#options.nextId());
    this.#kept.set(line.id, { line, record, around: this.#options.around() });
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return line;
  }

  #batch(lines: readonly PacketLine[]): PacketBatch {
    const lost = this.#lostBefore + (this.#tap?.lost ?? 0);
    return { lines, sample: this.#choice.sample, lost, skipped: this.#skipped };
  }

  #tell(problem: Sentence | null): void {
    const told = JSON.stringify(problem);
    if (told !== this.#told) this.#options.onState(problem);
    this.#told = told;
  }
}
