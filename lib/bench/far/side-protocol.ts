/** Requests and replies between a process and what performs them: its own child, or the far side. */
import { WeftError } from '../../error.ts';

export type Numbered<T> = T & { readonly id: number };

interface SideError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export type SideReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SideError };

/** Our choice: the longest of what a far side is asked, a weftd and an etcd that start on a busy machine, takes two minutes at most. */
const REPLY_MS = 180_000;

interface Waiting {
  readonly timer: NodeJS.Timeout | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The requests that wait for a reply. */
export class Pending {
  readonly #replyMs: number | null;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #failure: WeftError | undefined;

  /** `replyMs` null: a reply may take as long as it will, the end of who replies is noticed otherwise. */
  constructor(replyMs: number | null = REPLY_MS) {
    this.#replyMs = replyMs;
  }

  /** `send` gets the request with its number. Rejects with the error of the reply, or the one of `fail`. */
  ask(request: object, send: (numbered: Numbered<object>) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const id = this.#nextId++;
      const timer = this.#deadline(id, reject);
      this.#waiting.set(id, { resolve, reject, timer });
      send({ ...request, id });
    });
  }

  #deadline(id: number, reject: (error: Error) => void): NodeJS.Timeout | undefined {
    const replyMs = this.#replyMs;
    if (replyMs === null) return undefined;
    return setTimeout(() => {
      this.#waiting.delete(id);
      reject(new WeftError('FAR_LOST', `There is no reply within ${replyMs / 1000} s`));
    }, replyMs);
  }

  /** False for a reply to nothing. */
  settle(reply: SideReply): boolean {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (waiting === undefined) return false;
    clearTimeout(waiting.timer);
    if ('error' in reply) {
      const { code, message, hint } = reply.error;
      waiting.reject(new WeftError(code, message, hint === null ? {} : { hint }));
    } else waiting.resolve(reply.value);
    return true;
  }

  /** Of all requests, also those that come. The first failure counts. */
  fail(error: WeftError): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(this.#failure);
    }
    this.#waiting.clear();
  }
}
