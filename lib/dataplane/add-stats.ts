import { countAt, countsOf } from './counters.ts';
import { addStages } from './stages.ts';
import type { DataplaneStats, PeerStats } from './stats.ts';

/** All counters at zero. */
export function noStats(): DataplaneStats {
  return { ...countsOf(() => 0), peers: [], stages: undefined };
}

/** Sums the counters of a data plane that ended and of the one that runs now; the peers are those of `now`. */
export function addStats(before: DataplaneStats, now: DataplaneStats): DataplaneStats {
  const old = (publicIp: string) => before.peers.find((peer) => peer.publicIp === publicIp);
  return {
    ...countsOf((_, name) => countAt(before, name) + countAt(now, name)),
    peers: now.peers.map((peer) => addPeer(old(peer.publicIp), peer)),
    stages: addStages(before.stages, now.stages),
  };
}

function addPeer(before: PeerStats | undefined, now: PeerStats): PeerStats {
  if (before === undefined) return now;
  return {
    publicIp: now.publicIp,
    outboundPackets: before.outboundPackets + now.outboundPackets,
    outboundBytes: before.outboundBytes + now.outboundBytes,
    inboundPackets: before.inboundPackets + now.inboundPackets,
    inboundBytes: before.inboundBytes + now.inboundBytes,
  };
}
