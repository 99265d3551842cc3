/** A tick as pages get it, and as it is remembered. Pure. */
import type { Peer, StatsReply } from '../control/protocol.ts';
import { percentile } from '../measure/statistics.ts';
import type { Tick } from '../watch/tick.ts';
import { BUSIEST, HISTORY, type PageTick, PEER_HISTORY } from './messages.ts';

export function pageTick(tick: Tick, { drops, outbound, inbound, tap }: StatsReply, peers: PeerTimes): PageTick {
  return { ...tick, ...peers, total: { drops, outbound, inbound, tap } };
}

export type PeerTimes = Pick<PageTick, 'rtt' | 'loss'>;

/** What the peer monitor has found of all of them together. */
export function peerTimes(peers: readonly Peer[]): PeerTimes {
  const times = peers.flatMap(({ health }) => health?.rttMs ?? []);
  const losses = peers.flatMap(({ health }) => health?.loss ?? []);
  const at = (share: number): number => percentile(times, share);
  return {
    rtt: times.length === 0 ? null : { median: at(0.5), p90: at(0.9), max: at(1), peers: times.length },
    loss: losses.length === 0 ? null : losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
  };
}

/** What was, the oldest first: bounded, however many peers there are. */
export class TickHistory {
  #ticks: PageTick[] = [];

  get ticks(): readonly PageTick[] {
    return this.#ticks;
  }

  add({ total: _total, ...tick }: PageTick): void {
    this.#ticks.push({ ...tick, peers: busiest(tick.peers), stages: null });
    if (this.#ticks.length > HISTORY) this.#ticks.shift();
    const old = this.#ticks.length - PEER_HISTORY - 1;
    if (old >= 0) this.#ticks[old] = { ...this.#ticks[old]!, peers: [] };
  }
}

function busiest(peers: PageTick['peers']): PageTick['peers'] {
  if (peers.length <= BUSIEST) return peers;
  const traffic = (peer: PageTick['peers'][number]): number => peer.outboundBytes + peer.inboundBytes;
  return peers.toSorted((a, b) => traffic(b) - traffic(a)).slice(0, BUSIEST);
}
