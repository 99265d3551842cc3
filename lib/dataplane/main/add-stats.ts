import { DROP_REASONS, type DropReason } from '../drop.ts';
import type { DataplaneStats, DirectionStats, PeerStats } from '../stats.ts';

/** All counters at zero. */
export function noStats(): DataplaneStats {
  const direction: DirectionStats = { received: 0, forwarded: 0, forwardedBytes: 0, reads: 0, writes: 0 };
  const drops = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
  return {
    outbound: direction,
    inbound: direction,
    drops,
    bridge: { flooded: 0, answered: 0, refusedMoves: 0, shutOut: 0 },
    icmp: { sent: 0, rateLimited: 0 },
    peers: [],
    socketOverflow: 0,
  };
}

/** Sums the counters of a data plane that ended and of the one that runs now; the peers are those of `now`. */
export function addStats(before: DataplaneStats, now: DataplaneStats): DataplaneStats {
  const drops = Object.fromEntries(
    DROP_REASONS.map((reason) => [reason, before.drops[reason] + now.drops[reason]]),
  ) as Record<DropReason, number>;
  return {
    outbound: addCounters(before.outbound, now.outbound),
    inbound: addCounters(before.inbound, now.inbound),
    drops,
    bridge: addCounters(before.bridge, now.bridge),
    icmp: addCounters(before.icmp, now.icmp),
    peers: now.peers.map((peer) =>
      addPeer(
        before.peers.find((other) => other.publicIp === peer.publicIp),
        peer,
      ),
    ),
    socketOverflow: before.socketOverflow + now.socketOverflow,
  };
}

function addCounters<T extends object>(a: T, b: T): T {
  const sum = Object.entries(b).map(([name, value]) => [name, Number(value) + Number(a[name as keyof T])]);
  return Object.fromEntries(sum) as T;
}

function addPeer(before: PeerStats | undefined, now: PeerStats): PeerStats {
  if (before === undefined) return now;
  const { publicIp, ...counters } = now;
  const { publicIp: _, ...old } = before;
  return { publicIp, ...addCounters(old, counters) };
}
