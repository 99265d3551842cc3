/**
 * A data plane that outlives its thread: when the thread dies, another takes over its sockets and devices.
 *
 * Segments are those of lib/dataplane/segment.ts; each keeps its device and its peers, and gives them to the next thread.
 */
import type { IpAddress } from '../addr/ip.ts';
import type { Prefix } from '../addr/prefix.ts';
import { addStats, noStats } from '../dataplane/add-stats.ts';
import { WorkerDataplane } from '../dataplane/main/client.ts';
import type {
  Dataplane,
  DataplaneOptions,
  FdbEntry,
  NeighborEntry,
  ProbeAnswer,
  Segment,
  SegmentDevice,
  SegmentOptions,
  SegmentPeer,
} from '../dataplane/segment.ts';
import type { DataplaneStats } from '../dataplane/stats.ts';
import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { closeFd } from '../sys/descriptor.ts';
import type { Offloads } from './offloads.ts';
import { retry } from './retry.ts';

/** Our choice: a thread that ran this long did not die of its start. */
const HEALTHY_MS = 60_000;

/** The sockets are the engine's from now on: it closes them. A socket may be in both lists. */
export interface EngineOptions
  extends Pick<DataplaneOptions, 'encapsulation' | 'receive' | 'send' | 'sourceCheck' | 'tap' | 'tos'> {
  /** What the sockets can do is known already. */
  readonly offloads: Offloads;
  readonly log: Log;
}

/** A segment of lib/dataplane/segment.ts that outlives the threads it runs on. */
export interface EngineSegment extends Omit<Segment, 'setPeers'> {
  /**
   * Keeps these peers, in place of those before, for the thread that runs and for any that follows. Resolves when a thread
   * uses them, with the prefixes that found no room; the only caller of Segment.setPeers.
   */
  keepPeers(peers: readonly SegmentPeer[]): Promise<readonly Prefix[]>;
  /** Whether there is a thread that forwards. */
  readonly hasThread: boolean;
}

/** Starts a thread; tests watch over it. */
export type StartDataplane = (options: DataplaneOptions) => Promise<Dataplane>;

export class Engine {
  readonly #options: EngineOptions;
  readonly #startDataplane: StartDataplane;
  readonly #segments = new Set<LastingSegment>();
  readonly #stop = new AbortController();
  #dataplane: Dataplane | undefined;
  #restarting: Promise<void> = Promise.resolve();
  #startedAtMs = 0;
  #deaths = 0;

  private constructor(options: EngineOptions, startDataplane: StartDataplane) {
    this.#options = options;
    this.#startDataplane = startDataplane;
  }

  /** Takes the sockets over; they are closed when this rejects, too. */
  static async start(
    options: EngineOptions,
    startDataplane: StartDataplane = (dataplane) => WorkerDataplane.start(dataplane),
  ): Promise<Engine> {
    const engine = new Engine(options, startDataplane);
    try {
      await engine.#open();
    } catch (error) {
      engine.#closeSockets();
      throw error;
    }
    return engine;
  }

  get offloads(): Offloads {
    return this.#options.offloads;
  }

