/**
 * What user space costs on a running node: each inner packet is looked for on the overlay's device and on the underlay, and the
 * time between the two is weftd's, its queue in the kernel included. `weft overhead`.
 */
import { readFileSync } from 'node:fs';
import { tunnelPorts } from '../../capture/checks.ts';
import { Layers, type TunnelPorts } from '../../capture/layers.ts';
import { askDaemon } from '../../control/client.ts';
import type { NetworkReport, StagesReply, StatsReply } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { machineCpuSeconds, processCpuTimes } from '../../measure/cpu-time.ts';
import { isProbe } from '../../wire/probe.ts';
import { netnsOfDaemon } from '../daemon-netns.ts';
import { describeGone, EdgeCapture, type EdgePacket } from '../edge-capture.ts';
import { type Edge, edgesOf } from '../edges.ts';
import { Latencies } from './latencies.ts';
import { PacketKey } from './packet-key.ts';
import { Pairing } from './pairing.ts';
import { stagesSince } from './stages-since.ts';

export interface OverheadOptions {
  readonly controlSocket: string;
  /** One of several; undefined: the first. */
  readonly network: string | undefined;
  /** 0: until interrupted. */
  readonly seconds: number;
  /** Called once from when on packets are seen: with where, and what ends the looking early. */
  readonly onLooking: (source: string, stop: () => void) => void;
}

export interface DirectionReport {
  /** Inner packets on the edge where they go in. */
  readonly packets: number;
  /** Of those that came out. */
  readonly paired: number;
  readonly bytes: number;
  /** Went in and did not come out within 2 s. */
  readonly lost: number;
  /** Had no time left to come out. */
  readonly onTheWay: number;
  /** Came out and were not seen to go in: weftd's own ICMP errors, and what was on its way at the start. */
  readonly strangers: number;
  /** Nanoseconds between the kernel's stamps; null where no packet was paired. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** octaves[k]: packets that took from 2^k to below 2^(k+1) nanoseconds. */
  readonly octaves: readonly number[];
}

