/** The end of a TCP run that calls: iperf3's client, whichever of the two sends. */
import { WeftError } from '../error.ts';
import { toolMissing } from '../lab/command.ts';
import { cannotExec, execInNetns } from '../lab/netns.ts';
import {
  CONGESTION_CONTROL,
  clientArguments,
  OMITTED_SECONDS,
  readIperf3Report,
  type TcpResult,
  type TcpTest,
} from './iperf3.ts';

/** What a run may take on top of its own seconds before it counts as hung. */
const GRACE_SECONDS = 15;

/** How long a run of so many seconds that count takes at most. */
export function longestTcpSeconds(seconds: number): number {
  return seconds + OMITTED_SECONDS + GRACE_SECONDS;
}

/** Runs the client to its end, in a namespace, undefined: ours. Codes: TOOL_MISSING, IPERF3_FAILED, IPERF3_REPORT. */
export async function runTcpClient(netns: string | undefined, test: TcpTest): Promise<TcpResult> {
  const timeoutMs = longestTcpSeconds(test.seconds) * 1000;
  const argv = ['iperf3', ...clientArguments(test)];
  const { stdout, stderr } = await execInNetns(netns, argv, { timeoutMs, allowFailure: true });
  if (cannotExec(stderr)) throw toolMissing('iperf3');
  const result = readIperf3Report(stdout);
  if (result.congestionControl !== CONGESTION_CONTROL)
    throw new WeftError('IPERF3_FAILED', `iperf3 ran with ${result.congestionControl}, not ${CONGESTION_CONTROL}`);
  return result;
}
