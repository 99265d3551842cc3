/** Writes a network's subnet file, and again where that fails or somebody changes it: a full disk stops no packet. */
import { messageOf } from '../../error.ts';
import type { FaultSink } from '../../faults.ts';
import type { Log } from '../../log.ts';
import { isSubnetEnv, type SubnetEnv, writeSubnetEnv } from './subnet-env.ts';

export interface SubnetFileOptions {
  /** --subnet-file. */
  readonly path: string;
  readonly log: Log;
  readonly faults: FaultSink;
  /** How often the file is looked at, and written where it is not right. Our choice in operation: 5 s. */
  readonly retryMs: number;
}

const PART = 'subnet file';
/** What was said is said again after 10 min. */
const SILENCE_MS = 600_000;

export class SubnetFile {
  readonly #options: SubnetFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Monotonic, in ms. */
  #silentUntilMs = 0;

  constructor(options: SubnetFileOptions) {
    this.#options = options;
  }

  /**
   * Resolves after the first attempt; from then on the file is looked at again and again. While it does not say what it
   * should, that is an alarm, and the network is not ready: pods would get no addresses, or those of another subnet. Never
   * rejects.
   */
  async keep(env: SubnetEnv): Promise<void> {
    if (await this.#write(env))
      this.#options.log.info({ file: this.#options.path, mtu: env.mtu }, 'Subnet file written');
    this.#lookLater(env);
  }

  #lookLater(env: SubnetEnv): void {
    if (!this.#closed) this.#timer = setTimeout(() => void this.#look(env), this.#options.retryMs);
  }

  /** /run may be tidied up, and other programs write there. */
  async #look(env: SubnetEnv): Promise<void> {
    const { path, faults } = this.#options;
    const isRight = await isSubnetEnv(path, env);
    if (this.#closed) return;
    if (isRight) faults.report(PART, []);
    else if (await this.#write(env)) this.#sayWrittenAgain();
    this.#lookLater(env);
  }

  async #write(env: SubnetEnv): Promise<boolean> {
    const { path, faults } = this.#options;
    try {
      await writeSubnetEnv(path, env);
      if (!this.#closed) faults.report(PART, []);
      return true;
    } catch (error) {
      // One that an earlier run left may say the same.
      const isRight = await isSubnetEnv(path, env);
      const text =
        `Cannot write subnet file ${JSON.stringify(path)}: ${reasonOf(error)}; pods that start now get no address, or a ` +
        'wrong one: free some space or make it writable, it is tried again every few seconds';
      if (!this.#closed) faults.report(PART, isRight ? [] : [{ text, blocks: true }]);
      return false;
    }
  }

  /** Somebody who goes on changing it must not fill the log. */
  #sayWrittenAgain(): void {
    const { path, log } = this.#options;
    const nowMs = performance.now();
    if (nowMs < this.#silentUntilMs) return;
    this.#silentUntilMs = nowMs + SILENCE_MS;
    log.warn({ file: path }, 'Somebody deleted or changed the subnet file; it was written again');
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.faults.report(PART, []);
  }
}

/** "ENOSPC: no space left on device": without the name of the temporary file, which is another one each time. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return messageOf(cause).replace(/, .*/s, '');
}
