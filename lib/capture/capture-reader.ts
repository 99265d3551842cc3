/** Reads capture files of both kinds, packet by packet. What is wrong in the middle of one ends it, and is said. */
import { messageOf, WeftError } from '../error.ts';
import { type ByteSource, FileBytes } from './byte-source.ts';
import { CaptureProblem } from './capture-problem.ts';
import type { ReadPacket } from './captured-packet.ts';
import { pcapPackets, readPcapMagic } from './pcap.ts';
import { isPcapngMagic, pcapngPackets } from './pcapng-reader.ts';

export class CaptureReader {
  readonly #source: ByteSource & { close?(): void };
  readonly #path: string;
  #problem: string | undefined;

  /** Code CAPTURE_UNREADABLE: it cannot be opened. "-" is standard input. */
  static open(path: string): CaptureReader {
    try {
      return new CaptureReader(new FileBytes(path), path);
    } catch (cause) {
      throw unreadable(path, messageOf(cause), cause);
    }
  }

  constructor(source: ByteSource & { close?(): void }, path: string) {
    this.#source = source;
    this.#path = path;
  }

  /** Why the file was not read to its end: known after `packets` has ended. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Code CAPTURE_UNREADABLE: it is no capture file, or nothing of it can be read, as of a directory. */
  *packets(): Generator<ReadPacket> {
    const source: ByteSource = { take: (count) => this.#takeMore(count) };
    try {
      // A copy: the first bytes are looked at twice.
      const magic = this.#takeFirst(4).slice();
      if (isPcapngMagic(magic)) yield* pcapngPackets(source, magic);
      else {
        const format = readPcapMagic(magic);
        if (format === undefined) throw this.#noCapture(magic);
        yield* pcapPackets(source, format);
      }
    } catch (error) {
      if (!(error instanceof CaptureProblem)) throw error;
      this.#problem = error.message;
    } finally {
      this.#source.close?.();
    }
  }

  #takeFirst(count: number): Uint8Array {
    try {
      return this.#source.take(count);
    } catch (cause) {
      throw unreadable(this.#path, messageOf(cause), cause);
    }
  }

  /** A disk that fails later takes nothing from what was read before. */
  #takeMore(count: number): Uint8Array {
    try {
      return this.#source.take(count);
    } catch (cause) {
      throw new CaptureProblem(`it cannot be read further: ${messageOf(cause)}`);
    }
  }

  #noCapture(magic: Uint8Array): WeftError {
    if (magic.length === 0) return unreadable(this.#path, 'it is empty');
    const shown = Buffer.from(magic).toString('hex');
    return unreadable(this.#path, `it is no capture file: it begins with ${shown}, and neither pcap nor pcapng does`);
  }
}

function unreadable(path: string, why: string, cause?: unknown): WeftError {
  const name = path === '-' ? 'standard input' : JSON.stringify(path);
  return new WeftError('CAPTURE_UNREADABLE', `Cannot read ${name}: ${why}`, {
    cause,
    hint: 'pcap and pcapng files are read: those of weft capture, tcpdump -w, Wireshark',
  });
}
