/**
 * How long a lease stays in force when its key is gone from the store. Pure.
 *
 * Keys go one by one, because a node is gone or an operator errs: then the peer has a little time to write its lease again.
 * That most of them go at once says more about the store (emptied, restored, set up anew) than about the nodes: then nobody
 * is cut off. A peer is a PublicIP here: a node that changes its subnet loses a key, and is not lost.
 */
import type { StoredLease } from './lease.ts';

export interface Departure {
  /** When the lease ends, monotonic, in ms; Infinity: not by itself. */
  readonly untilMs: number;
  /** It was lost with most others: it stays as long as it would have been in force without a renewal. */
  readonly kept: boolean;
}

/** That most peers were lost at once. */
export interface Loss {
  /** By a complete list, by deletions, or by a list from another store than before, or from an earlier state of it. */
  readonly how: 'list' | 'changes' | 'another-history';
  /** Peers without a key. */
  readonly lost: number;
  /** Peers there were. */
  readonly known: number;
}

/** A lease of a peer, and how it stands. */
export interface Standing {
  readonly lease: StoredLease;
  /** When it was last written or listed, monotonic, in ms. */
  readonly seenMs: number;
  /** undefined: its key is there. */
  readonly departure: Departure | undefined;
}

/** Of a lease that nobody renews: flannel's time to live, which Weft keeps to. */
const LEASE_LIFE_MS = 24 * 3_600_000;

export interface Circumstances {
  readonly how: Loss['how'];
  readonly nowMs: number;
  /** How long a lease stays when its key is gone: the time that deletions are counted together, too. In ms. */
  readonly leavingMs: number;
}

/**
 * Decides anew for each lease whose key is gone. `peers`: all leases but the own one; `gone`: those of them whose key has
 * just gone. Leases for which nothing changes are not in `departures`.
 */
export function decideDepartures<S extends Standing>(
  peers: readonly S[],
  gone: ReadonlySet<S>,
  { how, nowMs, leavingMs }: Circumstances,
): { readonly departures: ReadonlyMap<S, Departure>; readonly loss: Loss | undefined } {
  const here = new Set(peers.filter((peer) => peer.departure === undefined && !gone.has(peer)).map(addressOf));
  const absent = peers.filter((peer) => peer.departure !== undefined || gone.has(peer));
  const loss = lossOf(here, absent, gone, how);
  const departures = new Map<S, Departure>();
  for (const peer of absent) {
    const { lease, seenMs, departure } = peer;
    const isKept = departure?.kept === true;
    // A node that has leased another subnet has given this one up.
    const isLost = !here.has(addressOf(peer));
    if (isLost && !isKept && loss !== undefined)
      departures.set(peer, { untilMs: lease.reserved ? Number.POSITIVE_INFINITY : seenMs + LEASE_LIFE_MS, kept: true });
    else if (departure === undefined || (isKept && !isLost))
      departures.set(peer, { untilMs: nowMs + leavingMs, kept: false });
  }
  return { departures, loss };
}

/** Whether so many peers are leaving, those of before too, that none of them shall. */
function lossOf<S extends Standing>(
  here: ReadonlySet<number>,
  absent: readonly S[],
  gone: ReadonlySet<S>,
  how: Loss['how'],
): Loss | undefined {
  const leaving = absent.filter(({ departure }) => departure?.kept !== true);
  const lost = new Set(leaving.map(addressOf).filter((address) => !here.has(address))).size;
  const known = here.size + lost;
  const isNew = [...gone].some((peer) => !here.has(addressOf(peer)));
  const isMost = lost >= 2 && lost * 2 > known;
  const isAll = how === 'list' && here.size === 0;
  const isLoss = how === 'another-history' ? lost > 0 : isNew && (isMost || isAll);
  return isLoss ? { how, lost, known } : undefined;
}

function addressOf({ lease }: Standing): number {
  return lease.attrs.publicIp;
}