/** CPU time of some seconds of looking. */
interface CpuReport {
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

/** `--json`. Keys are stable. */
export interface OverheadReport {
  readonly network: string;
  readonly overlayDevice: string;
  readonly underlayDevice: string;
  readonly seconds: number;
  readonly outbound: DirectionReport;
  readonly inbound: DirectionReport;
  /** Frames that our own looking had no room for: their packets are in no figure, or seem lost. */
  readonly notSeen: number;
  /** Of the data plane's own clock, during the looking. */
  readonly stages: StagesReply | null;
  /** What weftd dropped meanwhile, by reason; reasons that did not happen are left out. */
  readonly drops: Readonly<Record<string, number>>;
  /** Of weftd; null where it cannot be read. */
  readonly daemonCpu: CpuReport | null;
  readonly machineCpuSeconds: number;
  /** Of this command. It is in the machine's. */
  readonly ownCpuSeconds: number;
  /** What could not be looked at, one sentence each. */
  readonly notes: readonly string[];
}

/** Outer and inner headers of any kind, and an echo's magic number. */
const SNAP_LENGTH = 192;
const RING_BYTES = 32 * 1024 * 1024;
/** How long a packet may be on its way when the looking ends. */
const ON_THE_WAY_MS = 100;
/** Our choice: how often what is lost is given up. */
const EXPIRE_MS = 500;

/** Codes: those of askDaemon and EdgeCapture.open; NO_EDGES, NO_TUNNEL when the network carries nothing through weftd. */
export async function measureOverhead(options: OverheadOptions): Promise<OverheadReport> {
  const { controlSocket, network, seconds, onLooking } = options;
  const status = await askDaemon(controlSocket, '/v1/status', network);
  const report = status.networks.find(({ name }) => network === undefined || name === network) ?? status.networks[0];
  const { overlay, underlay } = edgesOfNetwork(report, netnsOfDaemon(status.pid).path);
  const pairs = new Pairs(overlay, underlay);
  const notes: string[] = [];
  const capture = EdgeCapture.open([overlay, underlay], {
    snapLength: SNAP_LENGTH,
    ringBytes: RING_BYTES,
    filter: (edge) => (edge === underlay ? underlay.networks[0]?.filter : undefined),
    onPacket: (packet) => pairs.see(packet),
    onGone: (edge, error) => notes.push(describeGone(edge, error)),
  });
  const stop = () => capture.stop();
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : undefined;
  const expiry = setInterval(() => pairs.expire(), EXPIRE_MS);
  try {
    const statsBefore = await statsOf(controlSocket, report!);
    const before = readCpu(status.pid);
    const startMs = performance.now();
    onLooking(`${overlay.device} and ${underlay.device}`, stop);
    await capture.run();
    const elapsed = (performance.now() - startMs) / 1000;
    const after = readCpu(status.pid);
    const statsAfter = await statsOf(controlSocket, report!);
    const directions = pairs.finish();
    return {
      network: report!.name,
      overlayDevice: overlay.device,
      underlayDevice: underlay.device,
      seconds: Math.round(elapsed * 10) / 10,
      ...directions,
      notSeen: capture.statistics().reduce((sum, { dropped }) => sum + dropped, 0),
      stages: stagesSince(statsBefore.stages ?? null, statsAfter.stages ?? null),
      drops: risen(statsBefore.drops, statsAfter.drops),
      daemonCpu:
        before.daemon === undefined || after.daemon === undefined
          ? null
          : {
              userSeconds: round(after.daemon.user - before.daemon.user),
              systemSeconds: round(after.daemon.system - before.daemon.system),
            },
      machineCpuSeconds: round(after.machine - before.machine),
      ownCpuSeconds: round(after.own - before.own),
      notes,
    };
  } finally {
    clearTimeout(timer);
    clearInterval(expiry);
    capture.close();
  }
}

function edgesOfNetwork(
  report: NetworkReport | undefined,
  netns: string | undefined,
): { overlay: Edge; underlay: Edge } {
  const edges = edgesOf({ networks: report === undefined ? [] : [report] }, netns);
  const overlay = edges.find(({ kind }) => kind === 'overlay');
  const underlay = edges.find(({ kind }) => kind === 'underlay');
  if (overlay !== undefined && underlay !== undefined) return { overlay, underlay };
  const type = report?.backend?.type ?? 'the backend';
  throw new WeftError('NO_TUNNEL', `No packet of this network goes through weftd: ${type} has no device of its own`, {
    hint: 'weft bench measures what the kernel forwards alone',
  });
}

function statsOf(controlSocket: string, { name }: NetworkReport): Promise<StatsReply> {
  return askDaemon(controlSocket, '/v1/stats', name === '' ? undefined : name);
}

interface Cpu {
  readonly daemon: { readonly user: number; readonly system: number } | undefined;
  readonly machine: number;
  readonly own: number;
}

function readCpu(pid: number): Cpu {
  const { user, system } = process.cpuUsage();
  let daemon: Cpu['daemon'];
  try {
    daemon = processCpuTimes(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // In another pid namespace it cannot be seen.
  }
  return { daemon, machine: machineCpuSeconds(readFileSync('/proc/stat', 'utf8')), own: (user + system) / 1e6 };
}

/** CPU times come in steps of 10 ms. */
function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function risen(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const all = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

/** Sees packets of both edges and brings them together. */
class Pairs {
  readonly #overlay: Edge;
  readonly #ports: TunnelPorts;
  readonly #layers = new Layers();
  readonly #key = new PacketKey();
  readonly #directions = { outbound: new Direction(), inbound: new Direction() };
  #startSeconds = 0;
  /** Of the newest packet. */
  #ns = 0;

  constructor(overlay: Edge, underlay: Edge) {
    this.#overlay = overlay;
    this.#ports = tunnelPorts(underlay.networks.map(({ wire }) => wire));
  }

  see({ edge, linkType, frame, packet }: EdgePacket): void {
    const layers = this.#layers;
    const { memory, start, end } = packet;
    const isOverlay = edge === this.#overlay;
    const count = layers.read(memory, start, end, linkType === 1, this.#ports);
    // The overlay's is the first that is an IP packet, the underlay's the one inside the tunnel packet; ARP is none.
    const level = isOverlay ? 0 : 1;
    if (count <= level) return;
    const ip = layers.ip[level]!;
    if (isProbe(memory.subarray(ip, end))) return;
    this.#key.read(memory, ip, end, layers.isIpv6[level]!, layers.transport[level]!, layers.protocol[level]!);
    if (this.#startSeconds === 0) this.#startSeconds = frame.seconds;
    const ns = (frame.seconds - this.#startSeconds) * 1e9 + frame.nanoseconds;
    this.#ns = ns;
    // Of either edge, what the kernel sends leaves the host, for weftd or for the wire.
    const { pairing } = frame.outgoing ? this.#directions.outbound : this.#directions.inbound;
    if (isOverlay === frame.outgoing) pairing.enter(this.#key.value, this.#key.id, ns, packet.length - (ip - start));
    else pairing.leave(this.#key.value, this.#key.id, ns);
  }

  expire(): void {
    for (const { pairing } of Object.values(this.#directions)) pairing.expire(this.#ns);
  }

  finish(): { readonly outbound: DirectionReport; readonly inbound: DirectionReport } {
    const { outbound, inbound } = this.#directions;
    return { outbound: outbound.finish(this.#ns), inbound: inbound.finish(this.#ns) };
  }
}

class Direction {
  readonly #latencies = new Latencies();
  #bytes = 0;
  readonly pairing = new Pairing((elapsedNs, bytes) => {
    this.#latencies.add(elapsedNs);
    this.#bytes += bytes;
  });

  finish(ns: number): DirectionReport {
    const onTheWay = this.pairing.finish(ns, ON_THE_WAY_MS);
    const { entered, paired, lost, strangers } = this.pairing;
    const latencies = this.#latencies;
    const any = latencies.count > 0;
    return {
      packets: entered,
      paired,
      bytes: this.#bytes,
      lost,
      onTheWay,
      strangers,
      p50: latencies.quantile(0.5),
      p90: latencies.quantile(0.9),
      p99: latencies.quantile(0.99),
      max: any ? latencies.max : null,
      mean: any ? latencies.sum / latencies.count : null,
      octaves: latencies.octaves(),
    };
  }
}
