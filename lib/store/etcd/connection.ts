/** One gRPC connection to one etcd member. */
import { isIP, isIPv6 } from 'node:net';
import { checkServerIdentity, type SecureContext } from 'node:tls';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import { messageOf, WeftError } from '../../error.ts';
import { type Rpc, WATCH, type WatchRequest, type WatchResponse } from './api.ts';
import { dial } from './dial.ts';
import type { Endpoint } from './endpoints.ts';

export type WatchStream = ClientDuplexStream<WatchRequest, WatchResponse>;

export interface ConnectOptions {
  readonly context: SecureContext | undefined;
  readonly dialTimeoutMs: number;
  /** Gives up at once when aborted. */
  readonly signal: AbortSignal;
}

/** Not below 5 s: etcd answers faster pings with GOAWAY (--grpc-keepalive-min-time). */
const KEEPALIVE_TIME_MS = 6000;
const KEEPALIVE_TIMEOUT_MS = 3000;
/** gRPC's default of 4 MiB is less than a list of 40,000 leases. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

export class EtcdConnection {
  readonly endpoint: Endpoint;
  readonly #client: Client;
  readonly #calls = new Set<{ cancel(): void }>();
  #closed = false;

  /** Rejects with WeftError STORE_UNREACHABLE or STORE_DENIED. */
  static async open(endpoint: Endpoint, options: ConnectOptions): Promise<EtcdConnection> {
    const { context, dialTimeoutMs, signal } = options;
    const address = await dial(endpoint, { context, timeoutMs: dialTimeoutMs, signal });
    const connection = new EtcdConnection(endpoint, address, context);
    const abandon = () => connection.close();
    signal.addEventListener('abort', abandon, { once: true });
    try {
      await connection.#ready(dialTimeoutMs);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  private constructor(endpoint: Endpoint, address: string, context: SecureContext | undefined) {
    this.endpoint = endpoint;
    const { host, port } = endpoint;
    const target = isIPv6(address) ? `ipv6:[${address}]:${port}` : `ipv4:${address}:${port}`;
    this.#client = new Client(target, channelCredentials(endpoint, context), {
      'grpc.default_authority': isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      // A proxy from the environment is for the web, not for the store on our own network.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_retries': 0,
      // Otherwise the next connection would share this one's socket, hung or not.
      'grpc.use_local_subchannel_pool': 1,
      ...(context === undefined ? {} : { 'grpc.ssl_target_name_override': tlsServerName(host) }),
    });
  }

  /** False once the connection has broken; grpc-js would then connect again by itself, without a time limit. */
  get alive(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** Rejects with gRPC's ServiceError, or WeftError STORE_UNREACHABLE when no answer came in time. */
  unary<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
    token: string | undefined,
    timeoutMs: number,
  ): Promise<Response> {
    const { path, encode, decode } = rpc;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(path, encode, decode, request, metadata(token), (error, response) => {
        clearTimeout(timer);
        this.#calls.delete(call);
        if (error !== null) reject(this.#closed ? this.givenUp() : error);
        else if (response === undefined) reject(new Error(`${path} gave neither a response nor an error`));
        else resolve(response);
      });
      this.#calls.add(call);
      // A gRPC deadline is a time of day and would break when the clock is set.
      const timer = setTimeout(() => {
        reject(silent(this.endpoint.text, timeoutMs));
        call.cancel();
      }, timeoutMs);
    });
  }

  /** Opens a watch stream that ends when the member loses its leader: it would otherwise just fall silent. */
  watch(token: string | undefined): WatchStream {
    const headers = metadata(token);
    headers.set('hasleader', 'true');
    const stream = this.#client.makeBidiStreamRequest(WATCH.path, WATCH.encode, WATCH.decode, headers);
    this.#calls.add(stream);
    stream.once('status', () => this.#calls.delete(stream));
    return stream;
  }

  /** Ends everything that runs over this connection. */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.cancel();
    this.#giveUpReady(this.givenUp());
    this.#client.close();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What became of a call that `close` ended. */
  givenUp(): WeftError {
    return unreachable(this.endpoint.text, 'the connection was given up');
  }

  async #ready(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#giveUpReady(silent(this.endpoint.text, timeoutMs)), timeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#giveUpReady = reject;
        this.#client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
          if (error === undefined) resolve();
          else reject(unreachable(this.endpoint.text, messageOf(error), error));
        });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #giveUpReady: (error: Error) => void = () => {};
}

export function silent(endpoint: string, timeoutMs: number): WeftError {
  return unreachable(endpoint, `no answer within ${timeoutMs} ms`);
}

function unreachable(endpoint: string, reason: string, cause?: unknown): WeftError {
  return new WeftError('STORE_UNREACHABLE', `Etcd at ${endpoint} is unavailable: ${reason}`, { cause });
}

function metadata(token: string | undefined): Metadata {
  const headers = new Metadata();
  if (token !== undefined) headers.set('token', token);
  return headers;
}

function channelCredentials({ host }: Endpoint, context: SecureContext | undefined): ChannelCredentials {
  if (context === undefined) return credentials.createInsecure();
  return credentials.createFromSecureContext(context, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

/** What goes into SNI. RFC 6066 §3 allows no addresses there, and Node.js warns of them; the certificate is checked for `host`. */
function tlsServerName(host: string): string {
  return isIP(host) === 0 ? host : 'etcd';
}
