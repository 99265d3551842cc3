/** One client of a bounded server: its requests are answered in order, and the next is looked at when the answer has been taken. */
import type { Socket } from 'node:net';
import { formatReply, type HttpReply, type HttpRequest, parseRequest } from './http.ts';

export type Answer = (request: HttpRequest) => HttpReply | Promise<HttpReply>;

/** In ticks of the server's clock. */
export interface Patience {
  /** Until the first request is complete, however slowly its bytes come. */
  readonly head: number;
  /** Until the next request of a client that had an answer is complete. */
  readonly next: number;
  /** Until an answer has been taken. */
  readonly answer: number;
}

const BAD_REQUEST: HttpReply = { status: 400, contentType: 'text/plain; charset=utf-8', text: 'bad request\n' };

export class Connection {
  readonly source: string;
  /** The turn of the event loop in which it came. */
  readonly turn: number;
  readonly #socket: Socket;
  readonly #answer: Answer;
  /** Sent and not answered yet: at most one head and one read of the socket. */
  #received = '';
  #isBusy = false;
  /** The client sends no more. */
  #isEnded = false;
  #wasAnswered = false;
  #closing = false;
  /** Whoever waits for an answer to be taken is told. */
  #onGone = (): void => undefined;
  /** When it began to wait for what it waits for now. */
  #sinceTick: number;

  constructor(socket: Socket, source: string, at: { readonly turn: number; readonly tick: number }, answer: Answer) {
    this.#socket = socket;
    this.source = source;
    this.turn = at.turn;
    this.#sinceTick = at.tick;
    this.#answer = answer;
  }

  /** `tick` tells the server's time. `onAnswered`: it was useful just now, so others are idler. */
  serve(tick: () => number, onAnswered: () => void): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      void this.#answerNext(tick, onAnswered);
    });
    this.#socket.on('end', () => {
      this.#isEnded = true;
      if (!this.#isBusy) this.#socket.end();
    });
    // A client that has gone away is no news.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => this.#onGone());
  }

  /** Whether it has waited for its time. */
  isOverdue(tick: number, patience: Patience): boolean {
    const waited = tick - this.#sinceTick;
    if (this.#isBusy) return waited > patience.answer;
    return waited > (this.#wasAnswered && !this.#closing ? patience.next : patience.head);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Never rejects. Reads nothing while an answer is under way: what is not read is not produced either. */
  async #answerNext(tick: () => number, onAnswered: () => void): Promise<void> {
    if (this.#isBusy || this.#closing) return;
    this.#isBusy = true;
    this.#socket.pause();
    for (;;) {
      const parsed = parseRequest(this.#received);
      if (parsed === undefined) break;
      const { request, length } =
        parsed === 'bad' ? { request: { method: '', target: '', keepAlive: false }, length: 0 } : parsed;
      this.#received = request.keepAlive ? this.#received.slice(length) : '';
      this.#sinceTick = tick();
      const reply = parsed === 'bad' ? BAD_REQUEST : await this.#answer(request);
      if (!(await this.#isTaken(formatReply(reply, request)))) return;
      this.#wasAnswered = true;
      this.#sinceTick = tick();
      onAnswered();
      if (!request.keepAlive) return this.#end();
    }
    this.#isBusy = false;
    if (this.#isEnded) this.#end();
    else this.#socket.resume();
  }

  #end(): void {
    this.#isBusy = false;
    this.#closing = true;
    this.#received = '';
    this.#socket.end();
    // What still comes is thrown away, so that the kernel does not take the answer back with a reset.
    this.#socket.removeAllListeners('data').resume();
  }

  /** Whether the kernel has all of the text; false when the client is gone. */
  #isTaken(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#onGone = () => resolve(false);
      this.#socket.write(text, (error) => resolve(error === undefined || error === null));
    });
  }
}
