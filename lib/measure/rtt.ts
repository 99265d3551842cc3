/** Round-trip times over an idle path. */
import { WeftError } from '../error.ts';
import { toolMissing } from '../lab/command.ts';
import { cannotExec, execInNetns } from '../lab/netns.ts';
import type { Path } from './path.ts';
import { pingArguments, readPingOutput } from './ping-output.ts';
import { percentile } from './statistics.ts';

export interface RttSample {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lost: number;
}

/** With each round trip, milliseconds, in the order of the echoes. */
export interface TimedRtts extends RttSample {
  readonly rttMs: readonly number[];
}

/** "p50 0.211 ms, p99 0.848 ms" */
export function formatRtt({ p50Ms, p99Ms }: RttSample): string {
  return `p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(3)} ms`;
}

/** Echoes sent before those that count: neighbours are found, code is warm. */
const WARM_UP = 10;

/** Code: PING_FAILED if nothing comes back. */
export function measureRtt(path: Path, count: number, intervalSeconds: number): Promise<TimedRtts> {
  return timeRtts(path.server.address, count, intervalSeconds, path.client.netns);
}

/** The same to an address, from a namespace, undefined: ours. */
export async function measureRttTo(
  address: string,
  count: number,
  intervalSeconds: number,
  netns?: string,
): Promise<RttSample> {
  const { rttMs: _, ...sample } = await timeRtts(address, count, intervalSeconds, netns);
  return sample;
}

async function timeRtts(
  address: string,
  count: number,
  intervalSeconds: number,
  netns: string | undefined,
): Promise<TimedRtts> {
  const argv = ['ping', ...pingArguments(address, count + WARM_UP, intervalSeconds)];
  const timeoutMs = (count + WARM_UP) * intervalSeconds * 1000 + 10_000;
  const { stdout, stderr } = await execInNetns(netns, argv, { timeoutMs, allowFailure: true });
  if (cannotExec(stderr)) throw toolMissing('ping');
  if (stdout === '') throw new WeftError('PING_FAILED', `ping failed: ${stderr.trim()}`);
  const result = readPingOutput(stdout);
  if (result.received <= WARM_UP) {
    throw new WeftError('PING_FAILED', `${address} answered ${result.received} of ${result.sent} echoes`);
  }
  const rtts = result.rttMs.slice(WARM_UP);
  return {
    p50Ms: percentile(rtts, 0.5),
    p99Ms: percentile(rtts, 0.99),
    lost: result.sent - result.received,
    rttMs: rtts,
  };
}