  /** Throws WeftError TOO_MANY_SEGMENTS. */
  addSegment(options: SegmentOptions): EngineSegment {
    const segment = new LastingSegment(options, {
      running: () => this.#restarting,
      remove: (gone) => this.#segments.delete(gone),
    });
    if (this.#dataplane !== undefined) segment.join(this.#dataplane);
    this.#segments.add(segment);
    return segment;
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await this.#restarting;
    await this.#dataplane?.stop();
    this.#closeSockets();
  }

  async #open(): Promise<void> {
    const { offloads, log, ...forwarding } = this.#options;
    const dataplane = await this.#startDataplane({
      ...forwarding,
      maxTrain: offloads.maxTrain,
      batching: offloads.batching,
      onOffloadRefused: (name, reason) => {
        offloads.refuse(name, reason);
        log.warn({ offload: name, reason }, 'An offload was refused in operation; no packet was lost for it');
      },
      onPriorityRefused: (reason) =>
        log.info(
          { reason },
          'The data-plane thread cannot go before the programs it forwards for; CAP_SYS_NICE or Nice=-19 would let it',
        ),
      onEnded: (reason) => this.#ended(reason),
    });
    this.#dataplane = dataplane;
    this.#startedAtMs = performance.now();
    for (const segment of this.#segments) segment.join(dataplane);
  }

  #ended(reason: string): void {
    const { log } = this.#options;
    if (this.#stop.signal.aborted || this.#dataplane === undefined) return;
    log.error({ reason }, 'The data-plane thread ended; starting another');
    this.#dataplane = undefined;
    for (const segment of this.#segments) segment.leave();
    if (performance.now() - this.#startedAtMs > HEALTHY_MS) this.#deaths = 0;
    this.#restarting = retry(() => this.#open(), {
      signal: this.#stop.signal,
      before: this.#deaths++,
      onFailure: (error) => log.error({ error: messageOf(error) }, 'Cannot start a data-plane thread; trying again'),
    }).then(() => {
      if (this.#dataplane !== undefined) log.info({}, 'A new data-plane thread forwards');
    });
  }

  #closeSockets(): void {
    const fds = new Set([...this.#options.receive, ...this.#options.send].map(({ fd }) => fd));
    for (const fd of fds) closeFd(fd, 'underlay socket');
  }
}

interface SegmentOwner {
  /** Resolves when there is a thread, or the engine has stopped. */
  running(): Promise<void>;
  remove(segment: LastingSegment): void;
}

class LastingSegment implements EngineSegment {
  readonly #options: SegmentOptions;
  readonly #owner: SegmentOwner;
  /** Of the thread that runs now. */
  #segment: Segment | undefined;
  #device: SegmentDevice | undefined;
  #peers: readonly SegmentPeer[] = [];
  /** Of paths narrower than our interface. */
  readonly #limits = new Map<IpAddress, number>();
  /** Counters of threads that died, so that totals never go back. */
  #before: DataplaneStats | undefined;

  constructor(options: SegmentOptions, owner: SegmentOwner) {
    this.#owner = owner;
    this.#options = {
      ...options,
      onDeviceLost: (reason) => {
        this.#device = undefined;
        options.onDeviceLost(reason);
      },
    };
  }

  join(dataplane: Dataplane): void {
    this.#segment = dataplane.addSegment(this.#options);
    if (this.#device !== undefined) this.#segment.setDevice(this.#device);
    for (const [peer, mtu] of this.#limits) this.#segment.limitPath(peer, mtu);
    if (this.#peers.length > 0) void this.#segment.setPeers(this.#peers);
  }

  leave(): void {
    this.#before = this.stats();
    this.#segment = undefined;
  }

  setDevice(device: SegmentDevice): void {
    this.#device = device;
    this.#segment?.setDevice(device);
  }

  async releaseDevice(): Promise<void> {
    this.#device = undefined;
    await this.#segment?.releaseDevice();
  }

  get hasThread(): boolean {
    return this.#segment !== undefined;
  }

  async keepPeers(peers: readonly SegmentPeer[]): Promise<readonly Prefix[]> {
    this.#peers = peers;
    await this.#owner.running();
    return (await this.#segment?.setPeers(this.#peers)) ?? [];
  }

  probe(peer: IpAddress, pathSize?: number): number | undefined {
    return this.#segment?.probe(peer, pathSize);
  }

  probeAnswers(): readonly ProbeAnswer[] {
    return this.#segment?.probeAnswers() ?? [];
  }

  largestPath(): number | undefined {
    return this.#segment?.largestPath();
  }

  limitPath(peer: IpAddress, mtu: number | undefined): void {
    if (mtu === undefined) this.#limits.delete(peer);
    else this.#limits.set(peer, mtu);
    this.#segment?.limitPath(peer, mtu);
  }

  heardFrom(peer: IpAddress): number | undefined {
    return this.#segment?.heardFrom(peer);
  }

  stats(): DataplaneStats {
    const now = this.#segment?.stats();
    if (this.#before === undefined || now === undefined) return now ?? this.#before ?? noStats();
    return addStats(this.#before, now);
  }

  fdb(): readonly FdbEntry[] {
    return this.#segment?.fdb() ?? [];
  }

  async neighbors(): Promise<readonly NeighborEntry[]> {
    return (await this.#segment?.neighbors()) ?? [];
  }

  async detach(): Promise<void> {
    this.#owner.remove(this);
    await this.#segment?.detach();
  }
}
