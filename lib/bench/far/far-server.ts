/** `weft bench --serve`: listens at one address for one near side at a time, which has the token. */
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf, WeftError } from '../../error.ts';
import { LineLimit } from '../../line-limit.ts';
import { FarSession, type SessionHost } from './far-session.ts';
import type { Request } from './requests.ts';

/** Our choice, the one that is served among them: Node closes what comes beyond. */
const MOST_CONNECTIONS = 16;
const MOST_WRONG_TOKENS = 5;

export const LIMITS = {
  /** Without a near side. */
  idleMs: 10 * 60_000,
  handshakeMs: 10_000,
  silentMs: 30_000,
} as const;

/** What a session's requests go to: made when it begins, closed when it ends. */
export interface Performer {
  perform(request: Request): Promise<unknown>;
  /** Resolves when everything that was started is gone. */
  close(): Promise<void>;
}

export interface FarServerOptions {
  /** Dotted quad of this machine's. */
  readonly address: string;
  readonly port: number;
  /** Normalized. */
  readonly token: string;
  readonly limits?: Partial<Readonly<Record<keyof typeof LIMITS, number>>>;
  readonly log: (line: string) => void;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** `near`: the other side's address. */
  readonly startPerformer: (near: string) => Performer;
}

/** Why it ended: by itself after a time without a near side, because somebody guesses, or by `stop`. */
export type FarEnd = 'idle' | 'wrong-tokens' | 'stopped';

export class FarServer {
  readonly #options: FarServerOptions;
  readonly #limits: Readonly<Record<keyof typeof LIMITS, number>>;
  readonly #server: Server;
  readonly #sessions = new Set<FarSession>();
  /** The near side that is being served; after its end until what it started is gone. */
  #served: { readonly session: FarSession; readonly performer: Performer; ended?: Promise<void> } | undefined;
  /** Of those who did not show the token: whoever can reach the port could fill the log. */
  readonly #strangers: LineLimit;
  #wrongTokens = 0;
  #idle: NodeJS.Timeout | undefined;
  #end: (end: FarEnd) => void = () => undefined;
  readonly ended: Promise<FarEnd>;

  private constructor(options: FarServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#strangers = new LineLimit(options.now);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /** Codes: FAR_LISTEN with the kernel's word: a port that is taken, an address that is not ours. */
  static async listen(options: FarServerOptions): Promise<FarServer> {
    const { address, port } = options;
    const far = new FarServer(options);
    await new Promise<void>((resolve, reject) => {
      far.#server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(address, port, cause)));
      far.#server.listen(port, address, resolve);
    });
    // Of accept(2): too many open files. The next may work.
    far.#server.on('error', (error) => options.log(`Cannot take a connection: ${messageOf(error)}`));
    far.#waitForNear();
    return far;
  }

  /** For tests, which let the kernel choose. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Ends all sessions, and resolves when what they started is gone. */
  async stop(why: string, end: FarEnd = 'stopped'): Promise<void> {
    clearTimeout(this.#idle);
    this.#server.close();
    for (const session of this.#sessions) session.close(why);
    await this.#served?.ended;
    clearTimeout(this.#idle);
    this.#end(end);
  }

  #waitForNear(): void {
    clearTimeout(this.#idle);
    const { idleMs } = this.#limits;
    this.#idle = setTimeout(() => void this.stop(`nobody came for ${idleMs / 60_000} minutes`, 'idle'), idleMs);
  }

  #accept(socket: Socket): void {
    const host: SessionHost = {
      token: this.#options.token,
      limits: this.#limits,
      admit: (session) => this.#admit(session),
      wrongToken: () => this.#countWrongToken(),
      perform: (request) =>
        this.#served?.performer.perform(request) ?? Promise.reject(new WeftError('FAR_REQUEST', 'It has ended')),
      ended: (session, why) => this.#sessionEnded(session, why),
    };
    this.#sessions.add(new FarSession(socket, host));
  }

  #admit(session: FarSession): boolean {
    if (this.#served !== undefined) return false;
    clearTimeout(this.#idle);
    this.#served = { session, performer: this.#options.startPerformer(session.address) };
    this.#options.log(`Measuring with ${session.address}`);
    return true;
  }

  #countWrongToken(): void {
    this.#wrongTokens++;
    if (this.#wrongTokens === MOST_WRONG_TOKENS) void this.stop('too many wrong tokens', 'wrong-tokens');
  }

  #sessionEnded(session: FarSession, why: string): void {
    this.#sessions.delete(session);
    const served = this.#served;
    if (served?.session !== session) {
      this.#strangers.say((omitted) => {
        const more = omitted === 0 ? '' : ` (and ${omitted} more without the token)`;
        this.#options.log(`${session.address}: ${why}${more}`);
      });
      return;
    }
    this.#options.log(`${session.address}: ${why}`);
    served.ended = served.performer.close().then(() => {
      this.#served = undefined;
      if (this.#server.listening) this.#waitForNear();
    });
  }
}

function cannotListen(address: string, port: number, cause: NodeJS.ErrnoException): WeftError {
  const why: Readonly<Record<string, readonly [string, string]>> = {
    EADDRINUSE: ['another program has that port', 'Name another: --serve ADDRESS:PORT'],
    EADDRNOTAVAIL: ['this machine has no such address', 'ip -br address lists those that it has'],
    EACCES: ['that port is for root', 'Name one from 1024 on, or run it with sudo'],
  };
  const [text, hint] = why[cause.code ?? ''] ?? [cause.message, undefined];
  return new WeftError('FAR_LISTEN', `Cannot listen on ${address}:${port}: ${text}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}
