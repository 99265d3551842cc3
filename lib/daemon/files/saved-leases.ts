/**
 * Which lease each network of this host wrote last, and in which version: its key is this node's, also when it carries an
 * address that the host has no longer, as long as nobody has written it since.
 *
 *   <state-dir>/leases.json, 0600: {"version":1,"leases":{"/run/flannel/subnet.env":"14841639068965178418 10.5.1.0-24 371"}}
 *
 * A network is known by its subnet file, as in used-networks.ts.
 */
import { resolve } from 'node:path';
import type { Log } from '../../log.ts';
import { isObject, StateFile } from './state-file.ts';

const FILE = 'leases.json';
const VERSION = 1;

export interface SavedLeasesOptions {
  /** --state-dir. */
  readonly directory: string;
  readonly log: Log;
}

type Versions = ReadonlyMap<string, string>;

export class SavedLeases {
  readonly #file: StateFile<Versions>;
  /** What this process wrote, for a directory that takes nothing. */
  readonly #kept = new Map<string, string>();
  /** Reading and writing belong together: another weftd may have written the file. */
  #saving: Promise<void> = Promise.resolve();

  constructor({ directory, log }: SavedLeasesOptions) {
    this.#file = new StateFile({
      directory,
      name: FILE,
      parse: parseVersions,
      format: formatVersions,
      unusable: 'Which lease this node had is not known; with another address it gets another subnet',
      unsaved: 'The version of the lease cannot be saved; with another address the node gets another subnet',
      log,
    });
  }

  /** The version that was written last. Never rejects. */
  async lastOf(subnetFile: string): Promise<string | undefined> {
    return (await this.#read()).get(resolve(subnetFile));
  }

  /** Never rejects. */
  keep(subnetFile: string, version: string): Promise<void> {
    this.#kept.set(resolve(subnetFile), version);
    this.#saving = this.#saving.then(async () => {
      await this.#file.save(await this.#read());
    });
    return this.#saving;
  }

  async #read(): Promise<Versions> {
    return new Map([...((await this.#file.load()) ?? []), ...this.#kept]);
  }
}

function formatVersions(versions: Versions): string {
  const leases = Object.fromEntries([...versions].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ version: VERSION, leases }, undefined, 2)}\n`;
}

/** Throws an Error with the reason in few words when the text is not what `formatVersions` writes. */
function parseVersions(text: string): Versions {
  const file: unknown = JSON.parse(text);
  if (!isObject(file)) throw new Error('it holds no JSON object');
  if (file.version !== VERSION) throw new Error(`its version is ${JSON.stringify(file.version)}, not ${VERSION}`);
  if (!isObject(file.leases)) throw new Error('it has no object "leases"');
  return new Map(
    Object.entries(file.leases).map(([path, version]) => {
      if (typeof version !== 'string') throw new Error(`${JSON.stringify({ [path]: version })} is no entry of it`);
      return [path, version];
    }),
  );
}
