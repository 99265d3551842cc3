/** Round trips beside a TCP stream over the same path: what a queue does to those who wait behind it. */
import { setTimeout as delay } from 'node:timers/promises';
import { OMITTED_SECONDS } from './iperf3.ts';
import type { Path } from './path.ts';
import { measureRtt, type RttSample } from './rtt.ts';
import { measureTcp } from './tcp.ts';

export interface LoadedRttSample extends RttSample {
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
  // Slow start is over when the omitted second is. If the stream fails meanwhile, that is what is thrown.
  const echoes = delay(OMITTED_SECONDS * 1000).then(() => measureRtt(path, pings, intervalSeconds));
  const [tcp, rtt] = await Promise.allSettled([stream, echoes]);
  if (tcp.status === 'rejected') throw tcp.reason;
  if (rtt.status === 'rejected') throw rtt.reason;
  return { ...rtt.value, gigabitsPerSecond: tcp.value.gigabitsPerSecond };
}
