/**
 * A thin client for etcd's v3 API: eight procedures, over whichever endpoint answers.
 *
 * Every request may be sent twice, to the next endpoint, when a connection breaks before the answer: callers only write
 * with compare-and-swap and look at what is there when a comparison fails.
 */
import { WeftError } from '../../error.ts';
import {
  AUTHENTICATE,
  LEASE_GRANT,
  LEASE_REVOKE,
  LEASE_TIME_TO_LIVE,
  RANGE,
  type RangeRequest,
  type RangeResponse,
  type Rpc,
  TXN,
  type TxnRequest,
  type TxnResponse,
} from './api.ts';
import { EtcdConnection, type WatchStream } from './connection.ts';
import { type Endpoint, parseEndpoints } from './endpoints.ts';
import { isAuthNotEnabled, isTokenRefused, isUnavailable, storeError } from './error.ts';
import { type EtcdTls, TlsSource } from './tls.ts';

export interface EtcdClientOptions {
  /** flannel's --etcd-endpoints: see parseEndpoints. */
  readonly endpoints: string | readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A function is called before each connection. */
  readonly tls?: EtcdTls | (() => EtcdTls) | undefined;
  /** For TCP, TLS and HTTP/2 together. Default 3 s. */
  readonly dialTimeoutMs?: number | undefined;
  /** For one answer. Default 5 s. */
  readonly callTimeoutMs?: number | undefined;
}

/** A grant is etcd's TTL object, which etcd itself calls a lease. */
export interface Grant {
  readonly id: string;
  /** What etcd granted; it may be more than was asked. */
  readonly ttlSeconds: number;
}

/** A list may be large. */
const LIST_TIMEOUT_FACTOR = 4;

export class EtcdClient {
  readonly #endpoints: readonly Endpoint[];
  /** Undefined where the endpoints are http. */
  readonly #tls: TlsSource | undefined;
  readonly #username: string;
  /** Private in the language's sense: no log, inspect or JSON.stringify shows it. */
  readonly #password: string;
  readonly #dialTimeoutMs: number;
  readonly #callTimeoutMs: number;
  /** Index of the endpoint in use, or to be tried first. */
  #preferred = 0;
  #connection: EtcdConnection | undefined;
  #connecting: Promise<EtcdConnection> | undefined;
  #token: string | undefined;
  #authenticating: Promise<string | undefined> | undefined;
  #lastError: WeftError | undefined;
  readonly #closing = new AbortController();

  /** Throws WeftError STORE_OPTIONS_INVALID. */
  constructor(options: EtcdClientOptions) {
    this.#endpoints = parseEndpoints(options.endpoints, options.tls !== undefined);
    const { tls = {} } = options;
    const read = typeof tls === 'function' ? tls : () => tls;
    this.#tls = this.#endpoints[0]?.secure === true ? new TlsSource(read) : undefined;
    this.#username = options.username ?? '';
    this.#password = options.password ?? '';
    this.#dialTimeoutMs = options.dialTimeoutMs ?? 3000;
    this.#callTimeoutMs = options.callTimeoutMs ?? 5000;
  }

  /** The endpoint in use, or the one that is tried next. */
  get endpoint(): string {
    return this.#endpoints[this.#preferred]?.text ?? '';
  }

  get connected(): boolean {
    return this.#connection?.alive === true;
  }

  /** Why the last request failed; undefined after one that succeeded. */
  get lastError(): WeftError | undefined {
    return this.#lastError;
  }

  get callTimeoutMs(): number {
    return this.#callTimeoutMs;
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    const timeoutMs = this.#callTimeoutMs * (request.rangeEnd === undefined ? 1 : LIST_TIMEOUT_FACTOR);
    return this.#call(RANGE, request, timeoutMs);
  }

  txn(request: TxnRequest): Promise<TxnResponse> {
    return this.#call(TXN, request);
  }

  async grant(ttlSeconds: number): Promise<Grant> {
    const response = await this.#call(LEASE_GRANT, { TTL: String(ttlSeconds) });
    return { id: response.ID, ttlSeconds: Number(response.TTL) };
  }

  async revoke(grantId: string): Promise<void> {
    await this.#call(LEASE_REVOKE, { ID: grantId });
  }

  /** Seconds left of a grant; undefined when there is no such grant. */
  async timeToLive(grantId: string): Promise<number | undefined> {
    const { TTL } = await this.#call(LEASE_TIME_TO_LIVE, { ID: grantId });
    return TTL === '-1' ? undefined : Number(TTL);
  }

  /** Opens a watch stream. The caller cancels it, and calls `failed` when it breaks. */
  async openWatch(): Promise<{ stream: WatchStream; connection: EtcdConnection }> {
    try {
      const connection = await this.#connect();
      const token = await this.#currentToken(connection);
      return { stream: connection.watch(token), connection };
    } catch (error) {
      this.#lastError = storeError(error, this.endpoint);
      throw this.#lastError;
    }
  }

