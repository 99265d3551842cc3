/** One reader's connection: its request, then records until one of both ends. Lives in the reader thread. */
import type { Socket } from 'node:net';
import type { TapLoss } from '../control/tap-messages.ts';
import {
  MAX_TAP_REQUEST_BYTES,
  readTapRequest,
  TAP_VERSION,
  type TapNetwork,
  type TapRequest,
} from '../control/tap-protocol.ts';
import { printable, toJson } from '../printable.ts';
import { Reader } from './reader.ts';

/** Our choice: a reader asks at once. */
const REQUEST_MS = 5000;
/** Our choice: for the last words to a reader that still reads. */
const END_MS = 1000;

export interface Known {
  readonly networks: readonly TapNetwork[];
  readonly reasons: readonly string[];
}

export interface ConnectionEvents {
  readonly onRequest: (request: TapRequest) => void;
  /** Once, when nothing is left of it. */
  readonly onClosed: (problem: string | undefined) => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #known: Known;
  readonly #events: ConnectionEvents;
  #received = '';
  #request: TapRequest | undefined;
  #reader: Reader | undefined;
  #problem: string | undefined;
  #ending = false;

  constructor(socket: Socket, known: Known, events: ConnectionEvents) {
    this.#socket = socket;
    this.#known = known;
    this.#events = events;
    socket.setEncoding('latin1');
    socket.setTimeout(REQUEST_MS, () => this.#refuse('TAP_REQUEST_INVALID', 'no request came within 5 s'));
    socket.on('data', (text: string) => this.#hear(text));
    socket.on('end', () => this.end());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => events.onClosed(this.#problem));
  }

  /** What it asked for, while records go to it. */
  get request(): TapRequest | undefined {
    return this.#ending ? undefined : this.#request;
  }

  get loss(): TapLoss {
    return this.#reader?.loss ?? { lost: 0, sent: 0 };
  }

  setClock(clock: bigint): void {
    this.#reader?.setClock(clock);
  }

  /** The record at `at` of a data plane's memory. */
  offer(memory: Uint8Array, at: number, sample: number): void {
    if (!this.#ending) this.#reader?.offer(memory, at, sample, this.#socket.writableLength);
  }

  missed(records: number): void {
    if (!this.#ending) this.#reader?.missed(records);
  }

  flush(): void {
    const bytes = this.#ending ? undefined : this.#reader?.take(this.#socket.writableLength);
    if (bytes !== undefined) this.#socket.write(bytes);
  }

  /** Says what was lost, and closes. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#finish(this.#reader?.end());
  }

  #finish(last: Uint8Array | undefined): void {
    if (last === undefined) this.#socket.end();
    else this.#socket.end(last);
    // Of one that does not read there is no other end.
    this.#socket.setTimeout(0);
    setTimeout(() => this.#socket.destroy(), END_MS).unref();
    // What it says from now on is nothing to us; read, so that its end is seen.
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  #hear(text: string): void {
    // Nothing is expected behind the request.
    if (this.#reader !== undefined) return;
    this.#received += text;
    const end = this.#received.indexOf('\n');
    if (end < 0 ? this.#received.length > MAX_TAP_REQUEST_BYTES : end > MAX_TAP_REQUEST_BYTES)
      this.#refuse('TAP_REQUEST_INVALID', `the request is longer than ${MAX_TAP_REQUEST_BYTES} bytes`);
    else if (end >= 0) this.#begin(Buffer.from(this.#received.slice(0, end), 'latin1').toString('utf8'));
  }

  #begin(line: string): void {
    const read = readTapRequest(line);
    if ('problem' in read) {
      this.#refuse('TAP_REQUEST_INVALID', read.problem);
      return;
    }
    const { request } = read;
    const { networks, reasons } = this.#known;
    const network = networks.find(({ name }) => name === request.network);
    if (request.network !== undefined && network === undefined) {
      this.#refuse('UNKNOWN_NETWORK', `there is no network ${JSON.stringify(printable(request.network))} here`);
      return;
    }
    this.#socket.setTimeout(0);
    this.#received = '';
    this.#request = request;
    this.#reader = new Reader(request, network?.number);
    const { sample, snapLength } = request;
    this.#socket.write(`${toJson({ version: TAP_VERSION, networks, reasons, sample, snapLength })}\n`);
    this.#events.onRequest(request);
  }

  #refuse(code: string, problem: string): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#problem = problem;
    const hint = 'docs/operations.md, The tap';
    this.#finish(Buffer.from(`${toJson({ error: { code, message: `The tap refuses: ${problem}`, hint } })}\n`));
  }
}
