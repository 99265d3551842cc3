/** The end of a TCP run that waits: iperf3's server. */
import { WeftError } from '../error.ts';
import { toolMissing } from '../lab/command.ts';
import { cannotExec, type LabProcess, spawnInNetns } from '../lab/netns.ts';
import { until } from '../lab/until.ts';
import { SERVER_LISTENING, serverArguments } from './iperf3.ts';

const SERVER_START_MS = 5000;

export interface TcpServerPlace {
  /** undefined: ours. */
  readonly netns?: string | undefined;
  /** Dotted quad of the namespace's; every address of it without. */
  readonly address?: string;
  readonly port: number;
}

/**
 * Starts a server for one run and waits until it listens; after the run it ends by itself, and `stop` ends it before.
 * Codes: TOOL_MISSING, IPERF3_FAILED with iperf3's own words: a port that is taken.
 */
export async function startTcpServer({ netns, address, port }: TcpServerPlace): Promise<LabProcess> {
  const server = spawnInNetns(netns, ['iperf3', ...serverArguments(port, address)]);
  const listening = () => server.stdout().includes(SERVER_LISTENING);
  await until(() => listening() || !server.running(), SERVER_START_MS);
  if (listening()) return server;
  await server.stop();
  const words = (server.stderr() || server.stdout()).trim().replaceAll('\n', '; ');
  if (cannotExec(words)) throw toolMissing('iperf3');
  throw new WeftError('IPERF3_FAILED', `the iperf3 server does not listen on port ${port}: ${words}`);
}
