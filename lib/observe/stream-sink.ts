/** Writing to whoever reads at its own pace, without blocking: standard output, a pipe with a name. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../error.ts';
import { hasHungUp, Readiness } from '../sys/readiness.ts';

/** Our choice: beyond this the packets wait in the kernel's ring, which counts what it has no room for. */
const QUEUE_BYTES = 4 * 1024 * 1024;

/** Our choice: how often it is looked whether a pipe has a reader. */
const READER_POLL_MS = 50;

export class StreamSink {
  readonly #fd: number;
  readonly #isOwn: boolean;
  readonly #name: string;
  #queue: Uint8Array[] = [];
  #queued = 0;

  /** Standard output. */
  static ofStandardOutput(): StreamSink {
    const stats = fstatSync(1);
    // Its own description, so that it does not block and others that have the same one are not changed. A socket has no name to
    // open it by, and of a file the place in it would be another.
    const own = stats.isFIFO() || stats.isCharacterDevice() ? openQuietly('/proc/self/fd/1') : undefined;
    return new StreamSink(own ?? 1, own !== undefined, 'standard output');
  }

  /** A pipe with a name: waits for somebody who reads it. Throws OUTPUT_FAILED; READER_GONE when nobody came until the signal. */
  static async ofPipe(path: string, signal: AbortSignal): Promise<StreamSink> {
    for (;;) {
      try {
        return new StreamSink(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK), true, path);
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        if (code !== 'ENXIO') throw new WeftError('OUTPUT_FAILED', `Cannot open ${path}: ${message}`, { cause });
      }
      if (signal.aborted) throw new WeftError('READER_GONE', `Nobody has read ${path}: nothing was captured`);
      await delay(READER_POLL_MS);
    }
  }

  private constructor(fd: number, isOwn: boolean, name: string) {
    this.#fd = fd;
    this.#isOwn = isOwn;
    this.#name = name;
  }

  /** Throws WeftError READER_GONE, OUTPUT_FAILED. */
  write(bytes: Uint8Array): void {
    const at = this.#queued > 0 ? 0 : this.#take(bytes);
    if (at === bytes.length) return;
    const rest = Uint8Array.from(bytes.subarray(at));
    this.#queue.push(rest);
    this.#queued += rest.length;
  }

  get isFull(): boolean {
    return this.#queued >= QUEUE_BYTES;
  }

  get isEmpty(): boolean {
    return this.#queued === 0;
  }

  /** Waits until the reader takes some, at most `timeoutMs`. */
  async proceed(timeoutMs: number): Promise<void> {
    const readiness = new Readiness([this.#fd], 'write');
    try {
      await readiness.wait(timeoutMs);
    } finally {
      readiness.close();
    }
    this.flush();
  }

  flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const taken = this.#take(first);
      this.#queued -= taken;
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
  }

  /** Throws READER_GONE. While nothing is written nobody else says so. */
  checkReader(): void {
    if (hasHungUp(this.#fd)) throw this.#readerGone();
  }

  #readerGone(cause?: unknown): WeftError {
    return new WeftError('READER_GONE', `Nobody reads ${this.#name} any more`, { cause });
  }

  close(): void {
    if (this.#isOwn) closeSync(this.#fd);
  }

  /** How many bytes the reader took. */
  #take(bytes: Uint8Array): number {
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return at;
      if (code === 'EPIPE') throw this.#readerGone(cause);
      throw new WeftError('OUTPUT_FAILED', `Cannot write to ${this.#name}: ${message}`, { cause });
    }
    return at;
  }
}

function openQuietly(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // It belongs to somebody else, as after su: then it is used as it is.
    return undefined;
  }
}
