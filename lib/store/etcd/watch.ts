/**
 * Follows a range of keys through everything that happens to etcd.
 *
 * The revision to resume from moves only when a list or events have been applied. The reply that a watch was created and
 * progress notices never move it: both can name revisions whose events have not been delivered yet, and after a second
 * disconnect those would be lost. Whatever a watch may still miss (etcd 3.4 is known to lose events: its robustness
 * tests' table), a complete list at a regular interval brings in.
 */
import { Backoff, doubling } from '../../backoff.ts';
import { messageOf, WeftError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { KeyValue, RangeRequest, ResponseHeader, WatchEvent } from './api.ts';
import type { EtcdClient } from './client.ts';
import { WatchStreamLife } from './watch-stream.ts';

export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly range: Required<RangeRequest>;
  readonly relistIntervalMs: number;
  readonly heartbeatMs: number;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * A complete list. `sameHistory`: false when it comes from another cluster than the last one, or from a lower revision: an
   * etcd that was set up anew or restored. What is missing in it was not deleted.
   */
  readonly onList: (kvs: readonly KeyValue[], sameHistory: boolean) => void;
  /** All changes of one or more whole revisions, in order, none twice. */
  readonly onEvents: (events: readonly WatchEvent[]) => void;
  /** The stream is established, again: from now on changes arrive. */
  readonly onFollowing: () => void;
}

const PAUSES_MS = doubling(100, 2000);
/** A wrong password or a missing permission is not mended within seconds. */
const DENIED_PAUSES_MS = doubling(100, 30_000);
/** Part of each pause that is random: nodes that lost etcd together do not come back together. */
const JITTER = 0.5;

