/** What a run notices beside its measurements: whether a path was what it seemed to be. */
import { readFileSync } from 'node:fs';
import type { OffloadStatus } from '../dataplane/stats.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { ipCounter, readSnmp } from '../measure/ip-counters.ts';
import type { NamedPath, PathName } from './paths.ts';
import type { StormCount } from './storm.ts';
import type { DaemonRecord } from './weft-network.ts';

export class Observations {
  readonly #readySeconds: number[] = [];
  readonly #offloads = new Map<PathName, Map<string, OffloadStatus>>();
  readonly #residentBytes = new Map<PathName, number>();
  readonly #fragments = new Map<PathName, number>();
  #storm: StormCount | undefined;

  /** Of each daemon's first start. */
  get readySeconds(): readonly number[] {
    return this.#readySeconds;
  }

  /** What the daemons of each path said about their offloads after a load, each different answer once. */
  get offloads(): Partial<Record<PathName, readonly OffloadStatus[]>> {
    return Object.fromEntries([...this.#offloads].map(([path, statuses]) => [path, [...statuses.values()]]));
  }

  /** The most that a daemon of each path had after a load. */
  get residentBytes(): Partial<Record<PathName, number>> {
    return Object.fromEntries(this.#residentBytes);
  }

  /** IpFragCreates on each path while it was measured. */
  get fragments(): Partial<Record<PathName, number>> {
    return Object.fromEntries(this.#fragments);
  }

  /** Of all storms on the segment; null if there was none. */
  get storm(): StormCount | null {
    return this.#storm ?? null;
  }

  addStarts(seconds: readonly number[]): void {
    this.#readySeconds.push(...seconds);
  }

  addDaemons(path: PathName, records: readonly DaemonRecord[]): void {
    const offloads = this.#offloads.get(path) ?? new Map<string, OffloadStatus>();
    this.#offloads.set(path, offloads);
    for (const { status, residentBytes: bytes } of records) {
      for (const offload of status.offloads) offloads.set(JSON.stringify(offload), offload);
      this.#noteResident(path, bytes);
    }
  }

  /** Of daemons that have no control socket. */
  addResident(path: PathName, pids: readonly number[]): void {
    for (const pid of pids) this.#noteResident(path, residentBytes(readFileSync(`/proc/${pid}/status`, 'utf8')));
  }

  #noteResident(path: PathName, bytes: number): void {
    this.#residentBytes.set(path, Math.max(bytes, this.#residentBytes.get(path) ?? 0));
  }

  addStorm({ offered, flooded, limited }: StormCount): void {
    const before = this.#storm ?? { offered: 0, flooded: 0, limited: 0 };
    this.#storm = {
      offered: before.offered + offered,
      flooded: before.flooded + flooded,
      limited: before.limited + limited,
    };
  }

  async countingFragments<T>(path: NamedPath, body: () => Promise<T>): Promise<T> {
    const before = await fragments(path);
    try {
      return await body();
    } finally {
      const made = (await fragments(path)) - before;
      this.#fragments.set(path.name, (this.#fragments.get(path.name) ?? 0) + made);
    }
  }
}

async function fragments({ namespaces }: NamedPath): Promise<number> {
  const texts = await Promise.all(namespaces.map(readSnmp));
  return texts.reduce((sum, text) => sum + ipCounter(text, 'FragCreates'), 0);
}
