/** Round trips beside a TCP stream over the same path: what a queue does to those who wait behind it. */
import { setTimeout as delay } from 'node:timers/promises';
import { OMITTED_SECONDS } from './iperf3.ts';
import type { Path } from './path.ts';
import { measureRtt, type TimedRtts } from './rtt.ts';
import { measureTcp, type TcpSample } from './tcp.ts';

export interface LoadedRttSample extends TimedRtts {
  /** What the stream beside carried. */
  readonly gigabitsPerSecond: number;
}

/** What the stream runs longer than the echoes take, so that none is sent after it. */
const SLACK_SECONDS = 0.5;

/** Seconds that the stream counts for so many echoes: a whole number, as iperf3 wants. */
export function loadSeconds(pings: number, intervalSeconds: number): number {
  return Math.ceil(pings * intervalSeconds + SLACK_SECONDS);
}

/** `bitsPerSecond`: of the stream; undefined: as fast as it goes. Codes: those of measureTcp and measureRtt. */
export async function measureLoadedRtt(
  path: Path,
  pings: number,
  intervalSeconds: number,
  bitsPerSecond: number | undefined,
): Promise<LoadedRttSample> {
  const load = bitsPerSecond === undefined ? {} : { bitsPerSecond };
  const stream = measureTcp(path, 1, loadSeconds(pings, intervalSeconds), load);
  const [{ gigabitsPerSecond }, rtt] = await beside(stream, () => measureRtt(path, pings, intervalSeconds));
  return { ...rtt, gigabitsPerSecond };
}

/** Runs `body` beside a TCP run that has just been begun, from when its slow start is over: the omitted second. */
export async function beside<T>(stream: Promise<TcpSample>, body: () => Promise<T>): Promise<[TcpSample, T]> {
  const [tcp, result] = await Promise.allSettled([stream, delay(OMITTED_SECONDS * 1000).then(body)]);
  // If the stream failed meanwhile, that is why the other did.
  if (tcp.status === 'rejected') throw tcp.reason;
  if (result.status === 'rejected') throw result.reason;
  return [tcp.value, result.value];
}
