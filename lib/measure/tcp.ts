/** One TCP run over a path, with the CPU time it took. */
import { readFileSync } from 'node:fs';
import { WeftError } from '../error.ts';
import { toolMissing } from '../lab/command.ts';
import { cannotExec, execInNetns, spawnInNetns } from '../lab/netns.ts';
import { until } from '../lab/until.ts';
import { machineCpuSeconds, processCpuSeconds } from './cpu-time.ts';
import {
  CONGESTION_CONTROL,
  clientArguments,
  OMITTED_SECONDS,
  readIperf3Report,
  SERVER_LISTENING,
  serverArguments,
} from './iperf3.ts';
import type { Path } from './path.ts';

const PORT = 5201;
const SERVER_START_MS = 5000;
/** What a run may take on top of its own seconds before it counts as hung. */
const GRACE_SECONDS = 15;

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

/** How long a run of so many seconds that count takes at most. */
export function longestTcpSeconds(seconds: number): number {
  return seconds + OMITTED_SECONDS + GRACE_SECONDS;
}

/** `seconds` count; one more goes before. Throws WeftError IPERF3_FAILED, TOOL_MISSING, ... */
export async function measureTcp(path: Path, streams: number, seconds: number): Promise<TcpSample> {
  const server = spawnInNetns(path.server.netns, ['iperf3', ...serverArguments(PORT)]);
  try {
    const listening = () => server.stdout().includes(SERVER_LISTENING);
    await until(() => listening() || !server.running(), SERVER_START_MS);
    if (!listening()) {
      const words = (server.stderr() || server.stdout()).trim();
      if (cannotExec(words)) throw toolMissing('iperf3');
      throw new WeftError('IPERF3_FAILED', `the iperf3 server does not listen: ${words}`);
    }
    const before = cpuNow(path);
    const argv = ['iperf3', ...clientArguments({ server: path.server.address, port: PORT, streams, seconds })];
    const timeoutMs = longestTcpSeconds(seconds) * 1000;
    const { stdout } = await execInNetns(path.client.netns, argv, { timeoutMs, allowFailure: true });
    const after = cpuNow(path);
    const result = readIperf3Report(stdout);
    if (result.congestionControl !== CONGESTION_CONTROL) {
      throw new WeftError('IPERF3_FAILED', `iperf3 ran with ${result.congestionControl}, not ${CONGESTION_CONTROL}`);
    }
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
