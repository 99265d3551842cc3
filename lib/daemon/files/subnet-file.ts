/** Writes a network's subnet file, again and again where that fails: a full disk stops no packet. */

import { messageOf } from '../../error.ts';
import type { FaultSink } from '../../faults.ts';
import type { Log } from '../../log.ts';
import { isSubnetEnv, type SubnetEnv, writeSubnetEnv } from './subnet-env.ts';

export interface SubnetFileOptions {
  /** --subnet-file. */
  readonly path: string;
  readonly log: Log;
  readonly faults: FaultSink;
  /** Our choice in operation: 5 s. */
  readonly retryMs: number;
}

export class SubnetFile {
  readonly #options: SubnetFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SubnetFileOptions) {
    this.#options = options;
  }

  /**
   * Resolves after the first attempt. While the file does not say what it should, that is an alarm, and the network is not
   * ready: pods would get no addresses, or those of another subnet. Never rejects.
   */
  async keep(env: SubnetEnv): Promise<void> {
    const { path, log, faults, retryMs } = this.#options;
    try {
      await writeSubnetEnv(path, env);
      log.info({ file: path, mtu: env.mtu }, 'Subnet file written');
      faults.report('subnet file', []);
    } catch (error) {
      if (this.#closed) return;
      // One that an earlier run left may say the same.
      const isRight = await isSubnetEnv(path, env);
      const text =
        `Cannot write subnet file ${JSON.stringify(path)}: ${reasonOf(error)}; pods that start now get no address, or a ` +
        'wrong one: free some space or make it writable, it is tried again every few seconds';
      faults.report('subnet file', isRight ? [] : [{ text, blocks: true }]);
      if (!this.#closed) this.#timer = setTimeout(() => void this.keep(env), retryMs);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** "ENOSPC: no space left on device": without the name of the temporary file, which is another one each time. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return messageOf(cause).replace(/, .*/s, '');
}
