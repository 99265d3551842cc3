/** A Node child process of the demo inside a namespace, with an IPC channel. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../error.ts';
import { lastWordsOf } from '../measure/last-words.ts';
import type { ChildReply, ChildRequest } from './protocol.ts';

type ReplyOf<Type extends ChildReply['type']> = Extract<ChildReply, { readonly type: Type }>;

const REPLY_TIMEOUT_MS = 120_000;

export class DemoChild {
  readonly #child: ChildProcess;
  readonly #script: string;
  readonly #replies: ChildReply[] = [];
  #arrived: () => void = () => {};
  #ended = false;
  readonly #closed: Promise<void>;
  readonly #lastWords: () => string;

  /** `script`: a file of lib/demo, "transfer-child.js". */
  constructor(netns: string, script: string) {
    this.#script = script;
    const path = fileURLToPath(new URL(`./${script}`, import.meta.url));
    // `ip netns exec` replaces itself by node, which finds the channel by the environment.
    this.#child = spawn('ip', ['netns', 'exec', netns, process.execPath, path], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    // A pipe was asked for.
    this.#lastWords = lastWordsOf(this.#child.stderr!);
    this.#child.on('message', (message) => {
      // Only our own scripts are at the other end.
      this.#replies.push(message as ChildReply);
      this.#arrived();
    });
    this.#closed = new Promise((resolve) => {
      const end = (): void => {
        this.#ended = true;
        this.#arrived();
        resolve();
      };
      this.#child.on('close', end);
      this.#child.on('error', end);
    });
  }

  /** Standard output; somebody has to read it to the end. */
  get output(): Readable {
    // A pipe was asked for in the constructor.
    return this.#child.stdout!;
  }

  ask(request: ChildRequest): void {
    // That the channel is gone shows when no reply comes.
    this.#child.send(request, () => {});
  }

  /** The next reply. Codes: CHILD_ENDED, TIMEOUT, or what the child says. */
  async reply<Type extends ChildReply['type']>(type: Type): Promise<ReplyOf<Type>> {
    const deadline = AbortSignal.timeout(REPLY_TIMEOUT_MS);
    while (this.#replies.length === 0 && !this.#ended && !deadline.aborted) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    const reply = this.#replies.shift();
    if (reply === undefined) {
      if (this.#ended) throw new WeftError('CHILD_ENDED', `${this.#script} ended without a reply${this.#lastWords()}`);
      throw new WeftError('TIMEOUT', `${this.#script} gave no reply within ${REPLY_TIMEOUT_MS / 1000} s`);
    }
    if (reply.type === 'failed') {
      throw new WeftError(reply.code, reply.message, reply.hint === null ? {} : { hint: reply.hint });
    }
    if (reply.type !== type) {
      throw new WeftError('CHILD_ENDED', `${this.#script} replied "${reply.type}" where "${type}" was expected`);
    }
    // Its type has just been compared.
    return reply as ReplyOf<Type>;
  }

  /** Ends the process with SIGTERM and waits until its output has been read. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#closed;
  }
}
