/** The far side's end of one connection: the handshake, then requests, until either side goes. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
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
  refusalLine,
} from './handshake.ts';
import { LineReader } from './line-reader.ts';
import { checkFarRequest, type Request } from './requests.ts';
import { LINE_BYTES, Opener, Sealer } from './sealed-lines.ts';
import type { SideReply } from './side-protocol.ts';

/** Our choice: requests that may wait for their replies at once; ours are two at most. */
const MOST_REQUESTS = 4;
/** Our choice: replies that nobody reads. */
const MOST_UNREAD_BYTES = 256 * 1024;
/** Our choice: how long the last line has to leave. */
const LAST_WORDS_MS = 1000;

export interface SessionHost {
  /** Normalized. */
  readonly token: string;
  /** Milliseconds for the whole handshake, and without a line after it: the near side says every 5 s that it is there. */
  readonly limits: { readonly handshakeMs: number; readonly silentMs: number };
  /** Somebody has shown the token: true makes this session the one, false: there is another. */
  admit(session: FarSession): boolean;
  wrongToken(): void;
  perform(request: Request): Promise<unknown>;
  /** Once, when nothing more will come. `why` is for the log. */
  ended(session: FarSession, why: string): void;
}

type State = 'hello' | 'proof' | 'open' | 'ended';

export class FarSession {
  /** "192.0.2.1" */
  readonly address: string;
  readonly #socket: Socket;
  readonly #host: SessionHost;
  readonly #reader = new LineReader(GREETING_BYTES);
  #state: State = 'hello';
  #nonces: Nonces | undefined;
  #sealer: Sealer | undefined;
  #opener: Opener | undefined;
  #requests = 0;
  #timer: NodeJS.Timeout;

  constructor(socket: Socket, host: SessionHost) {
    this.#socket = socket;
    this.#host = host;
    this.address = socket.remoteAddress ?? '?';
    this.#timer = this.#deadline(host.limits.handshakeMs, 'it did not finish the handshake');
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(messageOf(error)));
    // Half open is of no use to either side.
    socket.on('end', () => this.#end('it has closed the connection'));
    socket.on('close', () => this.#end('the connection is closed'));
  }

  /** Tells the near side why, then ends. */
  close(why: string): void {
    if (this.#state === 'open') this.#send({ closing: why });
    else this.#socket.write(`${refusalLine('ending')}\n`);
    this.#end(why);
  }

  #deadline(ms: number, why: string): NodeJS.Timeout {
    return setTimeout(() => this.#end(why), ms);
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'ended') return;
    this.#reader.push(chunk);
    try {
      for (let line = this.#reader.next(); line !== undefined; line = this.#reader.next()) {
        this.#takeLine(line);
        // A line may have ended the session.
        if ((this.#state as State) === 'ended') return;
      }
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  #takeLine(line: string): void {
    if (this.#state === 'open') this.#takeRequest(line);
    else this.#takeGreeting(line);
  }

  #takeGreeting(line: string): void {
    const greeting = readGreeting(line);
    if (greeting?.kind === 'hello' && this.#state === 'hello') {
      if (greeting.version !== PROTOCOL_VERSION) {
        this.#refuse('version', `it speaks version ${greeting.version} of the protocol, this is ${PROTOCOL_VERSION}`);
        return;
      }
      this.#nonces = { near: greeting.nonce, far: randomBytes(NONCE_BYTES) };
      this.#state = 'proof';
      this.#socket.write(`${helloLine(this.#nonces.far)}\n`);
    } else if (greeting?.kind === 'proof' && this.#nonces !== undefined) this.#takeProof(greeting.proof, this.#nonces);
    else this.#end('it does not speak the protocol');
  }

  #takeProof(proof: Buffer, nonces: Nonces): void {
    const { token } = this.#host;
    if (!isProof(proof, token, 'near', nonces)) {
      this.#refuse('token', 'wrong token');
      this.#host.wrongToken();
      return;
    }
    if (!this.#host.admit(this)) {
      this.#refuse('busy', 'another one is being served');
      return;
    }
    this.#state = 'open';
    this.#reader.most = LINE_BYTES;
    this.#sealer = new Sealer(lineKeyOf(token, 'far', nonces));
    this.#opener = new Opener(lineKeyOf(token, 'near', nonces));
    this.#stayAlive();
    this.#socket.write(`${proofLine(proofOf(token, 'far', nonces))}\n`);
  }

  #stayAlive(): void {
    clearTimeout(this.#timer);
    const { silentMs } = this.#host.limits;
    this.#timer = this.#deadline(silentMs, `nothing came from it for ${silentMs / 1000} s`);
  }

  #takeRequest(line: string): void {
    const message = this.#opener?.open(line);
    this.#stayAlive();
    if (typeof message !== 'object' || message === null) throw new WeftError('FAR_PROTOCOL', 'A line is no object');
    const { id, ...rest } = message as Readonly<Record<string, unknown>>;
    // It only says that it is still there.
    if (id === undefined) return;
    if (!Number.isSafeInteger(id)) throw new WeftError('FAR_PROTOCOL', 'A request has no number');
    if (this.#requests >= MOST_REQUESTS) throw new WeftError('FAR_PROTOCOL', 'Too many requests at once');
    this.#requests++;
    void this.#answer(Number(id), rest).finally(() => this.#requests--);
  }

  async #answer(id: number, rest: unknown): Promise<void> {
    let reply: SideReply;
    try {
      reply = { id, value: await this.#host.perform(checkFarRequest(rest)) };
    } catch (error) {
      const code = error instanceof WeftError ? error.code : 'FAR_REQUEST';
      const hint = error instanceof WeftError ? (error.hint ?? null) : null;
      reply = { id, error: { code, message: messageOf(error), hint } };
    }
    this.#send(reply);
  }

  #send(message: object): void {
    if (this.#state !== 'open' || this.#sealer === undefined) return;
    this.#socket.write(`${this.#sealer.seal(message)}\n`);
    if (this.#socket.writableLength > MOST_UNREAD_BYTES) this.#end('it does not read');
  }

  #refuse(refusal: Refusal, why: string): void {
    this.#socket.write(`${refusalLine(refusal)}\n`);
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#timer);
    // What was written leaves; then nothing more is taken, and nobody is waited for.
    // Not the socket's own timer: that one waits for a client that goes on sending.
    this.#socket.end(() => this.#socket.destroy());
    setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS).unref();
    this.#host.ended(this, why);
  }
}
