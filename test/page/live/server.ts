/** A server that speaks lib/ui/messages.ts as `weft ui` does, and tells what a test wants: for tests of the page alone. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EVENTS_PATH, PACKET_PATH, type PacketDetail, type PageEvents } from '../../../lib/ui/messages.ts';

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['lib/page/live/index.html', 'text/html; charset=utf-8'],
  '/live.js': ['dist/page/live/main.js', 'text/javascript; charset=utf-8'],
  '/live.css': ['dist/page/live/main.css', 'text/css; charset=utf-8'],
};

const BEAT_MS = 1000;

export type PageEvent = {
  [Name in keyof PageEvents]: readonly [name: Name, value: PageEvents[Name]];
}[keyof PageEvents];

export class PageServer {
  /** What each page is told when it connects. */
  welcome: readonly PageEvent[] = [];
  readonly details = new Map<number, PacketDetail>();
  /** What was asked for of packets, with its query. */
  readonly asked: string[] = [];
  /** Answered to all but the files; undefined: it works. */
  refuse: number | undefined;
  /** Says nothing of its own accord: a page to which nothing comes for 8 s says so, and a busy machine takes longer for a test. */
  isSilent = false;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  #beat: NodeJS.Timeout | undefined;
  #tap: PageEvent | undefined;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get pages(): number {
    return this.#streams.size;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    // What is known already, as it changes nothing.
    this.#beat = setInterval(() => {
      if (!this.isSilent && this.#tap !== undefined) this.send(this.#tap);
    }, BEAT_MS);
  }

  /** Of it all pages know at once; `listen` takes the same port again. */
  async close(): Promise<void> {
    clearInterval(this.#beat);
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  send(...events: readonly PageEvent[]): void {
    this.#note(events);
    for (const stream of this.#streams) stream.write(events.map(text).join(''));
  }

  #note(events: readonly PageEvent[]): void {
    this.#tap = events.findLast(([name]) => name === 'tap') ?? this.#tap;
  }

  /** The streams end, the server stays. */
  cut(): void {
    for (const stream of this.#streams) stream.end();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // As lib/ui/ says it.
    response.setHeader(
      'content-security-policy',
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    const path = new URL(request.url ?? '/', this.url).pathname;
    if (this.refuse !== undefined) response.writeHead(this.refuse).end();
    else if (path === EVENTS_PATH) this.#stream(response);
    else if (path.startsWith(PACKET_PATH))
      this.#packet(request.url ?? '', Number(path.slice(PACKET_PATH.length)), response);
    else if (path === '/favicon.ico') response.writeHead(204).end();
    else {
      const found = FILES[path];
      if (found === undefined) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': found[1] }).end(readFileSync(found[0]));
    }
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    // Asked again soon: tests wait for it.
    response.write(`retry: 100\n\n${this.welcome.map(text).join('')}`);
    this.#note(this.welcome);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  #packet(url: string, id: number, response: ServerResponse): void {
    this.asked.push(url);
    const found = this.details.get(id);
    if (found === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found));
  }
}

function text([name, value]: PageEvent): string {
  return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}
