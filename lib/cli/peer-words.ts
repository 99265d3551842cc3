/** How a peer answers, as tables for a terminal say it; '-': it is not known. */
import type { Peer } from '../control/protocol.ts';
import { formatRtt } from '../units.ts';

export function rttWords({ health }: Peer): string {
  const rtt = health?.rttMs ?? null;
  return rtt === null ? '-' : formatRtt(rtt);
}

export function lossWords({ health }: Peer): string {
  const loss = health?.loss ?? null;
  return loss === null ? '-' : `${Math.round(loss * 100)}%`;
}
