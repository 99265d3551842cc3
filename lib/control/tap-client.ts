/** A reader's end of the tap. */
import { connect, type Socket } from 'node:net';
import { messageOf, WeftError } from '../error.ts';
import { type ErrorReply, MAX_SOCKET_PATH_BYTES } from './protocol.ts';
import { namedRecord, TapDecoder, type TapMessage } from './tap-messages.ts';
import { encodeTapRequest, type TapRecord, type TapReply, type TapRequest } from './tap-protocol.ts';

export type { TapRecord, TapRequest } from './tap-protocol.ts';

/** Our choice: 63 networks with long names. */
const MAX_REPLY_BYTES = 64 * 1024;
const REPLY_TIMEOUT_MS = 5000;
/** Our choice: for the last records of a weftd that runs; one that was stopped sends nothing, and does not close. */
const CLOSE_MS = 2000;

export interface Tap extends AsyncIterable<TapRecord> {
  /** What weftd answered. Rejects as the iteration does. */
  readonly reply: Promise<TapReply>;
  /** Records that weftd had no room for because they were not read in time; the last word on it comes with the end. */
  readonly lost: number;
  /** Asks for no more: the iteration ends after what is on its way. */
  close(): void;
}

/**
 * Reads the packets that pass through the weftd behind `socketPath`. The iteration, once, ends when weftd ends or `close` was
 * called. It throws WeftError NOT_RUNNING, PERMISSION_DENIED, NOT_ANSWERING, BAD_REPLY, or the code weftd replied with:
 * TAP_DENIED, TAP_BUSY, TAP_REQUEST_INVALID, UNKNOWN_NETWORK.
 */
export function openTap(socketPath: string, request: TapRequest): Tap {
  return new OpenTap(socketPath, request);
}

class OpenTap implements Tap {
  readonly #path: string;
  readonly #socket: Socket | undefined;
  readonly reply: Promise<TapReply>;
  readonly #chunks: AsyncIterator<Buffer> | undefined;
  /** What came behind the reply in one chunk. */
  #behindReply: Uint8Array = new Uint8Array(0);
  #lost = 0;
  #closing = false;

  constructor(path: string, request: TapRequest) {
    this.#path = path;
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      this.reply = Promise.reject(notThere(`The socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`));
    } else {
      this.#socket = connect({ path, allowHalfOpen: true });
      this.#socket.setTimeout(REPLY_TIMEOUT_MS, () =>
        this.#socket?.destroy(new Error(`no answer within ${REPLY_TIMEOUT_MS / 1000} s`)),
      );
      this.#socket.write(encodeTapRequest(request));
      this.#chunks = this.#socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      this.reply = this.#readReply(this.#chunks);
    }
    // Whoever iterates hears of it.
    this.reply.catch(() => undefined);
  }

  get lost(): number {
    return this.#lost;
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
    setTimeout(() => this.#socket?.destroy(), CLOSE_MS).unref();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TapRecord> {
    const reply = await this.reply;
    const decoder = new TapDecoder();
    try {
      let chunk: Uint8Array | undefined = this.#behindReply;
      while (chunk !== undefined) {
        const messages = decoder.take(chunk);
        if (messages === undefined) throw this.#badReply('it is no stream of records');
        for (const message of messages) {
          const record = this.#recordOf(message, reply);
          if (record !== undefined) yield record;
        }
        chunk = await this.#nextChunk(this.#chunks!);
      }
    } finally {
      this.#socket?.destroy();
    }
  }

  #recordOf(message: TapMessage, reply: TapReply): TapRecord | undefined {
    if (message.type === 'record') return namedRecord(message.record, reply);
    this.#lost = message.lost;
    return undefined;
  }

  async #readReply(chunks: AsyncIterator<Buffer>): Promise<TapReply> {
    let received: Uint8Array = new Uint8Array(0);
    for (;;) {
      const end = received.indexOf(0x0a);
      if (end >= 0) {
        this.#socket?.setTimeout(0);
        this.#behindReply = received.subarray(end + 1);
        return this.#parseReply(Buffer.from(received.subarray(0, end)).toString('utf8'));
      }
      if (received.length > MAX_REPLY_BYTES) throw this.#badReply('its first line does not end');
      const chunk = await this.#nextChunk(chunks);
      if (chunk === undefined) throw this.#badReply('it ended before its first line did');
      received = Buffer.concat([received, chunk]);
    }
  }

  #parseReply(line: string): TapReply {
    let body: unknown;
    try {
      body = JSON.parse(line);
    } catch {
      throw this.#badReply('its first line is no JSON');
    }
    const { error } = body as Partial<ErrorReply>;
    if (error !== undefined) {
      this.#socket?.destroy();
      throw new WeftError(error.code, error.message, error.hint === null ? {} : { hint: error.hint });
    }
    // Daemon and client are built from the same tap-protocol.ts.
    const reply = body as TapReply;
    if (!Array.isArray(reply.networks) || !Array.isArray(reply.reasons)) throw this.#badReply('it names no networks');
    return reply;
  }

  /** Undefined: weftd has closed, or was not waited for any longer. A connection that is cut while records come is an end, not an error. */
  async #nextChunk(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
    try {
      const next = await chunks.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (this.#closing) return undefined;
      throw connectionError(this.#path, error as NodeJS.ErrnoException);
    }
  }

  #badReply(why: string): WeftError {
    this.#socket?.destroy();
    return new WeftError('BAD_REPLY', `The reply from ${this.#path} is not weftd's: ${why}`, {
      hint: 'is --tap-socket right?',
    });
  }
}

function notThere(message: string, cause?: unknown): WeftError {
  return new WeftError('NOT_RUNNING', message, {
    cause,
    hint: 'is weftd running, and not with --tap-socket=? If the tap has another socket, give --tap-socket',
  });
}

function connectionError(path: string, error: NodeJS.ErrnoException): WeftError {
  const cause = error;
  switch (error.code) {
    case 'ENOENT':
      return notThere(`No tap at ${path}`, cause);
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return notThere(`Nobody answers on ${path}`, cause);
    case 'EACCES':
    case 'EPERM':
      return new WeftError('PERMISSION_DENIED', `No permission to use ${path}`, {
        cause,
        hint: 'only root, the user that runs weftd and the group of -tap-group may: try sudo',
      });
    default:
      return new WeftError('NOT_ANSWERING', `weftd on ${path} does not answer: ${messageOf(error)}`, {
        cause,
        hint: 'look at its log',
      });
  }
}
