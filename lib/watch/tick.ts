/** What happened in one data plane between two readings of its counters, as rates. Pure. */
import type { PeerTraffic, StagesReply, StatsReply } from '../control/protocol.ts';
import { stagesSince } from './stages-since.ts';

export interface Reading {
  readonly stats: StatsReply;
  /** CPU seconds that weftd has used, and when that was read, ms; undefined where it cannot be seen. */
  readonly cpu: { readonly seconds: number; readonly atMs: number } | undefined;
}

/** All rates are per second. */
export interface Tick {
  /** When it ended; ISO 8601. */
  readonly at: string;
  readonly seconds: number;
  readonly outbound: DirectionRates;
  readonly inbound: DirectionRates;
  /** Packets by reason; reasons that did not happen are left out. */
  readonly drops: Readonly<Record<string, number>>;
  /** Datagrams that the kernel dropped because the socket was full. */
  readonly socketOverflow: number;
  /** Peers with traffic, by their underlay address. */
  readonly peers: readonly PeerRates[];
  /** CPUs' worth of weftd: 1 is one core; null where it cannot be seen. */
  readonly cpu: number | null;
  /** The stage clock of the time between; null without a data plane. */
  readonly stages: StagesReply | null;
}

interface DirectionRates {
  readonly packets: number;
  readonly bytes: number;
  /** Inner packets that a system call moved; null where there was none. */
  readonly packetsPerRead: number | null;
  readonly packetsPerWrite: number | null;
}

export interface PeerRates extends PeerTraffic {
  readonly publicIp: string;
}

/** Undefined: the two are not of one run of a daemon, or of the same moment. */
export function tickBetween(before: Reading, now: Reading): Tick | undefined {
  const seconds = elapsedSeconds(before.stats, now.stats);
  if (seconds === undefined) return undefined;
  const rate = (later: number, earlier = 0): number => (later - earlier) / seconds;
  const direction = (name: 'outbound' | 'inbound'): DirectionRates => {
    const [a, b] = [before.stats[name], now.stats[name]];
    return {
      packets: rate(b.forwarded, a.forwarded),
      bytes: rate(b.forwardedBytes, a.forwardedBytes),
      packetsPerRead: ratio(b.received - a.received, b.reads - a.reads),
      packetsPerWrite: ratio(b.forwarded - a.forwarded, b.writes - a.writes),
    };
  };
  const drops = Object.entries(now.stats.drops)
    .map(([reason, count]) => [reason, rate(count, before.stats.drops[reason])] as const)
    .filter(([, each]) => each > 0);
  return {
    at: now.stats.at,
    seconds,
    outbound: direction('outbound'),
    inbound: direction('inbound'),
    drops: Object.fromEntries(drops),
    socketOverflow: Math.max(0, rate(now.stats.socketOverflow, before.stats.socketOverflow)),
    peers: peerRates(before.stats, now.stats, rate),
    cpu: cpuBetween(before.cpu, now.cpu),
    stages: stagesSince(before.stats.stages ?? null, now.stats.stages ?? null),
  };
}

/** Undefined when the counters went back, or no time passed. */
function elapsedSeconds(before: StatsReply, now: StatsReply): number | undefined {
  const seconds = (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  const isOfOneRun = (['outbound', 'inbound'] as const).every(
    (name) => now[name].received >= before[name].received && now[name].forwarded >= before[name].forwarded,
  );
  return seconds > 0 && isOfOneRun ? seconds : undefined;
}

function peerRates(
  before: StatsReply,
  now: StatsReply,
  rate: (later: number, earlier?: number) => number,
): PeerRates[] {
  const earlier = new Map(before.peers.map((peer) => [peer.publicIp, peer]));
  return now.peers.flatMap((peer) => {
    const then = earlier.get(peer.publicIp);
    // A peer that came back counts from 0.
    const since = then !== undefined && isLater(peer, then) ? then : undefined;
    if (
      since !== undefined &&
      peer.outboundPackets === since.outboundPackets &&
      peer.inboundPackets === since.inboundPackets
    )
      return [];
    const rates = {
      publicIp: peer.publicIp,
      outboundPackets: rate(peer.outboundPackets, since?.outboundPackets),
      outboundBytes: rate(peer.outboundBytes, since?.outboundBytes),
      inboundPackets: rate(peer.inboundPackets, since?.inboundPackets),
      inboundBytes: rate(peer.inboundBytes, since?.inboundBytes),
    };
    return rates.outboundPackets + rates.inboundPackets > 0 ? [rates] : [];
  });
}

function isLater(now: PeerTraffic, then: PeerTraffic): boolean {
  return now.outboundPackets >= then.outboundPackets && now.inboundPackets >= then.inboundPackets;
}

function ratio(packets: number, calls: number): number | null {
  return calls > 0 ? packets / calls : null;
}

function cpuBetween(before: Reading['cpu'], now: Reading['cpu']): number | null {
  if (before === undefined || now === undefined || now.atMs <= before.atMs) return null;
  return Math.max(0, ((now.seconds - before.seconds) * 1000) / (now.atMs - before.atMs));
}
