/** What weftd and the machine say of themselves at one moment. What a while cost is the difference of two readings. */
import { readFileSync } from 'node:fs';
import { askDaemon } from '../../control/client.ts';
import type { StagesReply, StatsReply, StatusReply } from '../../control/protocol.ts';
import { messageOf } from '../../error.ts';
import { machineCpuSeconds, processCpuTimes } from '../../measure/cpu-time.ts';
import { stagesSince } from '../../watch/stages-since.ts';

/** Which process it is: one that was started anew counts from 0. */
export type DaemonIdentity = Pick<StatusReply, 'pid' | 'startedAt'>;

interface Cpu {
  /** Of weftd; undefined where it cannot be seen, as in another pid namespace. */
  readonly daemon: { readonly user: number; readonly system: number } | undefined;
  readonly machine: number;
  /** Of this process. */
  readonly own: number;
}

export interface Reading {
  readonly identity: DaemonIdentity;
  readonly stats: StatsReply;
  readonly cpu: Cpu;
}

/** CPU time of some seconds of looking. */
interface CpuReport {
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

export interface Spent {
  /** Of the data plane's own clock; null where it has none, or weftd is not the one that it was. */
  readonly stages: StagesReply | null;
  /** What weftd dropped, by reason; reasons that did not happen are left out. */
  readonly drops: Readonly<Record<string, number>>;
  /** Of weftd; null where it cannot be read. */
  readonly daemonCpu: CpuReport | null;
  readonly machineCpuSeconds: number;
  /** Of this command. It is in the machine's. */
  readonly ownCpuSeconds: number;
  /** What is not known, and why. */
  readonly notes: readonly string[];
}

/** CPU times last: what the asking costs is not in what comes after. `network`: '' for the only one. Codes: those of askDaemon. */
export async function readBefore(
  controlSocket: string,
  network: string,
  { pid, startedAt }: DaemonIdentity,
): Promise<Reading> {
  const stats = await statsOf(controlSocket, network);
  return { identity: { pid, startedAt }, stats, cpu: readCpu(pid) };
}

/** The other way round, of the daemon that answers now; without one, why, and CPU times all the same. */
export async function readAfter(
  controlSocket: string,
  network: string,
  { pid }: DaemonIdentity,
): Promise<Reading | (Pick<Reading, 'cpu'> & { readonly why: string })> {
  const cpu = readCpu(pid);
  try {
    const stats = await statsOf(controlSocket, network);
    return { identity: await askDaemon(controlSocket, '/v1/status'), stats, cpu };
  } catch (error) {
    return { cpu, why: messageOf(error) };
  }
}

function statsOf(controlSocket: string, network: string): Promise<StatsReply> {
  return askDaemon(controlSocket, '/v1/stats', network === '' ? undefined : network);
}

function readCpu(pid: number): Cpu {
  const { user, system } = process.cpuUsage();
  let daemon: Cpu['daemon'];
  try {
    daemon = processCpuTimes(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // In another pid namespace it cannot be seen; or it has ended.
  }
  return { daemon, machine: machineCpuSeconds(readFileSync('/proc/stat', 'utf8')), own: (user + system) / 1e6 };
}

/** Pure. */
export function spentBetween(before: Reading, after: Awaited<ReturnType<typeof readAfter>>): Spent {
  const machine = {
    machineCpuSeconds: round(after.cpu.machine - before.cpu.machine),
    ownCpuSeconds: round(after.cpu.own - before.cpu.own),
  };
  const unknown = (why: string): Spent => ({
    stages: null,
    drops: {},
    daemonCpu: null,
    ...machine,
    notes: [`${why}: its clock, its drops and its CPU time are not known`],
  });
  if ('why' in after) return unknown(`weftd did not answer at the end (${after.why})`);
  const { pid, startedAt } = before.identity;
  if (after.identity.pid !== pid || after.identity.startedAt !== startedAt)
    return unknown('weftd was started anew meanwhile');
  return {
    stages: stagesSince(before.stats.stages ?? null, after.stats.stages ?? null),
    drops: risen(before.stats.drops, after.stats.drops),
    daemonCpu: daemonCpu(before.cpu.daemon, after.cpu.daemon),
    ...machine,
    notes: [],
  };
}

function daemonCpu(before: Cpu['daemon'], after: Cpu['daemon']): CpuReport | null {
  if (before === undefined || after === undefined) return null;
  return { userSeconds: round(after.user - before.user), systemSeconds: round(after.system - before.system) };
}

/** CPU times come in steps of 10 ms. */
function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function risen(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const all = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}