  /** Tells the client that a watch stream on `connection` broke with `error`; the next request goes elsewhere. */
  failed(connection: EtcdConnection, error: unknown): WeftError {
    // Another request found the connection broken first, and has the better reason.
    if (connection.closed) return this.#lastError ?? connection.givenUp();
    const known = storeError(error, connection.endpoint.text);
    if (known.code === 'STORE_UNREACHABLE') this.#drop(connection);
    // After a restart etcd may call a token it no longer knows "permission denied" on a watch.
    if (known.code === 'STORE_DENIED') this.#token = undefined;
    this.#lastError = known;
    return known;
  }

  close(): void {
    this.#closing.abort();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #call<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
    timeoutMs = this.#callTimeoutMs,
  ): Promise<Response> {
    try {
      const response = await this.#attempts(rpc, request, timeoutMs);
      this.#lastError = undefined;
      return response;
    } catch (error) {
      this.#lastError = storeError(error, this.endpoint);
      throw this.#lastError;
    }
  }

  async #attempts<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
    timeoutMs: number,
  ): Promise<Response> {
    let failures = 0;
    let authenticatedAgain = false;
    for (;;) {
      const connection = await this.#connect();
      let token: string | undefined;
      try {
        token = await this.#currentToken(connection);
        return await connection.unary(rpc, request, token, timeoutMs);
      } catch (error) {
        if (isUnavailable(error)) {
          this.#drop(connection);
          if (++failures <= this.#endpoints.length) continue;
        } else if (isTokenRefused(error) && token !== undefined && !authenticatedAgain) {
          authenticatedAgain = true;
          if (this.#token === token) this.#token = undefined;
          continue;
        }
        throw storeError(error, connection.endpoint.text);
      }
    }
  }

  /** The living connection, or a new one to the first endpoint that answers, beginning with the preferred one. */
  async #connect(): Promise<EtcdConnection> {
    if (this.#connection !== undefined && !this.#connection.alive) this.#drop(this.#connection, false);
    if (this.#connection !== undefined) return this.#connection;
    this.#connecting ??= this.#dialAll().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #dialAll(): Promise<EtcdConnection> {
    const problems: WeftError[] = [];
    const context = this.#tls?.context();
    for (let tried = 0; tried < this.#endpoints.length; tried++) {
      const endpoint = this.#endpoints[this.#preferred];
      if (this.#closing.signal.aborted || endpoint === undefined) throw closed();
      try {
        const connection = await EtcdConnection.open(endpoint, {
          context,
          dialTimeoutMs: this.#dialTimeoutMs,
          signal: this.#closing.signal,
        });
        return this.#adopt(connection);
      } catch (error) {
        problems.push(storeError(error, endpoint.text));
        this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
      }
    }
    throw summary([...problems, ...(this.#tls?.problem === undefined ? [] : [this.#tls.problem])]);
  }

  #adopt(connection: EtcdConnection): EtcdConnection {
    if (this.#closing.signal.aborted) {
      connection.close();
      throw closed();
    }
    this.#connection = connection;
    return connection;
  }

  /** Forgets a connection. `moveOn`: the member is at fault, so that the next attempt begins with another one. */
  #drop(connection: EtcdConnection, moveOn = true): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    connection.close();
    if (moveOn) this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
  }

  async #currentToken(connection: EtcdConnection): Promise<string | undefined> {
    if (this.#username === '' || this.#token !== undefined) return this.#token;
    this.#authenticating ??= this.#authenticate(connection).finally(() => {
      this.#authenticating = undefined;
    });
    return this.#authenticating;
  }

  async #authenticate(connection: EtcdConnection): Promise<string | undefined> {
    const request = { name: this.#username, password: this.#password };
    try {
      const { token } = await connection.unary(AUTHENTICATE, request, undefined, this.#callTimeoutMs);
      this.#token = token;
      return token;
    } catch (error) {
      // As etcd's own clients do: a user name given too many is no reason to stop.
      if (isAuthNotEnabled(error)) return undefined;
      if (isUnavailable(error)) this.#drop(connection);
      throw storeError(error, connection.endpoint.text);
    }
  }
}

function closed(): WeftError {
  return new WeftError('STORE_CLOSED', 'The store is closed');
}

/** One error for all endpoints: what is wrong with access is more useful to know than what is down. */
function summary(problems: readonly WeftError[]): WeftError {
  const first = problems.find(({ code }) => code !== 'STORE_UNREACHABLE') ?? problems[0];
  if (first === undefined) return new WeftError('STORE_UNREACHABLE', 'No etcd endpoint is known');
  if (problems.length === 1) return first;
  return new WeftError(first.code, `No etcd endpoint works: ${problems.map(({ message }) => message).join('; ')}`, {
    cause: first,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}
