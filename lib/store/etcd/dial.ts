/**
 * Finds out whether an endpoint answers HTTP/2, and if not, exactly why.
 *
 * grpc-js (1.14) connects without a time limit, has no way to give up, and reports every failure as UNAVAILABLE with a
 * text. Weft therefore opens one short connection of its own first and lets grpc-js connect only where that worked: a
 * dead or hung server costs one timeout and no sockets, and a TLS mistake is known by its code.
 */
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { messageOf, WeftError } from '../../error.ts';
import type { Endpoint } from './endpoints.ts';

export interface DialOptions {
  /** Present exactly when the endpoint is https. */
  readonly context: SecureContext | undefined;
  readonly timeoutMs: number;
  /** Gives up at once when aborted. */
  readonly signal: AbortSignal;
}

/**
 * Connects, shakes hands, and hangs up. Resolves to the address that answered.
 * Rejects with WeftError STORE_UNREACHABLE, or STORE_DENIED when TLS is what fails.
 */
export async function dial(endpoint: Endpoint, options: DialOptions): Promise<string> {
  const attempt = new Attempt(endpoint, options);
  try {
    return await attempt.answer();
  } catch (error) {
    if (options.signal.aborted) throw error;
    throw await explain(error, endpoint, attempt.connected, options);
  } finally {
    attempt.hangUp();
  }
}

class Attempt {
  /** The port took the TCP connection. */
  connected = false;
  readonly #socket: Socket;
  readonly #endpoint: Endpoint;
  readonly #options: DialOptions;
  readonly #onAbort = () => this.#giveUp(new WeftError('STORE_CLOSED', 'The store is closed'));
  #giveUp: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #session: ClientHttp2Session | undefined;

  constructor(endpoint: Endpoint, options: DialOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#socket = openSocket(endpoint, options.context);
  }

  answer(): Promise<string> {
    const { timeoutMs, signal } = this.#options;
    return new Promise<string>((resolve, reject) => {
      this.#giveUp = reject;
      this.#timer = setTimeout(() => reject(new SilenceError(timeoutMs)), timeoutMs);
      signal.addEventListener('abort', this.#onAbort, { once: true });
      if (signal.aborted) this.#onAbort();
      this.#socket.once('connect', () => {
        this.connected = true;
      });
      this.#socket.on('error', reject).once('close', () => reject(new Error('connection closed')));
      this.#session = connectHttp2(this.#endpoint.text, { createConnection: () => this.#socket });
      this.#session.on('error', reject).once('remoteSettings', () => {
        resolve(this.#socket.remoteAddress ?? this.#endpoint.host);
      });
    });
  }

  hangUp(): void {
    clearTimeout(this.#timer);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#session?.destroy();
    this.#socket.destroy();
  }
}

class SilenceError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

function openSocket({ host, port, secure }: Endpoint, context: SecureContext | undefined): Socket {
  if (!secure) return connectTcp({ host, port });
  return connectTls({
    host,
    port,
    ALPNProtocols: ['h2'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(context === undefined ? {} : { secureContext: context }),
  });
}

async function explain(
  error: unknown,
  endpoint: Endpoint,
  connected: boolean,
  options: DialOptions,
): Promise<WeftError> {
  const { text, secure } = endpoint;
  const reason = reasonOf(error);
  const silent = error instanceof SilenceError;
  const code = codeOf(error);
  const tls = secure ? tlsHint(code) : undefined;
  if (tls !== undefined)
    return new WeftError('STORE_DENIED', `TLS with etcd at ${text} fails: ${reason}`, { cause: error, hint: tls });
  if (connected && !silent) {
    const mistake = await schemeMistake(endpoint, options);
    if (mistake !== undefined) return mistake;
  }
  const hint = silent ? silenceHint(connected) : networkHint(code);
  return new WeftError('STORE_UNREACHABLE', `Cannot reach etcd at ${text}: ${reason}`, { cause: error, hint });
}

/** Tries the other scheme, only to be able to name the mistake: nothing but a handshake is sent. */
async function schemeMistake(endpoint: Endpoint, options: DialOptions): Promise<WeftError | undefined> {
  const { text, secure } = endpoint;
  if (secure && (await speaksHttp2(endpoint, options)))
    return new WeftError('STORE_DENIED', `Etcd at ${text} speaks plain http, not TLS`, {
      hint: 'let etcd listen with https:// and a certificate, or write the endpoint as http://',
    });
  if (!secure && (await speaksTls(endpoint, options.timeoutMs)))
    return new WeftError('STORE_DENIED', `Etcd at ${text} speaks TLS, not plain http`, {
      hint: 'write the endpoint as https:// and give the CA with --etcd-cafile',
    });
  return undefined;
}

async function speaksHttp2(endpoint: Endpoint, options: DialOptions): Promise<boolean> {
  const plain = { ...endpoint, secure: false, text: endpoint.text.replace('https:', 'http:') };
  const attempt = new Attempt(plain, { ...options, context: undefined });
  try {
    await attempt.answer();
    return true;
  } catch {
    return false;
  } finally {
    attempt.hangUp();
  }
}

function reasonOf(error: unknown): string {
  // Node.js gives one error for all addresses of a name, with an empty message and the reasons inside.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  // OpenSSL's message holds addresses and source lines; its reason is the part for people.
  if (error instanceof Error && 'library' in error && 'reason' in error) return String(error.reason);
  return messageOf(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function silenceHint(connected: boolean): string {
  return connected
    ? 'the port accepts connections but nobody answers: is the etcd process hung or stopped?'
    : 'check the address, and that no firewall drops packets to this port';
}

function networkHint(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'check the host name in --etcd-endpoints';
  return 'check that etcd is running and listens on this address (etcd --listen-client-urls)';
}

/** What to do about a failed handshake; undefined when it was not TLS that failed. Codes of OpenSSL and Node.js. */
function tlsHint(code: string): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return "the certificate is for other names: use one of them in --etcd-endpoints, or add this one to etcd's certificate";
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return "renew etcd's certificate, and check the clock of this host";
  if (/ISSUER|SELF_SIGNED|LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED/.test(code))
    return "give the CA that signed etcd's certificate with --etcd-cafile";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|RECORD/.test(code))
    return 'this port does not speak TLS: check the port, or that etcd listens with https://';
  if (code.includes('ALERT'))
    return 'etcd refuses our certificate: give one that its client CA signed with --etcd-certfile and --etcd-keyfile';
  return undefined;
}

/** Whether a server completes a TLS handshake there, etcd or not. */
function speaksTls({ host, port }: Endpoint, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent or trusted over this connection, so its certificate does not matter.
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.once('secureConnect', () => finish(true));
    socket.on('error', () => finish(false));
  });
}
