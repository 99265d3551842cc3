/** One open page: a text/event-stream that is cut when its reader does not read. */
import type { ServerResponse } from 'node:http';
import type { PageEvents } from './messages.ts';

/** Our choice: what a page may be behind, beside what it gets first. Bytes. */
const MAX_BEHIND = 4 * 1024 * 1024;

/** An event as it goes over the stream: made once for all pages. */
export function encodeEvent<Name extends keyof PageEvents>(name: Name, value: PageEvents[Name]): string {
  // JSON has no line ends, which would end the field.
  return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}

export class PageStream {
  readonly #response: ServerResponse;
  readonly #most: number;

  /** `first`: all that a new page has to know. */
  constructor(response: ServerResponse, first: readonly string[]) {
    this.#response = response;
    const text = first.join('');
    this.#most = MAX_BEHIND + Buffer.byteLength(text);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    // The page asks again after a second when the stream ends.
    response.write(`retry: 1000\n\n${text}`);
  }

  onEnd(ended: () => void): void {
    // A response that waits behind another of its connection does not hear of the connection's end.
    const connection = this.#response.req.socket;
    const once = (): void => {
      this.#response.off('close', once);
      connection.off('close', once);
      ended();
    };
    this.#response.once('close', once);
    connection.once('close', once);
  }

  send(event: string): void {
    if (this.#response.writableLength > this.#most) this.#response.destroy();
    else if (!this.#response.destroyed) this.#response.write(event);
  }

  /** A comment, which pages do not see: of a connection that is dead the kernel learns by it. */
  beat(): void {
    this.send(': here\n\n');
  }

  close(): void {
    this.#response.end();
  }
}
