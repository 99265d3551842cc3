/** Cuts a stream into lines of a bounded length. */
import { WeftError } from '../../error.ts';

const NEWLINE = 0x0a;

export class LineReader {
  #most: number;
  #rest: Buffer = Buffer.alloc(0);

  /** `most`: bytes of a line. */
  constructor(most: number) {
    this.#most = most;
  }

  /** From the next line on. */
  set most(bytes: number) {
    this.#most = bytes;
  }

  push(chunk: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
  }

  /** The next line that is complete, without its end. Code: FAR_PROTOCOL when what is there is longer than any may be. */
  next(): string | undefined {
    const end = this.#rest.indexOf(NEWLINE);
    if ((end < 0 ? this.#rest.length : end) > this.#most)
      throw new WeftError('FAR_PROTOCOL', `A line is longer than ${this.#most} bytes`);
    if (end < 0) return undefined;
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }
}
