/** In which order peers are listed. Pure. */
import type { PeerView } from './store.ts';

export type SortKey = 'subnet' | 'address' | 'traffic' | 'rtt' | 'loss';

/** By the numbers of their subnets, where these are IPv4 prefixes; all others after them, as text. */
export function bySubnet(a: PeerView, b: PeerView): number {
  return numberOf(a.peer.subnet) - numberOf(b.peer.subnet) || compareText(a.peer.subnet, b.peer.subnet);
}

/** Those that need attention first, then the busiest. */
export function byNeed(a: PeerView, b: PeerView): number {
  return needOf(b) - needOf(a) || b.busy - a.busy || bySubnet(a, b);
}

function needOf({ trouble }: PeerView): number {
  return trouble === undefined ? 0 : trouble.level === 'bad' ? 2 : 1;
}

/** `descending` turns the key alone: of equals the subnets always rise, and what has no value is always last. */
export function sorted(peers: Iterable<PeerView>, key: SortKey, descending: boolean): PeerView[] {
  const sign = descending ? -1 : 1;
  return [...peers].toSorted((a, b) => compare(a, b, key, sign) || bySubnet(a, b));
}

function compare(a: PeerView, b: PeerView, key: SortKey, sign: number): number {
  switch (key) {
    case 'subnet':
      return sign * bySubnet(a, b);
    case 'address':
      return sign * (numberOf(a.peer.publicIp) - numberOf(b.peer.publicIp));
    case 'traffic':
      return sign * (a.busy - b.busy);
    case 'rtt':
      return compareKnown(a.peer.health?.rttMs, b.peer.health?.rttMs, sign);
    case 'loss':
      return compareKnown(a.peer.health?.loss, b.peer.health?.loss, sign);
  }
}

function compareKnown(a: number | null | undefined, b: number | null | undefined, sign: number): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
  return b === null || b === undefined ? -1 : sign * (a - b);
}

/** "10.244.1.0/24" as a number; of other text one beyond all of these. */
function numberOf(text: string): number {
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1);
  return parts === undefined ? 2 ** 40 : parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
