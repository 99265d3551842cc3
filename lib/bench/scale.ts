/**
 * What grows with the size of a network: routes, peers, and leases that arrive while packets pass. Each point is measured once a
 * run; the network is one of backend udp, whose two real nodes are the hosts of the lab.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processCpuSeconds, residentBytes } from '../measure/cpu-time.ts';
import { beside } from '../measure/loaded-rtt.ts';
import type { Path } from '../measure/path.ts';
import { measureTcp } from '../measure/tcp.ts';
import { UdpBench } from '../measure/udp.ts';
import type { Durations } from './costs.ts';
import type { Piece } from './estimate.ts';
import { type RouteScale, timeRouteScale } from './lookup-timing.ts';
import type { ScaleName } from './matrix.ts';
import type { PathLab } from './path-lab.ts';
import type { ScaleLab } from './scale-lab.ts';

const ROUTES = [2, 100, 10_000, 100_000];
const PEERS = [2, 100, 1000];
const ARRIVALS_PER_SECOND = [0, 100, 1000];
/** How long leases arrive: less than the stream beside runs. */
const ARRIVAL_SECONDS = 3;
const REST_SECONDS = 3;

/** A network of so many nodes, two of them real. */
export interface PeerScale {
  readonly peers: number;
  /** From the start of the daemons, whose peers have leases already, until the first knows them all. */
  readonly knownSeconds: number;
  /** Highest rate of 64-byte packets without loss between the two. */
  readonly packetsPerSecond: number;
  /** What limited it: as of a UDP test. */
  readonly limit: string;
  /** The larger of the two daemons'. */
  readonly residentBytes: number;
  /** CPU time of the busier daemon while no packet passes, as a share of one CPU. */
  readonly restCpuShare: number;
}

/** Leases that arrive while one TCP stream passes. */
export interface LeaseScale {
  readonly perSecond: number;
  readonly leases: number;
  readonly gigabitsPerSecond: number;
  /** From the writing of the last lease until the first daemon knows it; 0 without leases. */
  readonly lastSeconds: number;
}

export interface ScaleFigures {
  readonly routes: readonly RouteScale[];
  readonly peers: readonly PeerScale[];
  readonly leases: readonly LeaseScale[];
}

/** One point, or the points that are measured together. */
export interface ScalePoint {
  readonly test: ScaleName;
  readonly piece: Piece;
  /** Measures it and returns the text for the progress line. */
  readonly run: () => Promise<string>;
}

/** All measurements of the wanted scales, and where they put what they measure. */
export class ScaleSeries {
  readonly #pathLab: PathLab;
  readonly #durations: Durations;
  readonly #random: () => number;
  readonly #peers: PeerScale[] = [];
  readonly #leases: LeaseScale[] = [];
  #routes: readonly RouteScale[] = [];

  constructor(pathLab: PathLab, durations: Durations, random: () => number) {
    this.#pathLab = pathLab;
    this.#durations = durations;
    this.#random = random;
  }

  get figures(): ScaleFigures {
    return { routes: this.#routes, peers: this.#peers, leases: this.#leases };
  }

  points(scales: readonly ScaleName[]): ScalePoint[] {
    const all: ScalePoint[] = [
      { test: 'scale-routes', piece: { kinds: ['scale-routes'], planned: 3 }, run: () => this.#measureRoutes() },
      ...PEERS.map((peers): ScalePoint => {
        const planned = 6 + REST_SECONDS + peers / 300 + 6 * this.#durations.udpTrialSeconds;
        return {
          test: 'scale-peers',
          piece: { kinds: ['scale-peers'], planned },
          run: () => this.#measurePeers(peers),
        };
      }),
      ...ARRIVALS_PER_SECOND.map((perSecond): ScalePoint => {
        const piece = { kinds: ['scale-leases'], planned: 7 + ARRIVAL_SECONDS };
        return { test: 'scale-leases', piece, run: () => this.#measureLeases(perSecond) };
      }),
    ];
    return all.filter(({ test }) => scales.includes(test));
  }

  async #measureRoutes(): Promise<string> {
    this.#routes = timeRouteScale(ROUTES, this.#random);
    const last = this.#routes.at(-1);
    return last === undefined
      ? ''
      : `${last.routes} routes: ${last.nanosecondsPerLookup.toFixed(2)} ns a lookup, built in ${last.loadMs.toFixed(0)} ms`;
  }

  async #measurePeers(peers: number): Promise<string> {
    const lab = await this.#pathLab.scaleLab();
    // The other real node is a peer too.
    await lab.writeLeases(peers - 1, null);
    const start = performance.now();
    const point = await lab.within(async (path, daemons): Promise<PeerScale> => {
      await lab.whenKnown(peers);
      const knownSeconds = (performance.now() - start) / 1000;
      const { packetsPerSecond, limit } = await measureUdp(path, this.#durations.udpTrialSeconds);
      return { peers, knownSeconds, packetsPerSecond, limit, ...(await atRest(daemons)) };
    });
    this.#peers.push(point);
    const cpu = `${(point.restCpuShare * 100).toFixed(1)} % of a CPU at rest`;
    return `${peers} peers: ${Math.round(point.packetsPerSecond)} packets/s, ${Math.round(point.residentBytes / 1e6)} MB, ${cpu}`;
  }

  async #measureLeases(perSecond: number): Promise<string> {
    const lab = await this.#pathLab.scaleLab();
    await lab.writeLeases(0, null);
    const leases = perSecond * ARRIVAL_SECONDS;
    const point = await lab.within(async (path): Promise<LeaseScale> => {
      const [tcp, lastSeconds] = await beside(measureTcp(path, 1, ARRIVAL_SECONDS + 1), () =>
        leases === 0 ? Promise.resolve(0) : arrive(lab, leases, perSecond),
      );
      return { perSecond, leases, gigabitsPerSecond: tcp.gigabitsPerSecond, lastSeconds };
    });
    this.#leases.push(point);
    return `${perSecond} leases/s: ${point.gigabitsPerSecond.toFixed(2)} Gb/s, the last one known after ${point.lastSeconds.toFixed(3)} s`;
  }
}

async function arrive(lab: ScaleLab, leases: number, perSecond: number): Promise<number> {
  await lab.writeLeases(leases, perSecond);
  return lab.whenKnown(leases + 1);
}

async function measureUdp(path: Path, trialSeconds: number) {
  const udp = new UdpBench(path.client.netns, path.server.netns);
  try {
    return await udp.measure(path.server.address, trialSeconds);
  } finally {
    await udp.stop();
  }
}

async function atRest(daemons: readonly number[]): Promise<Pick<PeerScale, 'residentBytes' | 'restCpuShare'>> {
  const cpu = () => daemons.map((pid) => processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  const before = cpu();
  const start = performance.now();
  await delay(REST_SECONDS * 1000);
  const seconds = (performance.now() - start) / 1000;
  const after = cpu();
  const resident = daemons.map((pid) => residentBytes(readFileSync(`/proc/${pid}/status`, 'utf8')));
  return {
    residentBytes: Math.max(...resident),
    restCpuShare: Math.max(...after.map((value, index) => (value - before[index]!) / seconds)),
  };
}
