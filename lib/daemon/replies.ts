/**
 * What the daemon knows about itself, as the replies of its local API. Pure. Here the types of backends and data plane meet
 * those of the API, and the compiler sees whether they still fit.
 */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6 } from '../addr/ipv6.ts';
import { formatMac, type Mac, parseMac } from '../addr/mac.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import type { Backend, ExternalInterface, RefusedLease } from '../backend/backend.ts';
import type {
  BackendStatus,
  ExternalStatus,
  FdbReply,
  LeaseStatus,
  NeighReply,
  NetworkStatus,
  OffloadStatus,
  Peer,
  PeerHealth,
  PeerTraffic,
  RoutesReply,
  StatsReply,
  StoreStatus,
  WaitReason,
} from '../control/protocol.ts';
import { type BackendObject, findOption } from '../lease/backend-option.ts';
import type { KnownLease, Lease, LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { OwnLease, StoreHealth } from '../store/store.ts';
import type { PeerMonitor } from './peers/peer-monitor.ts';
import type { Obstacle } from './wait.ts';

export function toWaitReason({ error, sinceMs, attempts }: Obstacle): WaitReason {
  const { code, message, hint = null } = error;
  return { code, message, hint, since: isoTime(sinceMs), attempts };
}

export function toNetworkStatus({ network, subnetLen, ipv6 }: NetworkConfig): NetworkStatus {
  return {
    ipv4: formatPrefix(network),
    ipv6: prefixOrNull(ipv6?.network),
    subnetLen,
    ipv6SubnetLen: ipv6?.subnetLen ?? null,
  };
}

/** The end of the lease moves with each renewal, which only the store sees. */
export function toLeaseStatus({ lease, origin }: OwnLease, { leaseExpiresAtMs }: StoreHealth): LeaseStatus {
  const { ipv4, ipv6 } = lease.subnets;
  return {
    ipv4: formatPrefix(ipv4),
    ipv6: prefixOrNull(ipv6),
    origin,
    expiresAt: leaseExpiresAtMs === undefined ? null : isoTime(leaseExpiresAtMs),
  };
}

export function toExternalStatus(external: ExternalInterface): ExternalStatus {
  return {
    name: external.name,
    mtu: external.mtu,
    ipv4: formatIpv4(external.ipv4),
    ipv6: ipv6OrNull(external.ipv6),
    publicIp: formatIpv4(external.publicIp),
    publicIpv6: ipv6OrNull(external.publicIpv6),
    reason: external.reason,
  };
}

export function toBackendStatus(backend: Backend, sourceCheck: boolean): BackendStatus {
  return {
    type: backend.type,
    device: backend.deviceName,
    mtu: backend.overlayMtu,
    port: backend.port ?? null,
    sourceCheck,
    vni: backend.vteps?.vni ?? null,
    vtepMac: macOrNull(backend.vteps?.mac),
    vtepMacV6: macOrNull(backend.vteps?.mac6),
    learning: backend.vteps?.learning ?? null,
  };
}

export function toStoreStatus(health: StoreHealth, prefix: string): StoreStatus {
  return {
    // There is no other yet.
    kind: 'etcd',
    endpoint: health.endpoint,
    prefix,
    connected: health.connected,
    lastError: health.lastError ?? null,
    revision: health.revision ?? null,
    skipped: health.skipped,
    watchRestarts: health.watchRestarts,
  };
}

export function toOffloads(backend: Backend): readonly OffloadStatus[] {
  return backend.offloads();
}

/** How many leases of other nodes the backend uses, be it for their IPv4 part only. */
export function countUsed(others: readonly Lease[], refused: readonly RefusedLease[]): number {
  const reasons = new RefusalReasons(refused);
  return others.filter((lease) => reasons.of(lease.subnets.ipv4, lease) === undefined).length;
}

/**
 * The leases of other nodes, with their counters or with the reason why the backend does not use them. `toUnixMs`: what time
 * of day a monotonic time is.
 */
export function toPeers(
  others: readonly KnownLease[],
  backend: Backend,
  toUnixMs: (ms: number) => number,
  monitor?: Pick<PeerMonitor, 'of'>,
): Peer[] {
  const reasons = new RefusalReasons(backend.refusedLeases());
  const traffic = new Map(backend.stats().peers.map((peer) => [peer.publicIp, peer]));
  return others.map((lease) => {
    const { subnets, attrs, expiresAtMs, leavesAtMs } = lease;
    const subnet = formatPrefix(subnets.ipv4);
    const ipv6Subnet = prefixOrNull(subnets.ipv6);
    const publicIp = formatIpv4(attrs.publicIp);
    const publicIpv6 = ipv6OrNull(attrs.publicIpv6);
    const reason = reasons.of(subnets.ipv4, lease);
    const reason6 = subnets.ipv6 && reasons.of(subnets.ipv6, lease);
    const ends = [traffic.get(publicIp), publicIpv6 === null ? undefined : traffic.get(publicIpv6)];
    return {
      subnet,
      ipv6Subnet,
      publicIp,
      publicIpv6,
      backendType: attrs.backendType,
      expiresAt: endOf(leavesAtMs === undefined ? expiresAtMs : toUnixMs(leavesAtMs)),
      leaving: leavesAtMs !== undefined,
      traffic: reason === undefined ? sumOf(ends.filter((end) => end !== undefined)) : null,
      note: noteOf(reason, reason6) ?? (leavesAtMs === undefined ? null : 'leaving: its key is gone from etcd'),
      ...vtepsOf(attrs),
      health: reason === undefined ? toHealth(attrs, toUnixMs, monitor) : null,
    };
  });
}

/** Of a peer with two addresses the first that the monitor asks. */
function toHealth(
  { publicIp, publicIpv6 }: LeaseAttrs,
  toUnixMs: (ms: number) => number,
  monitor: Pick<PeerMonitor, 'of'> | undefined,
): PeerHealth | null {
  const peer = monitor?.of(publicIp) ?? (publicIpv6 === undefined ? undefined : monitor?.of(publicIpv6));
  if (peer === undefined) return null;
  const over = peer.way === undefined ? 'underlay' : 'overlay';
  const { rttMs, seenMs, loss } = peer[over];
  const { pathMtu } = peer;
  return {
    over,
    rttMs: rttMs ?? null,
    loss: loss?.ratio ?? null,
    probes: loss?.probes ?? 0,
    lastSeen: seenMs === undefined ? null : isoTime(toUnixMs(seenMs)),
    pathMtu: pathMtu ?? null,
    pathMtuDirection: pathMtu === undefined ? null : peer.isOneWay ? 'outbound' : 'either',
    underlayRttMs: peer.underlay.rttMs ?? null,
  };
}

export function toRoutesReply(backend: Backend): RoutesReply {
  return { routes: backend.routes() };
}

export function toStatsReply(backend: Backend, nowMs: number): StatsReply {
  const { outbound, inbound, drops, bridge, icmp, tap, probes, peers, stages, socketOverflow } = backend.stats();
  const counts = { outbound, inbound, drops, bridge, icmp, tap, probes, peers, socketOverflow };
  return { at: isoTime(nowMs), ...counts, stages: stages ?? null };
}

export function toFdbReply(backend: Backend): FdbReply {
  return { fdb: backend.fdb() };
}

export async function toNeighReply(backend: Backend): Promise<NeighReply> {
  return { neighbors: await backend.neighbors() };
}

/** Two leases can name one subnet: a reason is that of a subnet of one node. */
class RefusalReasons {
  readonly #reasons: ReadonlyMap<string, string>;

  constructor(refused: readonly RefusedLease[]) {
    this.#reasons = new Map(refused.map(({ subnet, publicIp, reason }) => [`${subnet} ${publicIp}`, reason]));
  }

  of(subnet: Prefix, { attrs: { publicIp, publicIpv6 } }: Lease): string | undefined {
    const addresses = [formatIpv4(publicIp), ...(publicIpv6 === undefined ? [] : [formatIpv6(publicIpv6)])];
    const found = addresses.find((address) => this.#reasons.has(`${formatPrefix(subnet)} ${address}`));
    return found === undefined ? undefined : this.#reasons.get(`${formatPrefix(subnet)} ${found}`);
  }
}

function noteOf(reason: string | undefined, reason6: string | undefined): string | null {
  if (reason !== undefined) return `ignored: ${reason}`;
  return reason6 === undefined ? null : `IPv6 subnet ignored: ${reason6}`;
}

/** What vxlan writes into a lease. Anything may stand there. */
function vtepsOf({ backendData, backendV6Data }: LeaseAttrs): Pick<Peer, 'vni' | 'vtepMac' | 'vtepMacV6'> {
  const field = (data: unknown, name: string): unknown =>
    typeof data === 'object' && data !== null && !Array.isArray(data)
      ? findOption(data as BackendObject, name)
      : undefined;
  const macOf = (data: unknown): string | null => {
    const text = field(data, 'VtepMAC');
    return macOrNull(typeof text === 'string' ? parseMac(text) : undefined);
  };
  const vni = field(backendData, 'VNI') ?? field(backendV6Data, 'VNI');
  return {
    vni: typeof vni === 'number' && Number.isInteger(vni) && vni >= 0 ? vni : null,
    vtepMac: macOf(backendData),
    vtepMacV6: macOf(backendV6Data),
  };
}

function macOrNull(mac: Mac | undefined): string | null {
  return mac === undefined ? null : formatMac(mac);
}

/** A dual-stack peer of vxlan is reached at two addresses. */
function sumOf(ends: readonly PeerTraffic[]): PeerTraffic | null {
  if (ends.length === 0) return null;
  const sum = (key: keyof PeerTraffic): number => ends.reduce((total, end) => total + end[key], 0);
  return {
    outboundPackets: sum('outboundPackets'),
    outboundBytes: sum('outboundBytes'),
    inboundPackets: sum('inboundPackets'),
    inboundBytes: sum('inboundBytes'),
  };
}

function prefixOrNull(prefix: Prefix | undefined): string | null {
  return prefix === undefined ? null : formatPrefix(prefix);
}

function ipv6OrNull(address: Ipv6 | undefined): string | null {
  return address === undefined ? null : formatIpv6(address);
}

/** null when nobody knows, or never. */
function endOf(unixMs: number | undefined): string | null {
  return unixMs === undefined || unixMs === Number.POSITIVE_INFINITY ? null : isoTime(unixMs);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
