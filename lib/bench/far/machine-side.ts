/** This machine's side: does what the list of requests has, and keeps what it started until `close`. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../../error.ts';
import type { LabProcess } from '../../lab/netns.ts';
import { type CpuTimes, machineCpuTimes, processCpuTimes, residentBytes } from '../../measure/cpu-time.ts';
import { measureRttTo } from '../../measure/rtt.ts';
import { runTcpClient } from '../../measure/tcp-client.ts';
import { startTcpServer } from '../../measure/tcp-server.ts';
import { LocalUdpEnd } from '../../measure/udp-ends.ts';
import { describeEnvironment } from '../environment.ts';
import { findProgram } from '../programs.ts';
import { Pair, type PairPlace } from './pair.ts';
import type { Description, Place, ReplyTo, Request, Usage } from './requests.ts';
import { lookAtOverlay, type OverlayPath, overlayPath } from './running-overlay.ts';

export interface MachinePlace extends PairPlace {
  readonly controlSocket: string;
  /** Folders of programs, as in PATH. */
  readonly programs: string;
}

interface Path {
  /** undefined: ours. */
  readonly netns: string | undefined;
  readonly own: string;
  readonly other: string;
  readonly pid: number | undefined;
}

const TOOLS = ['iperf3', 'ping'] as const;
const TOOLS_OF_PAIR = ['etcd', 'etcdctl', 'ip'] as const;

const CLOSE_AGAIN_MS = 100;

export class MachineSide {
  readonly #place: MachinePlace;
  readonly #pair: Pair;
  #overlay: OverlayPath | undefined;
  #server: LabProcess | undefined;
  readonly #running = new Set<Promise<unknown>>();
  readonly #udp = new Map<Place, LocalUdpEnd>();
  /** Of what makes and removes things. */
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(place: MachinePlace) {
    this.#place = place;
    this.#pair = new Pair(place);
  }

  /** Throws WeftError with the code of what failed. */
  async perform(request: Request): Promise<ReplyTo<Request['type']>> {
    const result = this.#perform(request);
    this.#running.add(result);
    try {
      return await result;
    } finally {
      this.#running.delete(result);
    }
  }

  async #perform(request: Request): Promise<ReplyTo<Request['type']>> {
    const { ports, controlSocket } = this.#place;
    switch (request.type) {
      case 'describe':
        return await describe(this.#place.programs);
      case 'overlay':
        return await lookAtOverlay(controlSocket);
      case 'overlay-use':
        this.#overlay = await overlayPath(controlSocket, request);
        return {};
      case 'usage':
        return this.#usage(request.place);
      case 'tcp-serve':
        await this.#inTurn(() => this.#serveTcp(this.#path(request.place)));
        return {};
      case 'tcp-call': {
        const { streams, seconds, reverse } = request;
        const { netns, other } = this.#path(request.place);
        return await runTcpClient(netns, { server: other, port: ports.tcp, streams, seconds, reverse });
      }
      case 'ping': {
        const { netns, other } = this.#path(request.place);
        return await measureRttTo(other, request.count, request.intervalSeconds, netns);
      }
      case 'udp-listen':
      case 'udp-received':
      case 'udp-send':
        return await this.#udpTrial(request);
      case 'pair-start':
        return await this.#inTurn(async () => {
          await this.#stopUdp('pair');
          return { vtepMac: await this.#pair.start(request.backend) };
        });
      case 'pair-join':
        await this.#inTurn(() => this.#pair.join(request.vtepMac));
        return {};
      case 'pair-stop':
        await this.#inTurn(async () => {
          await this.#stopUdp('pair');
          await this.#pair.stop();
        });
        return {};
    }
  }

  /** One after the other, whatever is asked at once: of two that make the same thing one would lose sight of it. */
  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(body);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  /** Ends and removes everything, also what requests start meanwhile. */
  async close(): Promise<void> {
    for (;;) {
      await this.#closeOnce();
      if (this.#running.size === 0) return;
      await Promise.race([Promise.allSettled(this.#running), delay(CLOSE_AGAIN_MS)]);
    }
  }

  async #closeOnce(): Promise<void> {
    await Promise.allSettled([this.#stopServer(), ...[...this.#udp.keys()].map((place) => this.#stopUdp(place))]);
    await this.#pair.close();
  }

  #path(place: Place): Path {
    const { own, other } = this.#place;
    if (place === 'underlay') return { netns: undefined, own, other, pid: undefined };
    const path = place === 'overlay' ? this.#overlay && { netns: undefined, ...this.#overlay } : this.#pair.path;
    if (path === undefined) throw new WeftError('FAR_REQUEST', `There is no ${place} to measure yet`);
    return path;
  }

  #usage(place: Place): Usage {
    const { pid } = this.#path(place);
    const read = (file: string): string => readFileSync(`/proc/${file}`, 'utf8');
    const { user, kernel } = machineCpuTimes(read('stat'));
    return {
      machine: { user, kernel },
      daemon: pid === undefined ? null : daemonTimes(read(`${pid}/stat`)),
      residentBytes: pid === undefined ? null : residentBytes(read(`${pid}/status`)),
    };
  }

  async #serveTcp({ netns, own }: Path): Promise<void> {
    await this.#stopServer();
    this.#server = await startTcpServer({ netns, address: own, port: this.#place.ports.tcp });
  }

  async #stopServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  async #udpTrial(request: Extract<Request, { readonly type: `udp-${string}` }>): Promise<unknown> {
    const { netns, own, other } = this.#path(request.place);
    const end = this.#udp.get(request.place) ?? new LocalUdpEnd(netns);
    this.#udp.set(request.place, end);
    const port = this.#place.ports.udp;
    try {
      if (request.type === 'udp-send') return await end.send({ ...request, to: other, port });
      return await (request.type === 'udp-listen' ? end.listen({ ...request, at: own, port }) : end.received());
    } catch (error) {
      // Requests and replies may be out of step now: the next trial gets a process of its own.
      await this.#stopUdp(request.place);
      throw error;
    }
  }

  async #stopUdp(place: Place): Promise<void> {
    const end = this.#udp.get(place);
    this.#udp.delete(place);
    await end?.stop();
  }
}

function daemonTimes(procPidStat: string): CpuTimes {
  const { user, system } = processCpuTimes(procPidStat);
  return { user, kernel: system };
}

async function describe(programs: string): Promise<Description> {
  const isRoot = process.geteuid?.() === 0;
  const needed = isRoot ? [...TOOLS, ...TOOLS_OF_PAIR] : TOOLS;
  return {
    environment: await describeEnvironment(),
    isRoot,
    missing: needed.filter((tool) => findProgram(tool, programs) === undefined),
  };
}
