/**
 * Where each network of this host had its routes at its last run: plain routes outlive weftd (docs/adr/0012), and a network
 * may be renumbered in etcd, or get another namespace, before the next.
 *
 *   <state-dir>/networks.json, 0600: {"version":1,"networks":{"/run/flannel/subnet.env":{"netns":null,"prefixes":["10.5.0.0/16"]}}}
 *
 * A network is known by its subnet file, which no two networks of a host share, also those of several weftd. The file is read
 * anew each time: another weftd may have written it.
 */
import { resolve } from 'node:path';
import { formatPrefix, type Prefix, parsePrefix } from '../../addr/prefix.ts';
import type { UsedSpace } from '../../backend/leftovers.ts';
import type { Log } from '../../log.ts';
import { isObject, StateFile } from './state-file.ts';

const FILE = 'networks.json';
const VERSION = 1;

export interface UsedNetworksOptions {
  /** --state-dir. */
  readonly directory: string;
  readonly log: Log;
}

export interface EarlierRuns {
  /** Of the network itself; undefined where nothing is known. */
  readonly own: UsedSpace | undefined;
  /** Of all others that keep their state here. */
  readonly others: readonly UsedSpace[];
}

type Spaces = ReadonlyMap<string, UsedSpace>;

export class UsedNetworks {
  readonly #file: StateFile<Spaces>;
  /** What this process wrote, for a directory that takes nothing. */
  readonly #kept = new Map<string, UsedSpace>();
  /** Reading and writing belong together. */
  #saving: Promise<void> = Promise.resolve();

  constructor({ directory, log }: UsedNetworksOptions) {
    this.#file = new StateFile({
      directory,
      name: FILE,
      parse: parseSpaces,
      format: formatSpaces,
      unusable: 'What networks used before is not known; routes of one that was renumbered may stay',
      unsaved: 'What networks use cannot be saved; routes of one that is renumbered may stay after the next start',
      log,
    });
  }

  /** Never rejects. */
  async earlier(subnetFile: string): Promise<EarlierRuns> {
    const spaces = await this.#read();
    const path = resolve(subnetFile);
    const others = [...spaces].filter(([other]) => other !== path).map(([, space]) => space);
    return { own: spaces.get(path), others };
  }

  /** Never rejects. */
  keep(subnetFile: string, space: UsedSpace): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const spaces = new Map(await this.#read());
      const path = resolve(subnetFile);
      const known = formatSpaces(spaces);
      spaces.set(path, space);
      this.#kept.set(path, space);
      if (formatSpaces(spaces) !== known) await this.#file.save(spaces);
    });
    return this.#saving;
  }

  async #read(): Promise<Spaces> {
    return new Map([...((await this.#file.load()) ?? []), ...this.#kept]);
  }
}

function formatSpaces(spaces: Spaces): string {
  const paths = [...spaces.keys()].toSorted();
  const networks = Object.fromEntries(
    paths.map((path) => {
      const { netns, prefixes } = spaces.get(path)!;
      return [path, { netns: netns ?? null, prefixes: prefixes.map(formatPrefix) }];
    }),
  );
  return `${JSON.stringify({ version: VERSION, networks }, undefined, 2)}\n`;
}

/** Throws an Error with the reason in few words when the text is not what `formatSpaces` writes. */
function parseSpaces(text: string): Spaces {
  const file: unknown = JSON.parse(text);
  if (!isObject(file)) throw new Error('it holds no JSON object');
  if (file.version !== VERSION) throw new Error(`its version is ${JSON.stringify(file.version)}, not ${VERSION}`);
  if (!isObject(file.networks)) throw new Error('it has no object "networks"');
  return new Map(Object.entries(file.networks).map(([path, value]) => [path, parseSpace(path, value)]));
}

function parseSpace(path: string, value: unknown): UsedSpace {
  const space = isObject(value) ? value : {};
  const netns = space.netns ?? undefined;
  const prefixes = Array.isArray(space.prefixes) ? space.prefixes.map(readPrefix) : undefined;
  if (prefixes === undefined || (netns !== undefined && typeof netns !== 'string') || prefixes.includes(undefined))
    throw new Error(`${JSON.stringify({ [path]: value })} is no entry of it`);
  return { netns, prefixes: prefixes as Prefix[] };
}

function readPrefix(value: unknown): Prefix | undefined {
  return typeof value === 'string' ? parsePrefix(value) : undefined;
}
