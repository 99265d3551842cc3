/**
 * Where each network of this host had its routes at its last run: plain routes outlive weftd (docs/adr/0012), and a network
 * may be renumbered in etcd, or get another namespace, before the next.
 *
 *   <state-dir>/networks.json, 0600: {"version":1,"networks":{"/run/flannel/subnet.env":{"netns":null,"prefixes":["10.5.0.0/16"]}}}
 */
import { resolve } from 'node:path';
import { formatPrefix, type Prefix, parsePrefix } from '../../addr/prefix.ts';
import type { UsedSpace } from '../../backend/leftovers.ts';
import type { Log } from '../../log.ts';
import { NetworkMap } from './network-map.ts';
import { isObject } from './state-file.ts';

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

export class UsedNetworks {
  readonly #spaces: NetworkMap<UsedSpace>;

  constructor({ directory, log }: UsedNetworksOptions) {
    this.#spaces = new NetworkMap({
      directory,
      name: 'networks.json',
      field: 'networks',
      fromJson: readSpace,
      toJson: ({ netns, prefixes }) => ({ netns: netns ?? null, prefixes: prefixes.map(formatPrefix) }),
      unusable: 'What networks used before is not known; routes of one that was renumbered may stay',
      unsaved: 'What networks use cannot be saved; routes of one that is renumbered may stay after the next start',
      log,
    });
  }

  /** Never rejects. */
  async earlier(subnetFile: string): Promise<EarlierRuns> {
    const spaces = await this.#spaces.all();
    const path = resolve(subnetFile);
    const others = [...spaces].filter(([other]) => other !== path).map(([, space]) => space);
    return { own: spaces.get(path), others };
  }

  /** Never rejects. */
  keep(subnetFile: string, space: UsedSpace): Promise<void> {
    return this.#spaces.keep(subnetFile, space);
  }
}

function readSpace(value: unknown): UsedSpace | undefined {
  if (!isObject(value) || !Array.isArray(value.prefixes)) return undefined;
  const netns = value.netns ?? undefined;
  const prefixes = value.prefixes.map(readPrefix);
  if ((netns !== undefined && typeof netns !== 'string') || prefixes.includes(undefined)) return undefined;
  return { netns, prefixes: prefixes as Prefix[] };
}

function readPrefix(value: unknown): Prefix | undefined {
  return typeof value === 'string' ? parsePrefix(value) : undefined;
}
