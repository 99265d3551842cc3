import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { DaemonState, StatusReply } from '../../lib/control/protocol.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';

const WEFTD = fileURLToPath(new URL('../../../bin/weftd', import.meta.url));

export interface WeftdOptions {
  /** Put before node, for example `['setpriv', ...]`. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Files of one daemon in a directory of the test. */
export interface Files {
  readonly directory: string;
  readonly subnetFile: string;
  readonly controlSocket: string;
}

export function makeFiles(t: ExecutionContext): Files {
  const directory = mkdtempSync(join(tmpdir(), 'weft-daemon-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, subnetFile: join(directory, 'subnet.env'), controlSocket: join(directory, 'weft.sock') };
}

/** bin/weftd as a child process in this process's namespaces. It is killed with the test if it still runs. */
export class Weftd {
  readonly files: Files;
  readonly #child: ChildProcess;
  #stderr = '';
  readonly #ended: Promise<Ending>;
  #running = true;

  constructor(t: ExecutionContext, args: readonly string[], files = makeFiles(t), options: WeftdOptions = {}) {
    this.files = files;
    // Of several networks each has its own.
    const subnetFile = args.some((arg) => arg.startsWith('--network=')) ? [] : [`--subnet-file=${files.subnetFile}`];
    const own = [
      ...subnetFile,
      `--control-socket=${files.controlSocket}`,
      `--state-dir=${join(files.directory, 'state')}`,
      '--log-format=json',
    ];
    const [program = '', ...rest] = [...(options.wrapper ?? []), process.execPath, WEFTD, ...own, ...args];
    const env = { PATH: process.env.PATH, ...options.env };
    this.#child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'], env });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#running = false;
        resolve({ code, signal });
      });
    });
    t.teardown(async () => {
      if (this.#running) this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  /** What is not the log: the lines of a fatal error. */
  get errorLines(): string[] {
    return this.#stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  }

  get log(): { readonly msg: string; readonly level: string; readonly [field: string]: unknown }[] {
    const lines = this.#stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line));
  }

  /** Waits for a line whose message begins with `message`. */
  async logged(message: string): Promise<void> {
    await this.#until(() => this.log.some((line) => line.msg.startsWith(message)), `the log line "${message}"`);
  }

  async status(): Promise<StatusReply> {
    return await askDaemon(this.files.controlSocket, '/v1/status');
  }

  /** Waits until the state of each network is as given: { blue: 'ready', red: 'failed' }. */
  async networks(states: Readonly<Record<string, DaemonState>>): Promise<StatusReply> {
    const wanted = JSON.stringify(states);
    let status: StatusReply | undefined;
    const met = await until(async () => {
      if (!this.#running) return true;
      // Until the socket is there nobody answers.
      status = await this.status().catch(() => undefined);
      return (
        wanted === JSON.stringify(Object.fromEntries(status?.networks.map(({ name, state }) => [name, state]) ?? []))
      );
    }, PATIENCE_MS);
    if (met && this.#running && status !== undefined) return status;
    throw new Error(`weftd: waited in vain for ${wanted}; it wrote:\n${this.#stderr}`);
  }

  async ready(): Promise<StatusReply> {
    await this.logged('Ready');
    return await this.status();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<Ending> {
    await this.#until(() => !this.#running, 'its end');
    return await this.#ended;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const met = await until(() => condition() || (!this.#running && what !== 'its end'), PATIENCE_MS);
    if (!met || !condition()) throw new Error(`weftd: waited in vain for ${what}; it wrote:\n${this.#stderr}`);
  }
}
