/** Puts a lab under the conditions in which paths are compared. */
import { setNicLike } from '../lab/nic-like.ts';
import { allowedCpus, setAffinity } from '../sys/affinity.ts';
import type { Setting } from './matrix.ts';
import type { PathLab } from './path-lab.ts';

/** Puts a lab under a setting and takes it out again. */
export class SettingSwitch {
  readonly #pathLab: PathLab;
  readonly #cpus: readonly number[] = allowedCpus();
  readonly #ownPid: number;

  constructor(pathLab: PathLab, ownPid: number) {
    this.#pathLab = pathLab;
    this.#ownPid = ownPid;
  }

  /** The CPU of setting one-core. */
  get oneCpu(): number {
    return this.#cpus[0]!;
  }

  /** Runs `body` under `setting`. `morePids` are processes that were started meanwhile and stay. */
  async within(setting: Setting, morePids: () => readonly number[], body: () => Promise<void>): Promise<void> {
    const place = (cpus: readonly number[]) => {
      for (const pid of [this.#ownPid, ...this.#pathLab.pids, ...morePids()]) setAffinity(pid, cpus);
    };
    if (setting === 'one-core') place([this.oneCpu]);
    if (setting === 'nic-like') await this.#setNicLike(true);
    try {
      await body();
    } finally {
      if (setting === 'one-core') place(this.#cpus);
      if (setting === 'nic-like') await this.#setNicLike(false);
    }
  }

  async #setNicLike(on: boolean): Promise<void> {
    await setNicLike(this.#pathLab.lab, on);
  }
}
