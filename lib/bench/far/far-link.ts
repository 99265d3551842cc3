/** The near side's end of the connection: finds the far side, proves itself, and asks. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { messageOf, WeftError } from '../../error.ts';
import {
  GREETING_BYTES,
  helloLine,
  isProof,
  lineKeyOf,
  NONCE_BYTES,
  type Nonces,
  PROTOCOL_VERSION,
  proofLine,
  proofOf,
  type Refusal,
  readGreeting,
} from './handshake.ts';
import { LineReader } from './line-reader.ts';
import { checkFarReply, readFarMessage } from './replies.ts';
import type { ReplyTo, Request, RequestType, Side } from './requests.ts';
import { LINE_BYTES, Opener, Sealer } from './sealed-lines.ts';
import { Pending } from './side-protocol.ts';

export interface FarLinkOptions {
  /** Name or dotted quad. */
  readonly host: string;
  readonly port: number;
  /** Normalized. */
  readonly token: string;
  readonly limits?: { readonly connectMs?: number; readonly aliveMs?: number };
}

const CONNECT_MS = 10_000;
/** A third of what the far side waits, with room for one that is lost. */
const ALIVE_MS = 5000;

/** The far side, proved. */
export class FarLink implements Side {
  /** Dotted quads: ours as this connection has it, and the far side's. */
  readonly own: string;
  readonly other: string;
  readonly #socket: Socket;
  readonly #pending = new Pending();
  readonly #reader: LineReader;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #alive: NodeJS.Timeout;

