/** The handle on this machine's side (side-child.ts). */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../../error.ts';
import { lastWordsOf } from '../../measure/last-words.ts';
import type { MachinePlace } from './machine-side.ts';
import type { ReplyTo, Request, RequestType, Side } from './requests.ts';
import { Pending, type SideReply } from './side-protocol.ts';

/** Our choice: two daemons that have to be killed take half of it. */
const CLOSE_MS = 60_000;

export class LocalSide implements Side {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** A measurement takes as long as it was asked to. */
  readonly #pending = new Pending(null);
  readonly #ended: Promise<void>;

  constructor(place: MachinePlace) {
    const script = fileURLToPath(new URL('./side-child.js', import.meta.url));
    // In a session of its own: Ctrl-C is for us, and the child is to clean up after that.
    this.#child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const lastWords = lastWordsOf(this.#child.stderr);
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#pending.fail(new WeftError('FAR_SIDE_ENDED', `The process that measures has ended${lastWords()}`));
        resolve();
      };
      this.#child.on('close', end);
      this.#child.on('error', end);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#pending.settle(JSON.parse(line) as SideReply);
    });
    // That the process is gone shows in `#ended`.
    this.#child.stdin.on('error', () => undefined);
    this.#write(place);
  }

  ask<T extends RequestType>(request: Request & { readonly type: T }): Promise<ReplyTo<T>> {
    // The child is of this build: its reply is what the type says.
    return this.#pending.ask(request, (numbered) => this.#write(numbered)) as Promise<ReplyTo<T>>;
  }

  /** Ends everything that it started, and resolves when that is done. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #write(value: object): void {
    this.#child.stdin.write(`${JSON.stringify(value)}\n`);
  }
}