export class EtcdWatch {
  /** Resolves after the first list was handed over; rejects with STORE_CLOSED when closed before. */
  readonly ready: Promise<void>;
  readonly #options: EtcdWatchOptions;
  readonly #backoff: Backoff;
  readonly #outage: OutageLog;
  readonly #running: Promise<void>;
  #markReady: (error?: Error) => void = () => {};
  /** A list must come before the next stream: at the start, and when etcd no longer has the history to resume from. */
  #listOwed = true;
  #revision: bigint | undefined;
  #clusterId = '';
  #stream: WatchStreamLife | undefined;
  #restarts = 0;
  #closed = false;
  #wake: () => void = () => {};

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#backoff = new Backoff(PAUSES_MS, { part: JITTER, random: options.random });
    this.#outage = new OutageLog(options.log);
    this.ready = new Promise((resolve, reject) => {
      this.#markReady = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Nobody is obliged to wait for it.
    this.ready.catch(() => {});
    this.#running = this.#run();
  }

  /** The last revision applied. */
  get revision(): bigint | undefined {
    return this.#revision;
  }

  get live(): boolean {
    return this.#stream?.live === true;
  }

  /** How often an established stream broke. */
  get restarts(): number {
    return this.#restarts;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#markReady(new WeftError('STORE_CLOSED', 'The watch is closed'));
    this.#wake();
    this.#stream?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const justListed = this.#listOwed;
        if (this.#listOwed) await this.#list();
        if (!this.#closed) await this.#follow(justListed);
      } catch (error) {
        if (this.#closed) return;
        this.#outage.failed(error);
        const denied = error instanceof WeftError && error.code === 'STORE_DENIED';
        await this.#sleep(this.#backoff.next(denied ? DENIED_PAUSES_MS : PAUSES_MS));
      }
    }
  }

  async #list(): Promise<void> {
    const { header, kvs } = await this.#options.client.range(this.#options.range);
    if (this.#closed) return;
    const sameHistory = this.#revision === undefined || this.#isOurs(header);
    this.#clusterId = header.clusterId;
    this.#revision = BigInt(header.revision);
    this.#listOwed = false;
    this.#options.onList(kvs, sameHistory);
    this.#markReady();
  }

  /** Runs one stream to its end. Throws why it ended; returns when the history is gone and a list is owed. */
  async #follow(justListed: boolean): Promise<void> {
    const { client, range, heartbeatMs } = this.#options;
    const { stream, connection } = await client.openWatch();
    const life = new WatchStreamLife(stream, {
      endpoint: connection.endpoint.text,
      request: { ...range, startRevision: String((this.#revision ?? 0n) + 1n) },
      createTimeoutMs: client.callTimeoutMs,
      heartbeatMs,
      onCreated: (header) => this.#created(header, justListed),
      onEvents: (events) => this.#apply(events),
      onAlive: () => {
        this.#backoff.reset();
        this.#outage.ended();
      },
    });
    this.#stream = life;
    if (this.#closed) life.cancel();
    const relisting = new Relisting(this.#options, life, () => this.#list());
    const end = await life.ended;
    // A list that is under way must not be applied after the next stream's events.
    await relisting.stop();
    if (life.live) this.#restarts++;
    if (this.#closed) return;
    if (end.reason === 'error') throw client.failed(connection, end.error);
    this.#listOwed = true;
    this.#options.log.info({ revision: String(this.#revision) }, 'etcd cannot continue the watch: listing again');
    // Should this happen again and again, then slowly.
    await this.#sleep(this.#backoff.next());
  }

  /** False when the history is gone. Right after a list a lower revision is only that of a member that lags behind, and will catch up. */
  #created(header: ResponseHeader, justListed: boolean): boolean {
    if (!justListed && !this.#isOurs(header)) return false;
    this.#options.onFollowing();
    return true;
  }

  /** False when this etcd is not in the state that we know: it was restored from a backup or set up anew. */
  #isOurs({ clusterId, revision }: ResponseHeader): boolean {
    return clusterId === this.#clusterId && BigInt(revision) >= (this.#revision ?? 0n);
  }

  /** Applies what is newer than what has been applied; etcd may repeat itself after a list. */
  #apply(events: readonly WatchEvent[]): void {
    const applied = this.#revision ?? 0n;
    const fresh = events.filter(({ kv }) => BigInt(kv.modRevision) > applied);
    const last = fresh.at(-1);
    if (last === undefined) return;
    this.#revision = BigInt(last.kv.modRevision);
    this.#options.onEvents(fresh);
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Lists at a regular interval while a stream lives. Events wait meanwhile, so that an older list never undoes them. */
class Relisting {
  readonly #options: EtcdWatchOptions;
  readonly #stream: WatchStreamLife;
  readonly #list: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> = Promise.resolve();
  #failing = false;
  #stopped = false;

  constructor(options: EtcdWatchOptions, stream: WatchStreamLife, list: () => Promise<void>) {
    this.#options = options;
    this.#stream = stream;
    this.#list = list;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#current;
  }

  #schedule(): void {
    if (this.#stopped) return;
    // Spread by a tenth, so that nodes do not list in step.
    const delayMs = this.#options.relistIntervalMs * (0.9 + this.#options.random() / 5);
    this.#timer = setTimeout(() => {
      this.#current = this.#relist().finally(() => this.#schedule());
    }, delayMs);
  }

  async #relist(): Promise<void> {
    this.#stream.pause();
    try {
      await this.#list();
      this.#failing = false;
    } catch (error) {
      // The stream still brings changes; if the connection is gone, its own end shows it.
      if (!this.#failing && !this.#stopped)
        this.#options.log.warn({ reason: messageOf(error) }, 'could not list the leases again; the watch goes on');
      this.#failing = true;
    } finally {
      this.#stream.resume();
    }
  }
}

/** Says that etcd is away: at once, then after 10, 100, ... attempts; and that it is back. */
class OutageLog {
  readonly #log: Log;
  #attempts = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  failed(error: unknown): void {
    this.#attempts++;
    if (!Number.isInteger(Math.log10(this.#attempts))) return;
    const hint = error instanceof WeftError ? error.hint : undefined;
    const fields = { attempts: this.#attempts, reason: messageOf(error), ...(hint === undefined ? {} : { hint }) };
    this.#log.warn(fields, 'not following etcd; known leases stay in force');
  }

  ended(): void {
    if (this.#attempts > 0) this.#log.info({ attempts: this.#attempts }, 'following etcd again');
    this.#attempts = 0;
  }
}
