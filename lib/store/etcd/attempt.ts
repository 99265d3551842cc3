/** One connection to one address of an endpoint, to see whether HTTP/2 is spoken there, and a race of several of them. */
import { lookup } from 'node:dns/promises';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { WeftError } from '../../error.ts';
import type { Endpoint } from './endpoints.ts';

export interface DialOptions {
  /** Present exactly when the endpoint is https. */
  readonly context: SecureContext | undefined;
  /** For each address. */
  readonly timeoutMs: number;
  /** Gives up at once when aborted. */
  readonly signal: AbortSignal;
  /** The addresses of a name. Default: the system's resolver. */
  readonly resolve?: ((name: string) => Promise<readonly string[]>) | undefined;
}

/** RFC 8305 §5, "Connection Attempt Delay": an address that is silent so long gets company, and may still win. */
const NEXT_ADDRESS_MS = 250;

/** No address answered: what became of each, in the order in which they were tried. */
export class RaceError extends Error {
  readonly reasons: readonly unknown[];
  /** The first address that took the TCP connection. */
  readonly connected: string | undefined;

  constructor(reasons: readonly unknown[], connected: string | undefined) {
    super('no address answers');
    this.reasons = reasons;
    this.connected = connected;
  }
}

export class SilenceError extends Error {
  constructor(timeoutMs: number, address: string | undefined) {
    super(`no answer${address === undefined ? '' : ` of ${address}`} within ${timeoutMs} ms`);
  }
}

/**
 * Connects to all addresses of an endpoint, each a little after the one before, shakes hands with the first that answers, and
 * hangs up. Resolves to that address; rejects with RaceError, or STORE_CLOSED when aborted.
 */
export async function race(endpoint: Endpoint, options: DialOptions): Promise<string> {
  const addresses = await addressesOf(endpoint, options);
  const attempts: Attempt[] = [];
  const reasons: unknown[] = [];
  try {
    return await new Promise<string>((resolve, reject) => {
      const next = (): void => {
        const address = addresses[attempts.length];
        if (address === undefined) return;
        const attempt = new Attempt(endpoint, address, addresses.length > 1, options);
        const number = attempts.push(attempt) - 1;
        const timer = setTimeout(next, NEXT_ADDRESS_MS);
        attempt.answer().then(resolve, (error) => {
          clearTimeout(timer);
          reasons[number] = error;
          // `reasons` has holes for those that are under way.
          const failed = Object.keys(reasons).length;
          if (failed === addresses.length || options.signal.aborted) reject(error);
          else if (attempts.length === number + 1) next();
        });
        attempt.onHangUp(() => clearTimeout(timer));
      };
      next();
    });
  } catch (error) {
    if (options.signal.aborted) throw error;
    throw new RaceError(reasons, attempts.find(({ connected }) => connected)?.address);
  } finally {
    for (const attempt of attempts) attempt.hangUp();
  }
}

/** An address is its own. Rejects as `race` does, also when the resolver takes longer than an answer may. */
async function addressesOf({ host }: Endpoint, options: DialOptions): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const { timeoutMs, signal, resolve = resolveName } = options;
  const giveUp = new AbortController();
  const ended = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no address of ${host} within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = (): void => reject(storeClosed());
    signal.addEventListener('abort', onAbort, { signal: giveUp.signal });
    giveUp.signal.addEventListener('abort', () => clearTimeout(timer));
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([resolve(host), ended]);
  } catch (error) {
    if (signal.aborted) throw storeClosed();
    throw new RaceError([error], undefined);
  } finally {
    giveUp.abort();
  }
}

async function resolveName(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);
}

export class Attempt {
  readonly address: string;
  /** The port took the TCP connection. */
  connected = false;
  readonly #socket: Socket;
  readonly #endpoint: Endpoint;
  readonly #options: DialOptions;
  /** Whether the address is one of several, which a reason must name. */
  readonly #oneOfSeveral: boolean;
  readonly #onAbort = () => this.#giveUp(storeClosed());
  #giveUp: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #session: ClientHttp2Session | undefined;
  #onHangUp: () => void = () => {};

  constructor(endpoint: Endpoint, address: string, oneOfSeveral: boolean, options: DialOptions) {
    this.#endpoint = endpoint;
    this.address = address;
    this.#oneOfSeveral = oneOfSeveral;
    this.#options = options;
    this.#socket = openSocket(endpoint, address, options.context);
  }

  answer(): Promise<string> {
    const { timeoutMs, signal } = this.#options;
    return new Promise<string>((resolve, reject) => {
      this.#giveUp = reject;
      const named = this.#oneOfSeveral ? this.address : undefined;
      this.#timer = setTimeout(() => reject(new SilenceError(timeoutMs, named)), timeoutMs);
      signal.addEventListener('abort', this.#onAbort, { once: true });
      if (signal.aborted) this.#onAbort();
      this.#socket.once('connect', () => {
        this.connected = true;
      });
      this.#socket.on('error', reject).once('close', () => reject(new Error('connection closed')));
      this.#session = connectHttp2(this.#endpoint.text, { createConnection: () => this.#socket });
      this.#session.on('error', reject).once('remoteSettings', () => resolve(this.address));
    });
  }

  onHangUp(callback: () => void): void {
    this.#onHangUp = callback;
  }

  hangUp(): void {
    clearTimeout(this.#timer);
    this.#onHangUp();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#session?.destroy();
    this.#socket.destroy();
  }
}

function openSocket({ host, port, secure }: Endpoint, address: string, context: SecureContext | undefined): Socket {
  if (!secure) return connectTcp({ host: address, port });
  return connectTls({
    host: address,
    port,
    ALPNProtocols: ['h2'],
    // The certificate is checked for this name, or else for the address.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(context === undefined ? {} : { secureContext: context }),
  });
}

function storeClosed(): WeftError {
  return new WeftError('STORE_CLOSED', 'The store is closed');
}
