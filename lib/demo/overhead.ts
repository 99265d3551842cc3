/** What the overlay costs, at a glance: the careful comparison is `weft bench`. */
import type { Contender, ContenderBed } from '../bench/contenders.ts';
import { measureRtt } from '../measure/rtt.ts';
import { measureTcp } from '../measure/tcp.ts';

const PINGS = 200;
const PING_INTERVAL_SECONDS = 0.002;
const TCP_SECONDS = 1;

export interface Overhead {
  readonly contender: Contender;
  readonly rttP50Ms: number;
  readonly rttP99Ms: number;
  readonly gigabitsPerSecond: number;
  readonly machineCpuSecondsPerGB: number;
}

export async function measureOverhead(bed: ContenderBed): Promise<Overhead> {
  const rtt = await measureRtt(bed, PINGS, PING_INTERVAL_SECONDS);
  const tcp = await measureTcp(bed, 1, TCP_SECONDS);
  return {
    contender: bed.contender,
    rttP50Ms: rtt.p50Ms,
    rttP99Ms: rtt.p99Ms,
    gigabitsPerSecond: tcp.gigabitsPerSecond,
    machineCpuSecondsPerGB: tcp.machineCpuSecondsPerGB,
  };
}
