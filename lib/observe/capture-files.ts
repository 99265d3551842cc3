/**
 * Capture files on disk: whole after every write, never over anything that is no capture, never through a symbolic link, for
 * nobody else's eyes; and rings of them, which end by taking away what they wrote themselves.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { readPcapMagic } from '../capture/pcap.ts';
import { isPcapngMagic } from '../capture/pcapng-reader.ts';
import { messageOf, WeftError } from '../error.ts';

export interface Identity {
  readonly device: number;
  readonly inode: number;
  /** Numbers of inodes are used again. */
  readonly bornMs: number;
}

/** One file, opened and empty. */
export class CaptureFile {
  readonly path: string;
  readonly identity: Identity;
  readonly #fd: number;
  #length = 0;

  /** Throws WeftError CAPTURE_NOT_WRITTEN. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openCapture(path);
    const { dev, ino, birthtimeMs } = fstatSync(this.#fd);
    this.identity = { device: dev, inode: ino, bornMs: birthtimeMs };
  }

  get length(): number {
    return this.#length;
  }

  /** Writes whole blocks. When the disk is full, as many as fit, so that what is there can be read. Throws CAPTURE_NOT_WRITTEN. */
  write(bytes: Uint8Array): void {
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
      this.#length += at;
    } catch (cause) {
      this.#length += wholeBlocks(bytes, at);
      try {
        ftruncateSync(this.#fd, this.#length);
      } catch {
        // The first error is the one to tell.
      }
      const kept = `the first ${this.#length} bytes are whole and can be read`;
      throw new WeftError('CAPTURE_NOT_WRITTEN', `Cannot write more of ${this.path}: ${reason(cause)}; ${kept}`, {
        cause,
      });
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** How many of the first `length` bytes are whole blocks. */
function wholeBlocks(bytes: Uint8Array, length: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + 8 <= length) {
    const next = at + view.getUint32(at + 4, true);
    if (next > length) break;
    at = next;
  }
  return at;
}

function openCapture(path: string): number {
  let fd: number;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    fd = openSync(path, flags, 0o600);
  } catch (cause) {
    const isLink = (cause as NodeJS.ErrnoException).code === 'ELOOP';
    throw refused(path, isLink ? 'it is a symbolic link, which is not followed' : reason(cause), cause);
  }
  try {
    const why = whyNotOurs(fd);
    if (why !== undefined) throw refused(path, why);
    ftruncateSync(fd, 0);
    fchmodSync(fd, 0o600);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error instanceof WeftError ? error : refused(path, reason(error), error);
  }
}

function whyNotOurs(fd: number): string | undefined {
  const stats = fstatSync(fd);
  if (!stats.isFile()) return 'it is not a file';
  if (stats.uid !== process.geteuid?.()) return 'it belongs to somebody else, who could read what is captured';
  if (stats.nlink > 1) return 'it has more names than this one';
  if (stats.size === 0) return undefined;
  const magic = new Uint8Array(4);
  const isWhole = readSync(fd, magic, 0, magic.length, 0) === magic.length;
  const isCapture = isWhole && (isPcapngMagic(magic) || readPcapMagic(magic) !== undefined);
  return isCapture ? undefined : 'there is a file already, and it is no capture';
}

function refused(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('CAPTURE_NOT_WRITTEN', `Cannot write captured packets to ${path}: ${why}`, {
    cause,
    hint: 'give -w another name',
  });
}

/** "ENOSPC: no space left on device" without what node adds to it. */
function reason(error: unknown): string {
  return messageOf(error).replace(/, (?:open|write|ftruncate)\b.*$/s, '');
}

/** Whether `path` can only be written as a stream: a pipe with a name, a terminal. */
export function isStream(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && (stats.isFIFO() || stats.isCharacterDevice());
}

export interface Rotation {
  /** Begin another file when one has this many bytes. */
  readonly bytes?: number | undefined;
  /** Or when it is this old. */
  readonly seconds?: number | undefined;
  /** With `bytes`: keep so many and write over the oldest. With `seconds` alone: end after so many. */
  readonly files?: number | undefined;
}

/** One file after the other, as tcpdump's -C, -G and -W have it. */
export class CaptureFiles {
  readonly #path: string;
  readonly #rotation: Rotation;
  #file: CaptureFile;
  #opened = 0;
  #begun: number;
  /** What was written and is there still, the oldest first. */
  readonly #ring: { readonly path: string; readonly identity: Identity }[] = [];

  constructor(path: string, rotation: Rotation, now: Date) {
    this.#path = path;
    this.#rotation = rotation;
    this.#begun = now.getTime();
    this.#file = this.#open(now);
  }

  get path(): string {
    return this.#file.path;
  }

  get opened(): number {
    return this.#opened;
  }

  write(bytes: Uint8Array): void {
    this.#file.write(bytes);
  }

  /** Whether the next block belongs into another file. `pending`: bytes that are not written yet. */
  isDue(nowMs: number, pending: number): boolean {
    const { bytes, seconds } = this.#rotation;
    if (bytes !== undefined && this.#file.length + pending >= bytes) return true;
    return seconds !== undefined && nowMs - this.#begun >= seconds * 1000;
  }

  /** Milliseconds until the file in hand is too old; undefined: it never is. */
  dueInMs(nowMs: number): number | undefined {
    const { seconds } = this.#rotation;
    return seconds === undefined ? undefined : Math.max(0, this.#begun + seconds * 1000 - nowMs);
  }

  /** Begins the next file; false when there were as many as were asked for. */
  next(now: Date): boolean {
    const { bytes, files } = this.#rotation;
    if (bytes === undefined && files !== undefined && this.#opened >= files) return false;
    this.#file.close();
    if (bytes !== undefined && files !== undefined && this.#ring.length >= files) this.#removeOldest();
    this.#begun = now.getTime();
    this.#file = this.#open(now);
    return true;
  }

  close(): void {
    this.#file.close();
  }

  #open(now: Date): CaptureFile {
    const file = new CaptureFile(this.#nameOf(now));
    this.#ring.push({ path: file.path, identity: file.identity });
    this.#opened++;
    return file;
  }

  /** The name as tcpdump makes it: with -W a number with leading zeros, else one from the second file on. */
  #nameOf(now: Date): string {
    const { bytes, seconds, files } = this.#rotation;
    const path = seconds === undefined ? this.#path : formatTime(this.#path, now);
    if (bytes === undefined && (seconds === undefined || path !== this.#path)) return path;
    const number = this.#opened;
    if (bytes === undefined || files === undefined) return number === 0 ? path : `${path}${number}`;
    return `${path}${String(number % files).padStart(String(files - 1).length, '0')}`;
  }

  /** Only if it is what was written there. */
  #removeOldest(): void {
    const oldest = this.#ring.shift();
    if (oldest === undefined) return;
    const stats = lstatSync(oldest.path, { throwIfNoEntry: false });
    const { device, inode, bornMs } = oldest.identity;
    if (stats?.dev === device && stats.ino === inode && stats.birthtimeMs === bornMs) unlinkSync(oldest.path);
  }
}

/** strftime(3): %Y %m %d %H %M %S %s %%. Another is left as it is. */
function formatTime(path: string, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const parts: Readonly<Record<string, string>> = {
    Y: String(now.getFullYear()),
    m: two(now.getMonth() + 1),
    d: two(now.getDate()),
    H: two(now.getHours()),
    M: two(now.getMinutes()),
    S: two(now.getSeconds()),
    s: String(Math.floor(now.getTime() / 1000)),
    '%': '%',
  };
  return path.replace(/%(.)/g, (whole, letter: string) => parts[letter] ?? whole);
}
