/**
 * A small JSON file under --state-dir. Nothing about it ends the daemon: one that cannot be used is set aside with a warning,
 * one that cannot be written is reported once.
 */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../error.ts';
import type { Log } from '../../log.ts';
import { replaceFile } from './atomic-file.ts';

const MODES = { file: 0o600, directory: 0o700 };
/** Some 15,000 devices; more is not ours. */
const MAX_BYTES = 1 << 20;

export interface StateFileOptions<T> {
  /** --state-dir. */
  readonly directory: string;
  readonly name: string;
  /** Throws an Error with the reason in few words when the text is not what `format` writes. */
  readonly parse: (text: string) => T;
  readonly format: (value: T) => string;
  /** What the file cannot be used for: "The saved VtepMACs cannot be used; VTEPs get new ones". */
  readonly unusable: string;
  readonly unsaved: string;
  readonly log: Log;
}

export class StateFile<T> {
  readonly #options: StateFileOptions<T>;
  readonly #path: string;
  #warned = false;

  constructor(options: StateFileOptions<T>) {
    this.#options = options;
    this.#path = join(options.directory, options.name);
  }

  /** Undefined where there is none. One that cannot be used is set aside as <name>.bad. Never rejects. */
  async load(): Promise<T | undefined> {
    try {
      return this.#options.parse(await readRegularFile(this.#path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') await this.#setAside(messageOf(error));
      return undefined;
    }
  }

  /** False, and said once, when the directory takes nothing. */
  async save(value: T): Promise<boolean> {
    const { format, log, unsaved } = this.#options;
    try {
      await replaceFile(this.#path, format(value), MODES);
      this.#warned = false;
      return true;
    } catch (error) {
      if (this.#warned) return false;
      this.#warned = true;
      const hint = 'give a directory that is writable and outlives a restart with -state-dir';
      log.warn({ file: this.#path, reason: messageOf(error), hint }, unsaved);
      return false;
    }
  }

  async #setAside(why: string): Promise<void> {
    const { log, unusable } = this.#options;
    const aside = `${this.#path}.bad`;
    try {
      await rename(this.#path, aside);
      log.warn({ file: this.#path, reason: why, keptAs: aside }, unusable);
    } catch (error) {
      log.warn({ file: this.#path, reason: why, notMoved: messageOf(error) }, unusable);
    }
  }
}

async function readRegularFile(path: string): Promise<string> {
  // Neither somebody else's link nor a FIFO that would be waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > MAX_BYTES) throw new Error(`it has ${stats.size} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const VERSION = 1;

/**
 * The text of a file that holds a map: `{"version":1,"<field>":{...}}`, sorted by key. `toJson`: a value as JSON has it.
 */
export function formatEntries<T>(
  field: string,
  entries: ReadonlyMap<string, T>,
  toJson: (value: T) => unknown,
): string {
  const keys = [...entries.keys()].toSorted();
  const sorted = Object.fromEntries(keys.map((key) => [key, toJson(entries.get(key)!)]));
  return `${JSON.stringify({ version: VERSION, [field]: sorted }, undefined, 2)}\n`;
}

/**
 * Reads what `formatEntries` writes. `fromJson` gives undefined for what is none of its values. Throws an Error with the reason
 * in few words.
 */
export function parseEntries<T>(
  field: string,
  text: string,
  fromJson: (value: unknown, key: string) => T | undefined,
): Map<string, T> {
  const file: unknown = JSON.parse(text);
  if (!isObject(file)) throw new Error('it holds no JSON object');
  if (file.version !== VERSION) throw new Error(`its version is ${JSON.stringify(file.version)}, not ${VERSION}`);
  const entries = file[field];
  if (!isObject(entries)) throw new Error(`it has no object "${field}"`);
  return new Map(
    Object.entries(entries).map(([key, value]) => {
      const read = fromJson(value, key);
      if (read === undefined) throw new Error(`${JSON.stringify({ [key]: value })} is no entry of it`);
      return [key, read];
    }),
  );
}
