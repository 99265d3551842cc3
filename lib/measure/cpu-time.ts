/** CPU time from /proc. proc(5); resolution is one clock tick, 10 ms, per CPU and kind. */
import { WeftError } from '../error.ts';

/** USER_HZ: the unit of /proc, 100 on every architecture Linux runs Node on. */
const TICKS_PER_SECOND = 100;

/** Seconds since boot, of all CPUs together, from the text of /proc/stat. */
export interface MachineCpuTimes {
  /** user and nice; guest time is part of them already. */
  readonly user: number;
  /** system, irq and softirq. */
  readonly kernel: number;
  /** What a hypervisor gave to others while a CPU here had work. */
  readonly steal: number;
  /** These three, idle and iowait. */
  readonly all: number;
}

export function machineCpuTimes(procStat: string): MachineCpuTimes {
  const fields = /^cpu +(.*)$/m.exec(procStat)?.[1]?.trim().split(/ +/).map(Number);
  if (fields === undefined || fields.length < 7) throw new WeftError('PROC_FORMAT', '/proc/stat has no "cpu" line');
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields.map(
    (ticks) => ticks / TICKS_PER_SECOND,
  );
  const kernel = system + irq + softirq;
  return { user: user + nice, kernel, steal, all: user + nice + kernel + steal + idle + iowait };
}

/** Seconds the whole machine was busy since boot, user and kernel together; not steal. */
export function machineCpuSeconds(procStat: string): number {
  const { user, kernel } = machineCpuTimes(procStat);
  return user + kernel;
}

/** Seconds all threads of a process ran, in user and kernel mode together, from the text of /proc/<pid>/stat. */
export function processCpuSeconds(procPidStat: string): number {
  const { user, system } = processCpuTimes(procPidStat);
  return user + system;
}

/** The same apart: user, and kernel (system) mode. */
export function processCpuTimes(procPidStat: string): { readonly user: number; readonly system: number } {
  // The second field is the name in parentheses, which may itself hold spaces and parentheses.
  const fields = procPidStat.slice(procPidStat.lastIndexOf(')') + 2).split(' ');
  const user = Number(fields[11]);
  const system = Number(fields[12]);
  if (!Number.isFinite(user + system)) throw new WeftError('PROC_FORMAT', '/proc/<pid>/stat is too short');
  return { user: user / TICKS_PER_SECOND, system: system / TICKS_PER_SECOND };
}

/** Seconds in user mode, and in the kernel's. */
export interface CpuTimes {
  readonly user: number;
  /** System calls; of a machine also what the kernel does on nobody's behalf: interrupts. */
  readonly kernel: number;
}

/** What was spent between two readings, for each 10^9 bytes of `bytes`. */
export function cpuPerGB(before: CpuTimes, after: CpuTimes, bytes: number): CpuTimes {
  const gigabytes = bytes / 1e9;
  return { user: (after.user - before.user) / gigabytes, kernel: (after.kernel - before.kernel) / gigabytes };
}

/** Bytes resident now, from the text of /proc/<pid>/status. */
export function residentBytes(procPidStatus: string): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(procPidStatus)?.[1];
  if (kilobytes === undefined) throw new WeftError('PROC_FORMAT', '/proc/<pid>/status has no VmRSS');
  return Number(kilobytes) * 1024;
}
