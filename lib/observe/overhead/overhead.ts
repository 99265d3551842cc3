/**
 * What user space costs on a running node: each inner packet is looked for on the overlay's device and on the underlay, and the
 * time between the two is weftd's, its queue in the kernel included. `weft overhead`.
 */
import { readFileSync } from 'node:fs';
import { askDaemon } from '../../control/client.ts';
import type { NetworkReport, StagesReply } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { machineCpuSeconds, processCpuTimes } from '../../measure/cpu-time.ts';
import { netnsOfDaemon } from '../daemon-netns.ts';
import { describeGone, EdgeCapture } from '../edge-capture.ts';
import { type Edge, edgesOf } from '../edges.ts';
import { type DirectionReport, EdgePairs } from './edge-pairs.ts';
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
  /** What our own looking had no room for, frames of the kernel's or packets: they are in no figure, or seem lost. */
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
/** Our choice: how often what is lost is given up. */
const EXPIRE_MS = 500;

/** Codes: those of askDaemon and EdgeCapture.open; NO_EDGES, NO_TUNNEL when the network carries nothing through weftd. */
export async function measureOverhead(options: OverheadOptions): Promise<OverheadReport> {
  const { controlSocket, network } = options;
  const status = await askDaemon(controlSocket, '/v1/status', network);
  const report = status.networks.find(({ name }) => network === undefined || name === network) ?? status.networks[0];
  const { overlay, underlay } = edgesOfNetwork(report, netnsOfDaemon(status.pid).path);
  const pairs = new EdgePairs(overlay, underlay);
  const notes: string[] = [];
  const capture = EdgeCapture.open([overlay, underlay], {
    snapLength: SNAP_LENGTH,
    ringBytes: RING_BYTES,
    filter: (edge) => (edge === underlay ? underlay.networks[0]?.filter : undefined),
    onPacket: (packet) => pairs.see(packet),
    onGone: (edge, error) => notes.push(describeGone(edge, error)),
  });
  const expiry = setInterval(() => pairs.expire(), EXPIRE_MS);
  try {
    const name = report?.name ?? '';
    const looked = await lookFor(
      options,
      capture,
      { name, pid: status.pid },
      `${overlay.device} and ${underlay.device}`,
    );
    const unseen = capture.statistics().reduce((sum, { dropped }) => sum + dropped, 0);
    return {
      network: name,
      overlayDevice: overlay.device,
      underlayDevice: underlay.device,
      ...looked,
      ...pairs.finish(),
      notSeen: unseen + pairs.forgotten,
      notes,
    };
  } finally {
    clearInterval(expiry);
    capture.close();
  }
}

type Looked = Pick<
  OverheadReport,
  'seconds' | 'stages' | 'drops' | 'daemonCpu' | 'machineCpuSeconds' | 'ownCpuSeconds'
>;

/** Captures for the time asked for, and says what the daemon and the machine did meanwhile. */
async function lookFor(
  { controlSocket, seconds, onLooking }: OverheadOptions,
  capture: EdgeCapture,
  daemon: { readonly name: string; readonly pid: number },
  source: string,
): Promise<Looked> {
  const stop = () => capture.stop();
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : undefined;
  const stats = () => askDaemon(controlSocket, '/v1/stats', daemon.name === '' ? undefined : daemon.name);
  try {
    const statsBefore = await stats();
    const before = readCpu(daemon.pid);
    const startMs = performance.now();
    onLooking(source, stop);
    await capture.run();
    const elapsed = (performance.now() - startMs) / 1000;
    const after = readCpu(daemon.pid);
    const statsAfter = await stats();
    return {
      seconds: Math.round(elapsed * 10) / 10,
      stages: stagesSince(statsBefore.stages ?? null, statsAfter.stages ?? null),
      drops: risen(statsBefore.drops, statsAfter.drops),
      daemonCpu: spent(before.daemon, after.daemon),
      machineCpuSeconds: round(after.machine - before.machine),
      ownCpuSeconds: round(after.own - before.own),
    };
  } finally {
    clearTimeout(timer);
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

function spent(before: Cpu['daemon'], after: Cpu['daemon']): CpuReport | null {
  if (before === undefined || after === undefined) return null;
  return { userSeconds: round(after.user - before.user), systemSeconds: round(after.system - before.system) };
}

/** CPU times come in steps of 10 ms. */
function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function risen(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const all = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}
