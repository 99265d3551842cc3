/** The handle on a traffic process inside a pod's namespace. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../error.ts';
import { inNetns } from '../lab/netns.ts';
import { lastWordsOf } from './last-words.ts';
import type { TrafficReply, TrafficRequest } from './traffic-protocol.ts';

type ReplyOf<Type extends TrafficReply['type']> = Extract<TrafficReply, { readonly type: Type }>;

export class TrafficProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #replies: AsyncIterator<string>;
  readonly #ended: Promise<void>;
  readonly #lastWords: () => string;

  /** `netns` undefined: ours. */
  constructor(netns: string | undefined) {
    const script = fileURLToPath(new URL('./traffic.js', import.meta.url));
    const [program = '', ...args] = inNetns(netns, [process.execPath, script]);
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#lastWords = lastWordsOf(this.#child.stderr);
    this.#replies = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', () => resolve());
      this.#child.on('error', () => resolve());
    });
    // That the process is gone shows when no reply comes.
    this.#child.stdin.on('error', () => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask(request: TrafficRequest): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  /** The next reply. Code: TRAFFIC_FAILED, or the errno's name when a system call failed over there. */
  async reply<Type extends TrafficReply['type']>(type: Type): Promise<ReplyOf<Type>> {
    const { value, done } = await this.#replies.next();
    if (done === true) {
      await this.#ended;
      throw new WeftError('TRAFFIC_FAILED', `the traffic process ended without a reply${this.#lastWords()}`);
    }
    const message = JSON.parse(value) as TrafficReply;
    if (message.type === 'failed') throw new WeftError(message.code, `traffic process: ${message.message}`);
    if (message.type !== type) {
      throw new WeftError('TRAFFIC_FAILED', `the traffic process replied "${message.type}", expected "${type}"`);
    }
    // Its type field has just been compared.
    return message as ReplyOf<Type>;
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}