  private constructor(greeter: Greeter, token: string, nonces: Nonces, aliveMs: number) {
    const { socket, reader } = greeter;
    this.#socket = socket;
    this.#reader = reader;
    reader.most = LINE_BYTES;
    this.own = socket.localAddress ?? '';
    this.other = socket.remoteAddress ?? '';
    this.#sealer = new Sealer(lineKeyOf(token, 'near', nonces));
    this.#opener = new Opener(lineKeyOf(token, 'far', nonces));
    this.#alive = setInterval(() => this.#send({}), aliveMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#lose(messageOf(error)));
    socket.on('close', () => this.#lose('it has closed the connection'));
    // What came with the last line of the handshake.
    this.#receive(Buffer.alloc(0));
  }

  /** Codes: FAR_UNREACHABLE, FAR_VERSION, FAR_TOKEN, FAR_BUSY, FAR_PROTOCOL. */
  static async open(options: FarLinkOptions): Promise<FarLink> {
    const place = `${options.host}:${options.port}`;
    const { connectMs = CONNECT_MS, aliveMs = ALIVE_MS } = options.limits ?? {};
    const greeter = new Greeter(connect({ host: options.host, port: options.port, family: 4 }), place, connectMs);
    try {
      await greeter.connected();
      const near = randomBytes(NONCE_BYTES);
      greeter.write(helloLine(near));
      const hello = await greeter.greeting();
      if (hello.kind !== 'hello') throw notOurs(place);
      if (hello.version !== PROTOCOL_VERSION) throw otherVersion(place, hello.version);
      const nonces = { near, far: hello.nonce };
      greeter.write(proofLine(proofOf(options.token, 'near', nonces)));
      const proof = await greeter.greeting();
      if (proof.kind !== 'proof') throw notOurs(place);
      if (!isProof(proof.proof, options.token, 'far', nonces))
        throw new WeftError('FAR_TOKEN', `${place} does not have the token: nothing is measured with it`);
      greeter.finish();
      return new FarLink(greeter, options.token, nonces, aliveMs);
    } catch (error) {
      greeter.abandon();
      throw error;
    }
  }

  async ask<T extends RequestType>(request: Request & { readonly type: T }): Promise<ReplyTo<T>> {
    const reply = await this.#pending.ask(request, (numbered) => this.#send(numbered));
    checkFarReply(request.type, reply);
    // It has just been checked.
    return reply as ReplyTo<T>;
  }

  close(): void {
    this.#lose('it is no longer needed');
  }

  #send(message: object): void {
    if (this.#socket.writable) this.#socket.write(`${this.#sealer.seal(message)}\n`);
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    try {
      for (let line = this.#reader.next(); line !== undefined; line = this.#reader.next()) {
        const message = readFarMessage(this.#opener.open(line));
        if ('closing' in message) this.#lose(message.closing);
        else this.#pending.settle(message);
      }
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  #lose(why: string): void {
    clearInterval(this.#alive);
    this.#pending.fail(new WeftError('FAR_LOST', `The connection to the far side ${this.other} has ended: ${why}`));
    this.#socket.destroy();
  }
}

/** A connection before both sides know each other: one line at a time, within a time. */
class Greeter {
  readonly socket: Socket;
  readonly reader = new LineReader(GREETING_BYTES);
  readonly #place: string;
  readonly #timer: NodeJS.Timeout;
  #failure: WeftError | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, place: string, withinMs: number) {
    this.socket = socket;
    this.#place = place;
    socket.setNoDelay(true);
    this.#timer = setTimeout(() => this.#fail(new WeftError('FAR_UNREACHABLE', this.#silence(withinMs))), withinMs);
    socket.on('data', this.#onData);
    socket.on('connect', this.#onConnect);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  readonly #onConnect = (): void => this.#wake();
  readonly #onData = (chunk: Buffer): void => {
    this.reader.push(chunk);
    this.#wake();
  };
  readonly #onError = (cause: NodeJS.ErrnoException): void => this.#fail(unreachable(this.#place, cause));
  readonly #onClose = (): void => this.#fail(notOurs(this.#place));

  connected(): Promise<void> {
    return this.#until(() => (this.socket.connecting ? undefined : true)).then(() => undefined);
  }

  write(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async greeting(): Promise<Exclude<NonNullable<ReturnType<typeof readGreeting>>, { readonly kind: 'refused' }>> {
    const line = await this.#until(() => {
      try {
        return this.reader.next();
      } catch {
        throw notOurs(this.#place);
      }
    });
    const greeting = readGreeting(line);
    if (greeting === undefined) throw notOurs(this.#place);
    if (greeting.kind === 'refused') throw refusal(this.#place, greeting.why, greeting.version);
    return greeting;
  }

  /** Hands the socket on. */
  finish(): void {
    clearTimeout(this.#timer);
    this.socket.off('data', this.#onData).off('error', this.#onError).off('close', this.#onClose);
  }

  abandon(): void {
    clearTimeout(this.#timer);
    this.socket.destroy();
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #silence(withinMs: number): string {
    return `${this.#place} does not answer within ${withinMs / 1000} s`;
  }

  #fail(error: WeftError): void {
    this.#failure ??= error;
    this.#wake();
  }
}

function unreachable(place: string, cause: NodeJS.ErrnoException): WeftError {
  const texts: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nobody listens there',
    EHOSTUNREACH: 'there is no way to it',
    ENETUNREACH: 'there is no route to it',
    ETIMEDOUT: 'it does not answer',
    ENOTFOUND: 'no address has that name',
    EAI_AGAIN: 'the name server does not answer',
    ECONNRESET: 'it has closed the connection',
  };
  return new WeftError('FAR_UNREACHABLE', `Cannot reach ${place}: ${texts[cause.code ?? ''] ?? cause.message}`, {
    cause,
    hint: 'On the other machine: weft bench --serve ADDRESS; its TCP port has to be open to this one',
  });
}

function notOurs(place: string): WeftError {
  return new WeftError('FAR_PROTOCOL', `What answers at ${place} is no weft bench --serve`);
}

function otherVersion(place: string, version: number): WeftError {
  return new WeftError(
    'FAR_VERSION',
    `${place} speaks version ${version} of the protocol between the two sides, this weft ${PROTOCOL_VERSION}`,
    { hint: 'Use the same weft on both machines' },
  );
}

function refusal(place: string, why: Refusal, version: number): WeftError {
  switch (why) {
    case 'version':
      return otherVersion(place, version);
    case 'token':
      return new WeftError('FAR_TOKEN', `${place} refuses the token: it is another one`, {
        hint: 'Take the one that weft bench --serve prints there now; each start has its own',
      });
    case 'busy':
      return new WeftError('FAR_BUSY', `${place} measures with somebody else now`, { hint: 'Try again later' });
    case 'ending':
      return new WeftError('FAR_UNREACHABLE', `${place} is ending`, { hint: 'Start weft bench --serve there again' });
  }
}
