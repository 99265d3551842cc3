/** What a browser does with the server of `weft ui`, without one: requests with any headers, and a stream of events. */
import { type IncomingMessage, request } from 'node:http';
import { until } from '../../lib/lab/until.ts';
import type { PageEvents } from '../../lib/ui/messages.ts';
import { PATIENCE_MS } from '../patience.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export function ask(
  url: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const call = request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}

/** The origin of a printed URL, and the cookie for which its token was exchanged. */
export async function enter(url: string): Promise<{ readonly base: string; readonly cookie: string }> {
  const { status, headers } = await ask(url);
  if (status !== 303) throw new Error(`the token was answered ${status}`);
  return { base: new URL(url).origin, cookie: headers['set-cookie']![0]!.split(';')[0]! };
}

export type Told = {
  readonly [Name in keyof PageEvents]: { readonly name: Name; readonly value: PageEvents[Name] };
}[keyof PageEvents];

/** An open stream: what it has said so far. */
export class EventStream {
  readonly told: Told[] = [];
  isOpen = true;
  comments = 0;
  readonly #close: () => void;

  private constructor(response: IncomingMessage, close: () => void) {
    this.#close = close;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      const blocks = (rest + part).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#read(block);
    });
    const ended = (): void => {
      this.isOpen = false;
    };
    response.on('close', ended);
    response.on('error', ended);
  }

  static open(base: string, cookie: string, query = ''): Promise<EventStream> {
    return new Promise((resolve, reject) => {
      const call = request(`${base}/events${query}`, { headers: { cookie }, agent: false }, (response) => {
        if (response.statusCode === 200) resolve(new EventStream(response, () => call.destroy()));
        else reject(new Error(`the stream was answered ${response.statusCode}`));
      });
      call.on('error', reject);
      call.end();
    });
  }

  #read(block: string): void {
    if (block.startsWith(':')) this.comments++;
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
    if (name !== undefined && data !== undefined) this.told.push({ name, value: JSON.parse(data) } as Told);
  }

  all<Name extends keyof PageEvents>(name: Name): PageEvents[Name][] {
    return this.told.filter((event) => event.name === name).map(({ value }) => value as PageEvents[Name]);
  }

  /** The first of this name that `fits`; rejects when none comes. */
  async find<Name extends keyof PageEvents>(
    name: Name,
    fits: (value: PageEvents[Name]) => boolean = () => true,
  ): Promise<PageEvents[Name]> {
    const found = () => this.all(name).find(fits);
    if (!(await until(() => found() !== undefined || !this.isOpen, PATIENCE_MS)) || found() === undefined)
      throw new Error(`no such event "${name}": ${this.told.map((event) => event.name).join(' ')}`);
    return found()!;
  }

  close(): void {
    this.#close();
  }
}
