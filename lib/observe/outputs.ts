/** Where captured packets go: pcapng into files or a stream, or lines for people. */
import type { CaptureInterface } from '../capture/pcapng.ts';
import { INBOUND, OUTBOUND, PcapngWriter } from '../capture/pcapng-writer.ts';
import { CaptureFiles, type Rotation } from './capture-files.ts';
import type { EdgeCapture, EdgeCounts, EdgePacket } from './edge-capture.ts';
import { PacketLines } from './packet-line.ts';
import type { PacketNotes } from './packet-notes.ts';
import type { PacketOutput } from './run-capture.ts';
import type { StreamSink } from './stream-sink.ts';

type Edges = EdgeCapture['edges'];

export interface PcapngOptions {
  /** "weft 0.1.0" */
  readonly application: string;
  readonly snapLength: number;
  readonly notes: PacketNotes;
}

function interfacesOf(edges: Edges, snapLength: number): CaptureInterface[] {
  return edges.map(({ edge, linkType }) => {
    const networks = edge.networks.map(
      ({ name, wire }) => `${name === '' ? '' : `network ${name}, `}${wire.encapsulation}`,
    );
    return {
      name: edge.device,
      description: `${edge.kind}: ${networks.join('; ')}`,
      linkType,
      snapLength,
      ...(edge.filter !== '' && { filter: edge.filter }),
    };
  });
}

function writePacket(writer: PcapngWriter, notes: PacketNotes, seen: EdgePacket): void {
  const { frame, packet, number } = seen;
  writer.packet(
    number,
    frame.seconds,
    frame.nanoseconds,
    packet,
    frame.outgoing ? OUTBOUND : INBOUND,
    notes.comment(seen),
  );
}

function writeCounts(writer: PcapngWriter, counts: readonly EdgeCounts[]): void {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  for (const [number, { received, dropped }] of counts.entries())
    writer.statistics(number, seconds, (now - seconds * 1000) * 1_000_000, received, dropped);
}

/** Of a rotation, the file that is the last has the counts of all. */
export class FileOutput implements PacketOutput {
  readonly #options: PcapngOptions;
  readonly #path: string;
  readonly #rotation: Rotation;
  readonly #rotates: boolean;
  #files: CaptureFiles | undefined;
  #interfaces: CaptureInterface[] = [];
  #writer: PcapngWriter | undefined;
  #done = false;

  constructor(path: string, rotation: Rotation, options: PcapngOptions) {
    this.#options = options;
    this.#path = path;
    this.#rotation = rotation;
    this.#rotates = rotation.bytes !== undefined || rotation.seconds !== undefined;
  }

  get files(): number {
    return this.#files?.opened ?? 0;
  }

  /** A capture that is there is replaced now and not earlier: one that cannot begin destroys nothing. Throws CAPTURE_NOT_WRITTEN. */
  begin(edges: Edges): void {
    this.#files = new CaptureFiles(this.#path, this.#rotation, new Date());
    this.#interfaces = interfacesOf(edges, this.#options.snapLength);
    this.#writer = this.#newWriter();
  }

  packet(seen: EdgePacket): void {
    if (this.#rotates) this.#turn();
    if (!this.#done && this.#writer !== undefined) writePacket(this.#writer, this.#options.notes, seen);
  }

  flush(): void {
    this.#writer?.flush();
    if (this.#rotates) this.#turn();
  }

  isFull(): boolean {
    return false;
  }

  async proceed(): Promise<void> {}

  checkReader(): void {}

  dueInMs(): number | undefined {
    return this.#files?.dueInMs(Date.now());
  }

  isDone(): boolean {
    return this.#done;
  }

  async end(counts: readonly EdgeCounts[]): Promise<void> {
    if (this.#writer === undefined) return;
    writeCounts(this.#writer, counts);
    this.#writer.flush();
  }

  close(): void {
    this.#files?.close();
  }

  #turn(): void {
    const writer = this.#writer;
    const files = this.#files;
    if (this.#done || writer === undefined || files?.isDue(Date.now(), writer.pending) !== true) return;
    writer.flush();
    if (files.next(new Date())) this.#writer = this.#newWriter();
    else this.#done = true;
  }

  #newWriter(): PcapngWriter {
    return new PcapngWriter(this.#options.application, this.#interfaces, (bytes) => this.#files?.write(bytes));
  }
}

/** What streams have in common: the reader's pace. */
abstract class StreamOutput {
  protected readonly sink: StreamSink;

  constructor(sink: StreamSink) {
    this.sink = sink;
  }

  isFull(): boolean {
    return this.sink.isFull;
  }

  proceed(timeoutMs: number): Promise<void> {
    return this.sink.proceed(timeoutMs);
  }

  checkReader(): void {
    this.sink.checkReader();
  }

  /** Of a reader that has not taken all: soon. */
  dueInMs(): number | undefined {
    return this.sink.isEmpty ? undefined : 20;
  }

  isDone(): boolean {
    return false;
  }

  /** Our choice: a reader that takes nothing for so long does not get the rest. */
  protected async takeRest(): Promise<void> {
    for (let i = 0; i < 20 && !this.sink.isEmpty; i++) await this.sink.proceed(100);
  }

  close(): void {
    this.sink.close();
  }
}

export class PcapngStream extends StreamOutput implements PacketOutput {
  readonly #options: PcapngOptions;
  #writer: PcapngWriter | undefined;

  constructor(sink: StreamSink, options: PcapngOptions) {
    super(sink);
    this.#options = options;
  }

  begin(edges: Edges): void {
    const interfaces = interfacesOf(edges, this.#options.snapLength);
    this.#writer = new PcapngWriter(this.#options.application, interfaces, (bytes) => this.sink.write(bytes));
  }

  packet(seen: EdgePacket): void {
    if (this.#writer !== undefined) writePacket(this.#writer, this.#options.notes, seen);
  }

  flush(): void {
    this.#writer?.flush();
    this.sink.flush();
  }

  async end(counts: readonly EdgeCounts[]): Promise<void> {
    if (this.#writer !== undefined) writeCounts(this.#writer, counts);
    this.flush();
    await this.takeRest();
  }
}

/** A number: lines of at most so many columns, 0 for no limit. */
export type LineFormat = number | 'json';

export class LineOutput extends StreamOutput implements PacketOutput {
  readonly #format: LineFormat;
  #lines: PacketLines | undefined;
  #text: string[] = [];

  constructor(sink: StreamSink, format: LineFormat) {
    super(sink);
    this.#format = format;
  }

  begin(edges: Edges): void {
    this.#lines = new PacketLines(edges.map(({ edge }) => edge.device));
  }

  packet({ edge, linkType, tunnels, frame, packet, note }: EdgePacket): void {
    const { seconds, nanoseconds, outgoing } = frame;
    const where = { device: edge.device, linkType, packet, tunnels };
    const of = { seconds, nanoseconds, outgoing, ...where, ...(note !== undefined && { verdict: note }) };
    if (this.#format === 'json') this.#text.push(JSON.stringify(this.#lines?.report(of)));
    else this.#text.push(this.#lines?.line(of, this.#format) ?? '');
    if (this.#text.length >= 256) this.flush();
  }

  flush(): void {
    if (this.#text.length > 0) this.sink.write(new TextEncoder().encode(`${this.#text.join('\n')}\n`));
    this.#text = [];
    this.sink.flush();
  }

  async end(): Promise<void> {
    this.flush();
    await this.takeRest();
  }
}
