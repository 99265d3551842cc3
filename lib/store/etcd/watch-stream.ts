/** The life of one watch stream: opened, answered, alive while something is heard, ended for one reason. */
import { WeftError } from '../../error.ts';
import type { ResponseHeader, WatchCreateRequest, WatchEvent, WatchResponse } from './api.ts';
import { silent, type WatchStream } from './connection.ts';
import { isTokenRefusal } from './error.ts';

export interface WatchStreamOptions {
  readonly endpoint: string;
  readonly request: WatchCreateRequest;
  /** How long etcd may take to say that the watch exists. */
  readonly createTimeoutMs: number;
  /** How often etcd is asked for a sign of life. It is silent after two questions without one. */
  readonly heartbeatMs: number;
  /** The watch exists. Return false to end the stream as one whose history is gone. */
  readonly onCreated: (header: ResponseHeader) => boolean;
  /** All changes of one or more revisions, never a part of one. */
  readonly onEvents: (events: readonly WatchEvent[]) => void;
  /** Something other than the creation was heard: the connection works. */
  readonly onAlive: () => void;
}

/** 'history-gone': etcd cannot continue from the revision asked for; only a list can. */
export type WatchEnd = { readonly reason: 'history-gone' } | { readonly reason: 'error'; readonly error: unknown };

const UNANSWERED_LIMIT = 2;

export class WatchStreamLife {
  /** Never rejects. */
  readonly ended: Promise<WatchEnd>;
  readonly #stream: WatchStream;
  readonly #options: WatchStreamOptions;
  readonly #createTimer: NodeJS.Timeout;
  readonly #heartbeat: NodeJS.Timeout;
  #resolve: (end: WatchEnd) => void = () => {};
  #unanswered = 0;
  #created = false;
  #paused = false;
  /** etcd before 3.4 does not know progress requests; until one was answered, silence means nothing. */
  #answersProgress = false;

  constructor(stream: WatchStream, options: WatchStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    stream.on('data', (response: WatchResponse) => this.#receive(response));
    stream.on('error', (error) => this.#end({ reason: 'error', error }));
    stream.on('end', () => this.#fail('etcd ended the watch'));
    this.#createTimer = setTimeout(() => {
      this.#end({ reason: 'error', error: silent(options.endpoint, options.createTimeoutMs) });
    }, options.createTimeoutMs);
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    stream.write({ createRequest: options.request });
  }

  get live(): boolean {
    return this.#created;
  }

  cancel(): void {
    this.#end({ reason: 'error', error: new WeftError('STORE_CLOSED', 'The watch is closed') });
  }

  /** Holds events back until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#unanswered = 0;
    this.#stream.resume();
  }

  #receive(response: WatchResponse): void {
    this.#unanswered = 0;
    if (response.canceled) {
      this.#cancelled(response);
    } else if (response.created) {
      clearTimeout(this.#createTimer);
      this.#created = true;
      if (this.#options.onCreated(response.header)) this.#ask();
      else this.#end({ reason: 'history-gone' });
    } else {
      // A response without events answers a progress request. Its revision is not to be relied on: etcd up to 3.4 reports
      // progress that its watchers have not made (etcd #15220).
      if (response.events.length === 0) this.#answersProgress = true;
      else this.#options.onEvents(response.events);
      this.#options.onAlive();
    }
  }

  #cancelled({ compactRevision, cancelReason }: WatchResponse): void {
    if (compactRevision !== '0') {
      this.#end({ reason: 'history-gone' });
    } else if (isTokenRefusal(cancelReason) || cancelReason.includes('permission denied')) {
      const hint =
        'the etcd role of this user needs read permission on the prefix: etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/';
      const message = `Etcd at ${this.#options.endpoint} denies the watch: ${cancelReason}`;
      this.#end({ reason: 'error', error: new WeftError('STORE_DENIED', message, { hint }) });
    } else {
      this.#fail(`etcd cancelled the watch: ${cancelReason}`);
    }
  }

  #beat(): void {
    if (this.#paused || !this.#created) return;
    if (this.#answersProgress && this.#unanswered >= UNANSWERED_LIMIT) {
      const error = silent(this.#options.endpoint, this.#options.heartbeatMs * UNANSWERED_LIMIT);
      this.#end({ reason: 'error', error });
      return;
    }
    this.#unanswered++;
    this.#ask();
  }

  #ask(): void {
    this.#stream.write({ progressRequest: {} });
  }

  /** Only the first end counts; the stream reports our own cancel as an error. */
  #end(end: WatchEnd): void {
    clearTimeout(this.#createTimer);
    clearInterval(this.#heartbeat);
    this.#stream.removeAllListeners('data');
    this.#stream.cancel();
    this.#resolve(end);
  }

  #fail(message: string): void {
    const error = new WeftError('STORE_UNREACHABLE', `Watch at ${this.#options.endpoint} ended: ${message}`);
    this.#end({ reason: 'error', error });
  }
}
