/**
 * Asks each peer now and then whether it is there (docs/adr/0027): by an echo through the tunnel to its device, and on the
 * underlay where there is no tunnel, or where it does not answer. What it finds is shown by `weft peers`, is an alarm at worst,
 * and never part of what makes a network ready.
 */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { Backend, PeerWay } from '../../backend/backend.ts';
import type { FaultSink } from '../../faults.ts';
import type { Log } from '../../log.ts';
import { MonitoredPeer } from './monitored-peer.ts';
import type { UnderlayPings } from './underlay-echo.ts';

/** How often each peer is asked; 'auto': by their number. */
type ProbeInterval = number | 'auto' | 'off';

export interface PeerMonitorOptions {
  readonly backend: Pick<Backend, 'ways' | 'port' | 'onPathHint'>;
  /** Underlay addresses of peers that have no way through a device of ours. */
  readonly direct: () => readonly IpAddress[];
  readonly intervalMs: ProbeInterval;
  readonly pings: UnderlayPings;
  readonly faults: FaultSink;
  readonly log: Log;
  /** Monotonic, in ms. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

const INTERVAL_MS = 10_000;
/** With more peers than this the interval is longer. */
const MANY = 100;
const MANY_INTERVAL_MS = 60_000;
/** Our choice: a node that has just come is known after this. */
const FIRST_MS = 2000;
/** Part of the interval by which each is longer or shorter, so that nodes do not ask in step. */
const JITTER = 0.1;
const TICK_MS = 1000;
/** While a path is being measured. */
const BUSY_TICK_MS = 20;
/** Alarms of their own; when more are cut off, it is said in one. */
const MAX_ALARMS = 4;
const PART = 'peers';

export class PeerMonitor {
  readonly #options: PeerMonitorOptions;
  readonly #peers = new Map<string, MonitoredPeer>();
  /** Whose ping has this number. */
  readonly #pinged = new Map<number, MonitoredPeer>();
  #ways: readonly PeerWay[] = [];
  #direct: readonly IpAddress[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PeerMonitorOptions) {
    this.#options = options;
    options.backend.onPathHint = (peer, mtu) => this.#hint(peer, mtu);
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.backend.onPathHint = undefined;
    this.#options.pings.close();
    this.#options.faults.report(PART, []);
  }

  /** What is known of the way to an underlay address; undefined: nobody asks. */
  of(address: IpAddress): MonitoredPeer | undefined {
    return this.#peers.get(formatIp(address));
  }

  #schedule(): void {
    if (this.#closed) return;
    const isBusy = [...this.#peers.values()].some(({ busy }) => busy);
    this.#timer = setTimeout(() => this.tick(), isBusy ? BUSY_TICK_MS : TICK_MS);
    this.#timer.unref();
  }

  /** One look; runs by itself. */
  tick(): void {
    clearTimeout(this.#timer);
    const nowMs = this.#options.now();
    this.#refresh(nowMs);
    this.#collect(nowMs);
    for (const peer of this.#peers.values()) {
      peer.expire(nowMs);
      if (nowMs >= peer.nextMs) this.#ask(peer, nowMs);
      peer.searchPath(nowMs);
    }
    this.#report();
    this.#schedule();
  }

  #ask(peer: MonitoredPeer, nowMs: number): void {
    const intervalMs = this.#intervalMs();
    peer.nextMs = nowMs + intervalMs * (1 + JITTER * (2 * this.#options.random() - 1));
    const ping = peer.probe(nowMs);
    if (ping !== undefined) this.#pinged.set(ping, peer);
    // Of those without an answer the oldest go.
    for (const old of this.#pinged.keys()) {
      if (this.#pinged.size <= 2 * this.#peers.size) break;
      this.#pinged.delete(old);
    }
  }

  #intervalMs(): number {
    const { intervalMs } = this.#options;
    if (typeof intervalMs === 'number') return intervalMs;
    return this.#peers.size > MANY ? MANY_INTERVAL_MS : INTERVAL_MS;
  }

  /** Peers that came and went. */
  #refresh(nowMs: number): void {
    const ways = this.#options.backend.ways();
    const direct = this.#options.direct();
    // Most looks find what the last one found.
    if (ways === this.#ways && direct.length === 0 && this.#direct.length === 0) return;
    this.#ways = ways;
    this.#direct = direct;
    const wanted = new Map<string, { address: IpAddress; way: PeerWay | undefined }>();
    for (const address of direct) wanted.set(formatIp(address), { address, way: undefined });
    for (const way of ways)
      wanted.set(formatIp(way.address), { address: way.address, way: way.direct ? undefined : way });
    for (const [key, peer] of this.#peers) {
      const now = wanted.get(key);
      if (now !== undefined && now.way?.probes === peer.way?.probes) continue;
      peer.forget();
      this.#peers.delete(key);
    }
    const { pings, log, random } = this.#options;
    const spreadMs = wanted.size > MANY ? this.#intervalMs() : Math.min(FIRST_MS, this.#intervalMs());
    for (const [key, { address, way }] of wanted) {
      if (this.#peers.has(key)) continue;
      this.#peers.set(key, new MonitoredPeer(address, way, nowMs + random() * spreadMs, pings, log));
    }
  }

  #collect(nowMs: number): void {
    for (const probes of new Set(this.#ways.map((way) => way.probes))) {
      for (const { sequence, peer, rttMs, short } of probes.probeAnswers())
        this.#peers.get(formatIp(peer))?.answered(sequence, rttMs, short, nowMs);
    }
    for (const { sequence, rttMs } of this.#options.pings.receive()) {
      this.#pinged.get(sequence)?.underlay.answered(sequence, rttMs, nowMs);
      this.#pinged.delete(sequence);
    }
  }

  #hint(address: IpAddress, mtu: number): void {
    const peer = this.of(address);
    if (peer === undefined || this.#closed) return;
    peer.hint(mtu, this.#options.now());
    if (!peer.busy) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.tick(), 0);
    this.#timer.unref();
  }

  #report(): void {
    const cutOff = [...this.#peers.values()].filter((peer) => peer.cutOff !== undefined);
    const texts =
      cutOff.length <= MAX_ALARMS
        ? cutOff.map((peer) => this.#alarm(peer))
        : [
            `${cutOff.length} peers do not answer through the tunnel, though packets to or from them pass on the underlay; ` +
              `weft peers says which, look at this node's firewall${this.#port()} first`,
          ];
    this.#options.faults.report(
      PART,
      texts.map((text) => ({ text, blocks: false })),
    );
  }

  #alarm({ address, cutOff }: MonitoredPeer): string {
    const peer = formatIp(address);
    return cutOff === 'one-way'
      ? `Peer ${peer} is reached in one direction: its packets arrive, our probes get no answer; look for a firewall${this.#port()} on it or on the way there`
      : `Peer ${peer} does not answer through the tunnel, though it answers pings on the underlay; look at weftd there, and for a firewall${this.#port()} on the way`;
  }

  #port(): string {
    const { port } = this.#options.backend;
    return port === undefined ? '' : ` that drops UDP ${port}`;
  }
}
