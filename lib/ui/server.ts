/** The server of `weft ui`: a page on this machine for whoever has its token. Nothing that is asked of it changes anything. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { WeftError } from '../error.ts';
import { type Guarded, judge } from './guard.ts';
import { authorityOf, type ListenAddress } from './listen-address.ts';
import { EVENTS_PATH, PACKET_PATH } from './messages.ts';
import { packetDetail } from './packet-detail.ts';
import { type PageFile, readPageFiles } from './page-files.ts';
import { PageStream } from './page-stream.ts';
import { Session } from './session.ts';
import { Views, type ViewsOptions } from './views.ts';

export interface UiOptions extends ViewsOptions {
  readonly listen: ListenAddress;
  /** The network that is shown unless the page asks for another; '' for the first. */
  readonly network: string;
}

export interface Ui {
  /** With the token, which is good once. */
  readonly url: string;
  /** Ends all that is open. */
  close(): Promise<void>;
}

/** Our choice: a browser opens six a host; the rest is for reloads and a second one. */
const MOST_CONNECTIONS = 64;
const MOST_NETWORK_NAME = 256;
const TEXT = 'text/plain; charset=utf-8';

/** W3C CSP 3, Fetch, HTML: the page runs what came with it, is shown in no other, and tells nobody where it was. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Throws WeftError PORT_BUSY, LISTEN_REFUSED, NOT_BUILT. */
export async function startUi(options: UiOptions): Promise<Ui> {
  const files = readPageFiles();
  const server = createServer({
    maxHeaderSize: 8192,
    headersTimeout: 10_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: 2000,
  });
  server.maxConnections = MOST_CONNECTIONS;
  await listen(server, options.listen);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.listen.port;
  const listened = { ...options.listen, port };
  const session = new Session(port);
  const views = new Views(options);
  const answerer = new Answerer({ listened, session }, views, files, options);
  server.on('request', (request, response) => answerer.answer(request, response));
  return {
    url: `http://${authorityOf(asked(listened))}/?token=${session.token}`,
    close: () =>
      new Promise((resolve) => {
        views.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Of all addresses a browser has to choose one. */
function asked({ host, port }: ListenAddress): Pick<ListenAddress, 'host' | 'port'> {
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port };
}

function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const what = authorityOf({ host, port });
      if (cause.code === 'EADDRINUSE')
        reject(
          new WeftError('PORT_BUSY', `Cannot listen on ${what}: another program does`, {
            cause,
            hint: `take any free port with: --listen ${authorityOf({ host, port: 0 })}`,
          }),
        );
      else
        reject(
          new WeftError('LISTEN_REFUSED', `Cannot listen on ${what}: ${cause.message}`, {
            cause,
            hint: 'give an address of this machine with --listen',
          }),
        );
    });
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

class Answerer {
  readonly #guarded: Guarded;
  readonly #views: Views;
  readonly #files: ReadonlyMap<string, PageFile>;
  readonly #options: UiOptions;

  constructor(guarded: Guarded, views: Views, files: ReadonlyMap<string, PageFile>, options: UiOptions) {
    this.#guarded = guarded;
    this.#views = views;
    this.#files = files;
    this.#options = options;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: target = '', headers } = request;
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const verdict = judge({ method, target, headers }, this.#guarded);
    if (verdict.kind === 'refuse') {
      // Nobody reads a body here, so that what comes after it could not be told from it.
      if (verdict.status === 400) response.setHeader('connection', 'close');
      if (verdict.status === 405) response.setHeader('allow', 'GET, HEAD');
      reply(response, verdict.status, TEXT, `${verdict.sentence}\n`);
    } else if (verdict.kind === 'redirect') {
      if (verdict.cookie !== undefined) response.setHeader('set-cookie', verdict.cookie);
      response.setHeader('location', '/');
      reply(response, 303, TEXT, '');
    } else this.#pass(verdict.path, verdict.query, method, response);
  }

  #pass(path: string, query: URLSearchParams, method: string, response: ServerResponse): void {
    const file = this.#files.get(path);
    const network = query.get('network') ?? this.#options.network;
    if (file !== undefined) reply(response, 200, file.contentType, file.content);
    else if (path === EVENTS_PATH) this.#stream(network, method, response);
    else if (path.startsWith(PACKET_PATH)) this.#packet(network, path.slice(PACKET_PATH.length), response);
    // Browsers ask for it unasked, and would complain.
    else if (path === '/favicon.ico') reply(response, 204, 'image/x-icon', '');
    else reply(response, 404, TEXT, 'There is no such page here.\n');
  }

  #stream(network: string, method: string, response: ServerResponse): void {
    if (network.length > MOST_NETWORK_NAME) reply(response, 404, TEXT, 'No network has such a name.\n');
    else if (this.#views.isFull) reply(response, 503, TEXT, 'Too many pages are open: close some.\n');
    else if (method === 'HEAD') reply(response, 200, 'text/event-stream', '');
    else this.#views.add(network, (first) => new PageStream(response, first));
  }

  #packet(network: string, id: string, response: ServerResponse): void {
    const kept = /^\d{1,15}$/.test(id) ? this.#views.find(network, Number(id)) : undefined;
    if (kept === undefined) reply(response, 404, TEXT, 'This packet is forgotten.\n');
    else reply(response, 200, 'application/json', JSON.stringify(packetDetail(kept, this.#options.dropReasons)));
  }
}

/** To HEAD node leaves the body out. */
function reply(response: ServerResponse, status: number, contentType: string, content: string | Buffer): void {
  response.statusCode = status;
  if (status !== 204) response.setHeader('content-type', contentType);
  response.setHeader('content-length', Buffer.byteLength(content));
  response.end(content);
}
