/** What the daemon knows about itself, as the replies of its local API. Pure. */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6 } from '../addr/ipv6.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import type { Backend, ExternalInterface } from '../backend/backend.ts';
import type {
  BackendStatus,
  EtcdStatus,
  ExternalStatus,
  LeaseStatus,
  NetworkStatus,
  Peer,
  WaitReason,
} from '../control/protocol.ts';
import type { Lease } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { OwnLease, StoreHealth } from '../store/store.ts';
import type { Obstacle } from './persist.ts';

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
  };
}

export function toEtcdStatus(health: StoreHealth, prefix: string): EtcdStatus {
  return {
    endpoint: health.endpoint,
    prefix,
    connected: health.connected,
    lastError: health.lastError ?? null,
    revision: health.revision ?? null,
    skipped: health.skipped,
    watchRestarts: health.watchRestarts,
  };
}

/** The leases of other nodes that the backend uses, with their counters. */
export function toPeers(others: readonly Lease[], backend: Backend): Peer[] {
  const refused = new Set(backend.refusedLeases().map((lease) => lease.subnet));
  const traffic = new Map(backend.stats().peers.map((peer) => [peer.publicIp, peer]));
  return others
    .filter((lease) => !refused.has(formatPrefix(lease.subnets.ipv4)))
    .map(({ subnets, attrs, expiresAtMs }) => {
      const publicIp = formatIpv4(attrs.publicIp);
      const { publicIp: _, ...counters } = traffic.get(publicIp) ?? { publicIp };
      return {
        subnet: formatPrefix(subnets.ipv4),
        ipv6Subnet: prefixOrNull(subnets.ipv6),
        publicIp,
        publicIpv6: ipv6OrNull(attrs.publicIpv6),
        backendType: attrs.backendType,
        expiresAt: expiresAtMs === undefined ? null : isoTime(expiresAtMs),
        traffic: 'outboundPackets' in counters ? counters : null,
      };
    });
}

function prefixOrNull(prefix: Prefix | undefined): string | null {
  return prefix === undefined ? null : formatPrefix(prefix);
}

function ipv6OrNull(address: Ipv6 | undefined): string | null {
  return address === undefined ? null : formatIpv6(address);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
