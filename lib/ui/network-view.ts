/** One network as its pages see it: looked at while there are pages, once for all of them. */
import type { Peer, StatsReply, StatusReply } from '../control/protocol.ts';
import type { WeftError } from '../error.ts';
import type { Tick } from '../watch/tick.ts';
import { type WatchEvent, watchDaemon } from '../watch/watch.ts';
import type { PageEvents, Sentence } from './messages.ts';
import { type Surroundings, surroundingsOf } from './outer-headers.ts';
import type { KeptPacket } from './packet-detail.ts';
import { PacketFeed } from './packet-feed.ts';
import { encodeEvent, type PageStream } from './page-stream.ts';
import { type PeerTimes, pageTick, peerTimes, TickHistory } from './page-tick.ts';
import { PeerChanges } from './peer-changes.ts';
import { noPacketsSentence } from './tap-sentence.ts';

export interface ViewOptions {
  readonly controlSocket: string;
  /** Undefined: where weftd says that it is. */
  readonly tapSocket: string | undefined;
  readonly version: string;
  /** Of the node that is shown. */
  readonly host: string;
  /** What each drop reason means. */
  readonly dropReasons: Readonly<Record<string, string>>;
}

const TICK_MS = 1000;
/** Peers and status, which cost weftd more. */
const SLOW_MS = 5000;
/** Our choice: what the daemon is asked costs it time for each peer. test/ui/ui-cost.ts measures it. */
const TICK_MS_PER_PEER = 2;
const SLOW_MS_PER_PEER = 20;
/** Our choice: a status that differs in nothing but uptime and memory is told so often, ms. */
const STATUS_MS = 60_000;

export class NetworkView {
  /** '' for the only network. */
  readonly #network: string;
  readonly #options: ViewOptions;
  readonly #pages = new Set<PageStream>();
  readonly #feed: PacketFeed;
  readonly #peers = new PeerChanges();
  readonly #history = new TickHistory();
  #times: PeerTimes = { rtt: null, loss: null };
  #watching: AbortController | undefined;
  /** Undefined: not asked yet, or it does not answer. */
  #status: { readonly reply: StatusReply; readonly lasting: string; readonly atMs: number } | undefined;
  /** As of the last status, also of a weftd that has ended. */
  #around: Surroundings | undefined;
  #gone: Sentence | undefined;
  #tap: Sentence | null | undefined;

  constructor(network: string, options: ViewOptions, nextId: () => number) {
    this.#network = network;
    this.#options = options;
    this.#feed = new PacketFeed({
      network,
      nextId,
      around: () => this.#around,
      onBatch: (batch) => this.#tell('packets', batch),
      onState: (problem) => this.#tellTap(problem),
    });
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** What a new page has to know, as events. */
  get first(): string[] {
    const { version, host, dropReasons } = this.#options;
    const hello = { version, host, network: this.#network, dropReasons };
    const events = [encodeEvent('hello', { ...hello, history: this.#history.ticks, packets: this.#feed.latest })];
    if (this.#status !== undefined) events.push(encodeEvent('status', this.#status.reply));
    if (this.#gone !== undefined) events.push(encodeEvent('gone', this.#gone));
    events.push(encodeEvent('peers', this.#peers.all));
    if (this.#tap !== undefined) events.push(encodeEvent('tap', this.#tap));
    return events;
  }

  add(page: PageStream): void {
    this.#pages.add(page);
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    void this.#watch(this.#watching.signal);
  }

  remove(page: PageStream): void {
    this.#pages.delete(page);
  }

  find(id: number): KeptPacket | undefined {
    return this.#feed.find(id);
  }

  beat(): void {
    for (const page of this.#pages) page.beat();
  }

  /** Stops looking. Pages that are open stay so, and hear nothing. */
  rest(): void {
    this.#watching?.abort();
    this.#watching = undefined;
    this.#feed.close();
  }

  close(): void {
    this.rest();
    for (const page of this.#pages) page.close();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { controlSocket } = this.#options;
    const network = this.#network === '' ? undefined : this.#network;
    const count = (): number => this.#peers.count;
    const settings = {
      controlSocket,
      network,
      signal,
      get intervalMs(): number {
        return Math.max(TICK_MS, count() * TICK_MS_PER_PEER);
      },
      get slowIntervalMs(): number {
        return Math.max(SLOW_MS, count() * SLOW_MS_PER_PEER);
      },
    };
    for await (const event of watchDaemon(settings)) if (!signal.aborted) this.#take(event);
  }

  #take(event: WatchEvent): void {
    if (event.kind === 'tick') this.#takeTick(event.tick, event.total);
    else if (event.kind === 'gone') this.#takeGone(event.error);
    else this.#takeView(event.status, event.peers);
  }

  #takeTick(tick: Tick, total: StatsReply): void {
    const told = pageTick(tick, total, this.#times);
    this.#history.add(told);
    this.#tell('tick', told);
    if (this.#tapSocket !== undefined) this.#feed.rate(tick.outbound.packets + tick.inbound.packets, this.#tapSocket);
  }

  #takeGone(error: WeftError): void {
    this.#gone = { text: error.message, hint: error.hint ?? null };
    this.#status = undefined;
    this.#feed.close();
    this.#tell('gone', this.#gone);
  }

  #takeView(status: StatusReply, peers: readonly Peer[]): void {
    this.#times = peerTimes(peers);
    const around = surroundingsOf(status);
    // One object as long as it is the same: thousands of packets keep it.
    if (JSON.stringify(around) !== JSON.stringify(this.#around)) this.#around = around;
    const lasting = lastingPart(status);
    const now = performance.now();
    const isNews = this.#status?.lasting !== lasting || now - this.#status.atMs >= STATUS_MS;
    this.#gone = undefined;
    if (isNews) {
      this.#status = { reply: status, lasting, atMs: now };
      this.#tell('status', status);
    }
    const change = this.#peers.take(peers);
    if (change !== undefined) this.#tell('peers', change);
    const problem = noPacketsSentence(status, this.#options.tapSocket);
    if (problem !== undefined) this.#tellTap(problem);
    else this.#feed.open(this.#tapSocket!);
  }

  get #tapSocket(): string | undefined {
    return this.#options.tapSocket ?? this.#status?.reply.tap?.socket ?? undefined;
  }

  #tellTap(problem: Sentence | null): void {
    if (JSON.stringify(problem) === JSON.stringify(this.#tap)) return;
    this.#tap = problem;
    this.#tell('tap', problem);
  }

  #tell<Name extends keyof PageEvents>(name: Name, value: PageEvents[Name]): void {
    if (this.#pages.size === 0) return;
    const event = encodeEvent(name, value);
    for (const page of this.#pages) page.send(event);
  }
}

/** What of it is news when it changes: not how long it runs, and not what we ourselves read of its tap. */
function lastingPart({ uptimeSeconds: _uptime, memory: _memory, tap, ...rest }: StatusReply): string {
  // A weftd that is older than this program has no tap.
  const readers = tap?.readers.map(({ sent: _sent, lost: _lost, ...reader }) => reader);
  return JSON.stringify({ ...rest, tap: { ...tap, readers } });
}
