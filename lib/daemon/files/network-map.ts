/**
 * What is kept of each network of this host, in a file under --state-dir:
 *
 *   {"version":1,"<field>":{"/run/flannel/subnet.env":...}}
 *
 * A network is known by its subnet file, which no two networks of a host share, also those of several weftd. The file is read
 * anew each time: another weftd may have written it.
 */
import { resolve } from 'node:path';
import { formatEntries, parseEntries, StateFile, type StateFileOptions } from './state-file.ts';

export interface NetworkMapOptions<T> extends Omit<StateFileOptions<never>, 'parse' | 'format'> {
  /** What the values are, in a word. */
  readonly field: string;
  /** Undefined for what `toJson` does not give. */
  readonly fromJson: (value: unknown) => T | undefined;
  /** A value as JSON has it. */
  readonly toJson: (value: T) => unknown;
}

export class NetworkMap<T> {
  readonly #file: StateFile<ReadonlyMap<string, T>>;
  readonly #format: (values: ReadonlyMap<string, T>) => string;
  /** What this process wrote, for a directory that takes nothing. */
  readonly #kept = new Map<string, T>();
  /** Reading and writing belong together. */
  #saving: Promise<void> = Promise.resolve();

  constructor({ field, fromJson, toJson, ...file }: NetworkMapOptions<T>) {
    this.#format = (values) => formatEntries(field, values, toJson);
    this.#file = new StateFile<ReadonlyMap<string, T>>({
      ...file,
      parse: (text) => parseEntries(field, text, fromJson),
      format: this.#format,
    });
  }

  /** By the absolute paths of subnet files. Never rejects. */
  async all(): Promise<ReadonlyMap<string, T>> {
    return new Map([...(await this.#load()), ...this.#kept]);
  }

  /** Written only where the file does not say so. Never rejects. */
  keep(subnetFile: string, value: T): Promise<void> {
    this.#kept.set(resolve(subnetFile), value);
    this.#saving = this.#saving.then(async () => {
      const there = await this.#load();
      const all = new Map([...there, ...this.#kept]);
      if (this.#format(all) !== this.#format(there)) await this.#file.save(all);
    });
    return this.#saving;
  }

  async #load(): Promise<ReadonlyMap<string, T>> {
    return (await this.#file.load()) ?? new Map();
  }
}
