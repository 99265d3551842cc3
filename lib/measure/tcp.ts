/** One TCP run over a path, with the CPU time it took. */
import { readFileSync } from 'node:fs';
import { type CpuTimes, cpuPerGB, machineCpuTimes, processCpuTimes } from './cpu-time.ts';
import type { Path } from './path.ts';
import { runTcpClient } from './tcp-client.ts';
import { startTcpServer } from './tcp-server.ts';

const PORT = 5201;

export interface TcpSample {
  /** Of both directions together if both sent. */
  readonly gigabitsPerSecond: number;
  /** What of it came from the server; 0 unless both sent. */
  readonly backGigabitsPerSecond: number;
  readonly retransmits: number;
  /** Busy seconds of all CPUs per 10^9 bytes of payload, of all processes and of the kernel. */
  readonly machineCpuSecondsPerGB: number;
  readonly machineCpu: CpuTimes;
  /** Of both daemons together; undefined where there are none. */
  readonly daemonCpuSecondsPerGB: number | undefined;
  readonly daemonCpu: CpuTimes | undefined;
  /** TCP's MSS, bytes. */
  readonly mss: number;
}

/** How it differs from one side sending as fast as it can. */
export interface TcpLoad {
  readonly bothWays?: boolean;
  readonly bitsPerSecond?: number;
}

/** `seconds` count; one more goes before. Throws WeftError IPERF3_FAILED, TOOL_MISSING, ... */
export async function measureTcp(path: Path, streams: number, seconds: number, load: TcpLoad = {}): Promise<TcpSample> {
  const server = await startTcpServer({ netns: path.server.netns, port: PORT });
  try {
    const before = cpuNow(path);
    const test = { server: path.server.address, port: PORT, streams, seconds, ...load };
    const result = await runTcpClient(path.client.netns, test);
    const after = cpuNow(path);
    const machineCpu = cpuPerGB(before.machine, after.machine, result.totalBytes);
    const daemonCpu =
      path.daemonPids.length > 0 ? cpuPerGB(before.daemons, after.daemons, result.totalBytes) : undefined;
    return {
      gigabitsPerSecond: result.bitsPerSecond / 1e9,
      backGigabitsPerSecond: result.backBitsPerSecond / 1e9,
      retransmits: result.retransmits,
      machineCpuSecondsPerGB: machineCpu.user + machineCpu.kernel,
      machineCpu,
      daemonCpuSecondsPerGB: daemonCpu && daemonCpu.user + daemonCpu.kernel,
      daemonCpu,
      mss: result.mss,
    };
  } finally {
    await server.stop();
  }
}

function cpuNow(path: Path): Readonly<Record<'machine' | 'daemons', CpuTimes>> {
  const daemons = { user: 0, kernel: 0 };
  for (const pid of path.daemonPids) {
    const { user, system } = processCpuTimes(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    daemons.user += user;
    daemons.kernel += system;
  }
  return { machine: machineCpuTimes(readFileSync('/proc/stat', 'utf8')), daemons };
}
