/**
 * Which lease each network of this host wrote last, and in which version: its key is this node's, also when it carries an
 * address that the host has no longer, as long as nobody has written it since.
 *
 *   <state-dir>/leases.json, 0600: {"version":1,"leases":{"/run/flannel/subnet.env":"14841639068965178418 10.5.1.0-24 371"}}
 */
import { resolve } from 'node:path';
import type { Log } from '../../log.ts';
import { NetworkMap } from './network-map.ts';

export interface SavedLeasesOptions {
  /** --state-dir. */
  readonly directory: string;
  readonly log: Log;
}

export class SavedLeases {
  readonly #versions: NetworkMap<string>;

  constructor({ directory, log }: SavedLeasesOptions) {
    this.#versions = new NetworkMap({
      directory,
      name: 'leases.json',
      field: 'leases',
      fromJson: (value) => (typeof value === 'string' ? value : undefined),
      toJson: (version) => version,
      unusable: 'Which lease this node had is not known; with another address it gets another subnet',
      unsaved: 'The version of the lease cannot be saved; with another address the node gets another subnet',
      log,
    });
  }

  /** The version that was written last. Never rejects. */
  async lastOf(subnetFile: string): Promise<string | undefined> {
    return (await this.#versions.all()).get(resolve(subnetFile));
  }

  /** Never rejects. */
  keep(subnetFile: string, version: string): Promise<void> {
    return this.#versions.keep(subnetFile, version);
  }
}
