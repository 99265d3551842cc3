/** One TCP run over a path, with the CPU time it took. */
import { readFileSync } from 'node:fs';
import { machineCpuSeconds, processCpuSeconds } from './cpu-time.ts';
import type { Path } from './path.ts';
import { runTcpClient } from './tcp-client.ts';
import { startTcpServer } from './tcp-server.ts';

const PORT = 5201;

export interface TcpSample {
  readonly gigabitsPerSecond: number;
  readonly retransmits: number;
  /** Busy seconds of all CPUs per 10^9 bytes of payload, of all processes and of the kernel. */
  readonly machineCpuSecondsPerGB: number;
  /** Of both daemons together; undefined where there are none. */
  readonly daemonCpuSecondsPerGB: number | undefined;
  /** TCP's MSS, bytes. */
  readonly mss: number;
}

/** `seconds` count; one more goes before. Throws WeftError IPERF3_FAILED, TOOL_MISSING, ... */
export async function measureTcp(path: Path, streams: number, seconds: number): Promise<TcpSample> {
  const server = await startTcpServer({ netns: path.server.netns, port: PORT });
  try {
    const before = cpuNow(path);
    const test = { server: path.server.address, port: PORT, streams, seconds };
    const result = await runTcpClient(path.client.netns, test);
    const after = cpuNow(path);
    const gigabytes = result.totalBytes / 1e9;
    return {
      gigabitsPerSecond: result.bitsPerSecond / 1e9,
      retransmits: result.retransmits,
      machineCpuSecondsPerGB: (after.machine - before.machine) / gigabytes,
      daemonCpuSecondsPerGB: path.daemonPids.length > 0 ? (after.daemons - before.daemons) / gigabytes : undefined,
      mss: result.mss,
    };
  } finally {
    await server.stop();
  }
}

function cpuNow(path: Path): { readonly machine: number; readonly daemons: number } {
  return {
    machine: machineCpuSeconds(readFileSync('/proc/stat', 'utf8')),
    daemons: path.daemonPids.reduce(
      (sum, pid) => sum + processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      0,
    ),
  };
}
