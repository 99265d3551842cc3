/**
 * The daemon's local API: HTTP/1.1 over a unix socket, `GET /v1/<name>`, JSON replies. These types are the contract between
 * weftd, the weft command and whoever else reads the socket: keys are never renamed or removed within /v1, absent values are
 * null, times are ISO 8601 in UTC, addresses and prefixes are text.
 */
import type { DataplaneStats, OffloadStatus } from '../dataplane/stats.ts';

export const DEFAULT_CONTROL_SOCKET = '/run/weft/weft.sock';

/** Bytes of a unix socket's path without its final zero: sun_path in include/uapi/linux/un.h. Node 20 cuts longer ones. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Reply of each path. */
export interface ControlReplies {
  readonly '/v1/status': StatusReply;
  readonly '/v1/peers': PeersReply;
  readonly '/v1/routes': RoutesReply;
  readonly '/v1/stats': StatsReply;
}

export type ControlPath = keyof ControlReplies;

/** `starting` until the first obstacle, `waiting` while one lasts, `ready` when packets flow, `stopping` after SIGTERM. */
export type DaemonState = 'starting' | 'waiting' | 'ready' | 'stopping';

export interface StatusReply {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly state: DaemonState;
  /** Set in state `waiting` only. */
  readonly waitingFor: WaitReason | null;
  /** Things that need a human, each one sentence: two nodes with one PublicIP, ... Empty is good. */
  readonly alarms: readonly string[];
  readonly network: NetworkStatus | null;
  readonly lease: LeaseStatus | null;
  readonly external: ExternalStatus | null;
  readonly backend: BackendStatus | null;
  readonly etcd: EtcdStatus;
  /** Which path packets take, and why; empty until the backend runs. */
  readonly offloads: readonly OffloadStatus[];
  /** Other nodes with a lease. */
  readonly peers: number;
  readonly subnetFile: string;
  readonly memory: { readonly rssBytes: number };
}

export interface WaitReason {
  /** Stable: STORE_UNREACHABLE, STORE_DENIED, CONFIG_MISSING, CONFIG_INVALID, LEASE_CONTENDED. */
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly since: string;
  readonly attempts: number;
}

export interface NetworkStatus {
  readonly ipv4: string;
  readonly ipv6: string | null;
  readonly subnetLen: number;
  readonly ipv6SubnetLen: number | null;
}

export interface LeaseStatus {
  readonly ipv4: string;
  readonly ipv6: string | null;
  /** reused: found by PublicIP; previous: the one in subnet.env; allocated: new. */
  readonly origin: 'reused' | 'previous' | 'allocated';
  /** null: never (a reservation) or not known. */
  readonly expiresAt: string | null;
}

export interface ExternalStatus {
  readonly name: string;
  readonly mtu: number;
  readonly ipv4: string;
  readonly ipv6: string | null;
  readonly publicIp: string;
  readonly publicIpv6: string | null;
  readonly reason: string;
}

export interface BackendStatus {
  readonly type: string;
  readonly device: string;
  readonly mtu: number;
  /** null for backends without a port. */
  readonly port: number | null;
  readonly sourceCheck: boolean;
}

export interface EtcdStatus {
  readonly endpoint: string;
  readonly prefix: string;
  readonly connected: boolean;
  readonly lastError: string | null;
  /** A decimal int64, hence text. */
  readonly revision: string | null;
  readonly skipped: number;
  readonly watchRestarts: number;
}

export interface PeersReply {
  readonly peers: readonly Peer[];
}

export interface Peer {
  readonly subnet: string;
  readonly ipv6Subnet: string | null;
  readonly publicIp: string;
  readonly publicIpv6: string | null;
  /** As in the lease; '' for udp, which writes none. */
  readonly backendType: string;
  /** null: never (a reservation) or not known, as with etcd, which tells the end of a lease to its holder only. */
  readonly expiresAt: string | null;
  /** null when the data plane keeps no counters for this peer. */
  readonly traffic: PeerTraffic | null;
}

export interface PeerTraffic {
  readonly outboundPackets: number;
  readonly outboundBytes: number;
  readonly inboundPackets: number;
  readonly inboundBytes: number;
}

export interface RoutesReply {
  readonly routes: readonly { readonly prefix: string; readonly via: string; readonly device: string }[];
}

export interface StatsReply extends DataplaneStats {
  /** When the counters were read, so that two replies give rates. */
  readonly at: string;
}

/** Body of every reply that is not 200. */
export interface ErrorReply {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
}
