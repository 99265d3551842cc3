import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes one after the other. */
export interface ByteSource {
  /** The next `count` bytes; fewer only where they end. The view holds until the next call. Throws what read(2) says. */
  take(count: number): Uint8Array;
}

export function bytesOf(bytes: Uint8Array): ByteSource {
  let at = 0;
  return {
    take: (count) => {
      const taken = bytes.subarray(at, at + count);
      at += taken.length;
      return taken;
    },
  };
}

/** Our choice: large against one call's cost, small against any machine. */
const CHUNK = 1 << 20;

/** Of a file, a pipe or a device; read as it is asked for, so that a file may be larger than memory. */
export class FileBytes implements ByteSource {
  readonly #fd: number;
  readonly #closes: boolean;
  #buffer = new Uint8Array(CHUNK);
  #start = 0;
  #end = 0;

  /** `path` "-" is standard input. Throws what open(2) says. */
  constructor(path: string) {
    this.#closes = path !== '-';
    this.#fd = this.#closes ? openSync(path, 'r') : 0;
  }

  take(count: number): Uint8Array {
    while (this.#end - this.#start < count && this.#fill(count));
    const taken = this.#buffer.subarray(this.#start, Math.min(this.#start + count, this.#end));
    this.#start += taken.length;
    return taken;
  }

  close(): void {
    if (this.#closes) closeSync(this.#fd);
  }

  /** False at the end. */
  #fill(count: number): boolean {
    if (this.#start > 0) {
      // What was handed out before may go now.
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (count > this.#buffer.length) {
      const larger = new Uint8Array(count + CHUNK);
      larger.set(this.#buffer.subarray(0, this.#end));
      this.#buffer = larger;
    }
    const read = this.#read();
    this.#end += read;
    return read > 0;
  }

  /** Waits where a pipe does not by itself: whoever shares it, ssh for one, may have made it so. */
  #read(): number {
    for (;;) {
      try {
        return readSync(this.#fd, this.#buffer, this.#end, this.#buffer.length - this.#end, null);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(NOTHING, 0, 0, RETRY_MS);
      }
    }
  }
}

const NOTHING = new Int32Array(new SharedArrayBuffer(4));
/** Our choice. */
const RETRY_MS = 20;
