/** One way to a peer as the monitor sees it: its probes on the overlay, its pings on the underlay, its path MTU. */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { PeerWay } from '../../backend/backend.ts';
import type { Log } from '../../log.ts';
import { PathMtuSearch } from './path-mtu.ts';
import { type CutOff, cutOff, PeerHealth, PROBE_TIMEOUT_MS, type Underlay } from './peer-health.ts';
import type { UnderlayPings } from './underlay-echo.ts';

/** RFC 791: every host takes 576 bytes; RFC 8200: every link carries 1280. RFC 8899 §5.1.2 for the base. */
const BOUNDS = { 4: { least: 576, base: 1200 }, 6: { least: 1280, base: 1280 } } as const;
/** Our choice: a probe of a size is lost after so many round trips, within these bounds. */
const ROUND_TRIPS = 4;
const MIN_SIZE_TIMEOUT_MS = 50;

export class MonitoredPeer {
  readonly address: IpAddress;
  /** Undefined for a peer that only the underlay leads to. */
  readonly way: PeerWay | undefined;
  readonly overlay = new PeerHealth();
  readonly underlay = new PeerHealth();
  /** When it is to be asked next. */
  nextMs: number;
  readonly #pings: UnderlayPings;
  readonly #log: Log;
  #search: PathMtuSearch | undefined;
  /** Sizes of padded probes by their numbers. */
  readonly #sizes = new Map<number, number>();
  #answersShort = false;
  #limit: number | undefined;
  /** Whether the last ping could be sent. */
  #mayPing = true;

  constructor(address: IpAddress, way: PeerWay | undefined, nextMs: number, pings: UnderlayPings, log: Log) {
    this.address = address;
    this.way = way;
    this.nextMs = nextMs;
    this.#pings = pings;
    this.#log = log;
  }

  /**
   * Sends what is due every interval, and returns the number of the ping if there was one: the underlay of a peer that answers
   * on the overlay is left alone.
   */
  probe(nowMs: number): number | undefined {
    let ping: number | undefined;
    this.overlay.heard(this.way?.probes.heardFrom(this.address), nowMs);
    const sequence = this.way?.probes.probe(this.address);
    if (sequence !== undefined) {
      // Numbers come again; a padded probe that was lost had this one.
      this.#sizes.delete(sequence);
      this.overlay.sent(sequence, nowMs);
    }
    if (this.way === undefined || this.overlay.unanswered > 0) {
      ping = this.#pings.send(this.address);
      this.#mayPing = ping !== undefined;
      if (ping !== undefined) this.underlay.sent(ping, nowMs);
    }
    return ping;
  }

  /** An answer on the overlay. */
  answered(sequence: number, rttMs: number, short: boolean, nowMs: number): void {
    const size = this.#sizes.get(sequence);
    if (size === undefined) {
      this.overlay.answered(sequence, rttMs, nowMs);
      return;
    }
    this.#sizes.delete(sequence);
    this.#answersShort = short;
    this.#search?.answered(size, nowMs);
  }

  expire(nowMs: number): void {
    this.overlay.expire(nowMs);
    this.underlay.expire(nowMs);
  }

  hint(mtu: number, nowMs: number): void {
    this.#search?.hint(mtu, nowMs);
  }

  /** Sends padded probes that are due. Of a peer that does not answer small ones nothing can be found out. */
  searchPath(nowMs: number): void {
    const { way, overlay } = this;
    if (way === undefined || !overlay.answeredEver || overlay.unanswered > 0) return;
    this.#search ??= this.#newSearch(way);
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS, Math.max(MIN_SIZE_TIMEOUT_MS, ROUND_TRIPS * (overlay.rttMs ?? 0)));
    for (const size of this.#search?.due(nowMs, timeoutMs) ?? []) {
      const sequence = way.probes.probe(this.address, size);
      if (sequence !== undefined) this.#sizes.set(sequence, size);
    }
    const limit = this.#search?.limit;
    if (limit === this.#limit) return;
    this.#limit = limit;
    way.limit(limit);
    const peer = formatIp(this.address);
    if (limit === undefined) this.#log.info({ peer }, 'The path to a peer carries all that the interface takes again');
    else this.#log.info({ peer, pathMtu: limit }, 'The path to a peer is narrower than the interface');
  }

  #newSearch({ probes }: PeerWay): PathMtuSearch | undefined {
    const bounds = BOUNDS[typeof this.address === 'number' ? 4 : 6];
    const most = probes.largestPath();
    if (most === undefined || most < bounds.least) return undefined;
    return new PathMtuSearch({ ...bounds, base: Math.min(bounds.base, most), most });
  }

  /** Whether an answer is waited for that matters at once. */
  get busy(): boolean {
    const isAlive = this.overlay.answeredEver && this.overlay.unanswered === 0;
    return this.way !== undefined && isAlive && this.#search?.busy === true;
  }

  get pathMtu(): number | undefined {
    return this.#search?.mtu;
  }

  /** Whether the path MTU is that of the way there alone: the peer answers large probes with short answers, as weftd does. */
  get isOneWay(): boolean {
    return this.#answersShort;
  }

  get cutOff(): CutOff {
    return this.way === undefined || this.way.direct ? undefined : cutOff(this.overlay, this.underlayState);
  }

  get underlayState(): Underlay {
    if (!this.#mayPing) return 'unknown';
    if (this.underlay.loss === undefined && this.underlay.rttMs === undefined) return 'unknown';
    return this.underlay.unanswered === 0 ? 'answers' : 'silent';
  }

  /** The peer is gone, or reached another way. */
  forget(): void {
    if (this.#limit !== undefined) this.way?.limit(undefined);
  }
}
