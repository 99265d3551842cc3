/**
 * The daemon's local API: HTTP/1.1 over a unix socket, `GET /v1/<name>`, JSON replies. These types are the contract between
 * weftd, the weft command and all others who read the socket: keys are never renamed or removed within /v1, absent values are
 * null, times are ISO 8601 in UTC, addresses and prefixes are text. v1.schema.json says the same as a JSON Schema, which
 * tests hold replies against. The types are the room's own: lib/daemon/replies.ts is where the daemon's must fit them.
 */

export const DEFAULT_CONTROL_SOCKET = '/run/weft/weft.sock';

/** Bytes of a unix socket's path without its final zero: sun_path in include/uapi/linux/un.h. Node 20 cuts longer ones. */
export const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Reply of each path. All take `?network=<name>`, which chooses one of several networks; without it the first one is meant.
 * A name that there is not is answered 404, UNKNOWN_NETWORK.
 */
export interface ControlReplies {
  readonly '/v1/status': StatusReply;
  readonly '/v1/peers': PeersReply;
  readonly '/v1/routes': RoutesReply;
  readonly '/v1/stats': StatsReply;
  readonly '/v1/fdb': FdbReply;
  readonly '/v1/neigh': NeighReply;
}

export type ControlPath = keyof ControlReplies;

/**
 * `starting` until the first obstacle, `waiting` while one lasts, `ready` while packets can pass, `stopping` after SIGTERM.
 * `degraded`: it was ready, and something on this node or in the store keeps packets from passing; the first alarm says what.
 * `failed`: it cannot run as things are, and is tried again now and then; the only network of a daemon ends it instead, unless it
 * was ready before.
 */
export type DaemonState = 'starting' | 'waiting' | 'ready' | 'degraded' | 'failed' | 'stopping';

/** How one network is. */
export interface NetworkCondition {
  readonly state: DaemonState;
  /** Set in the states `waiting` and `failed` only. */
  readonly waitingFor: WaitReason | null;
  /** Things that need a human, each one sentence: two nodes with one PublicIP, ... Empty is good. */
  readonly alarms: readonly string[];
  readonly network: NetworkStatus | null;
  readonly lease: LeaseStatus | null;
  readonly external: ExternalStatus | null;
  readonly backend: BackendStatus | null;
  readonly store: StoreStatus;
  /** The older name of `store`, with the same values; without `kind`. */
  readonly etcd: Omit<StoreStatus, 'kind'>;
  /** Which path packets take, and why; empty until the backend runs, and for those without a data plane. */
  readonly offloads: readonly OffloadStatus[];
  /** Other nodes with a lease that is used. */
  readonly peers: number;
  readonly subnetFile: string;
}

/** One of the daemon's networks. */
export interface NetworkReport extends NetworkCondition {
  /** '' for the only network of a daemon without --network. */
  readonly name: string;
  /** The older name of `store.prefix`. */
  readonly etcdPrefix: string;
  /** File of the network namespace that its devices, neighbours and routes are in; null: the daemon's own. */
  readonly netns: string | null;
}

/** The process, the condition of the first or the chosen network, and all networks. */
export interface StatusReply extends NetworkCondition {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly memory: { readonly rssBytes: number };
  readonly tap: TapStatus;
  /** In the order of the command line. */
  readonly networks: readonly NetworkReport[];
}

/** Who looks at packets (docs/adr/0025). */
interface TapStatus {
  /** Path of its socket; null: there is none. */
  readonly socket: string | null;
  readonly readers: readonly TapReaderStatus[];
}

export interface TapReaderStatus {
  readonly pid: number;
  readonly uid: number;
  readonly since: string;
  /** Of which network; null: of all. */
  readonly network: string | null;
  /** One of so many forwarded packets. */
  readonly sample: number;
  /** Bytes of each packet. */
  readonly snapLength: number;
  readonly droppedOnly: boolean;
  /** Records it was sent, and those it lost; as of the last second. */
  readonly sent: number;
  readonly lost: number;
}

export interface WaitReason {
  /**
   * Stable. waiting: STORE_UNREACHABLE, STORE_DENIED, STORE_REFUSED, CONFIG_MISSING, CONFIG_INVALID, LEASE_CONTENDED.
   * failed: whatever ends a daemon of one network.
   */
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
  /** Of vxlan; null for all others. */
  readonly vni: number | null;
  /** "a2:45:fd:39:e2:4c", of this node's VTEP; null for all but vxlan. */
  readonly vtepMac: string | null;
  /** Of its VTEP for IPv6, in dual stack. */
  readonly vtepMacV6: string | null;
  /** Whether a vxlan network learns MAC addresses (a Layer 2 segment); null for all other backends. */
  readonly learning: boolean | null;
}

/** Where configuration and leases are. */
export interface StoreStatus {
  readonly kind: 'etcd';
  readonly endpoint: string;
  readonly prefix: string;
  readonly connected: boolean;
  readonly lastError: string | null;
  /** A decimal int64, hence text. */
  readonly revision: string | null;
  readonly skipped: number;
  readonly watchRestarts: number;
}

export interface OffloadStatus {
  readonly name: 'tun-tso' | 'tun-uso' | 'tun-gro' | 'udp-gso' | 'udp-gro';
  readonly active: boolean;
  /** "in use", "switched off by --tun-gro=false", "TUNSETOFFLOAD refused USO: EINVAL", ... */
  readonly reason: string;
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
  /**
   * Of a peer that is leaving: when that ends. null: never (a reservation) or not known, as in etcd, which gives the end of a
   * lease to its holder only.
   */
  readonly expiresAt: string | null;
  /** Its key is gone from the store. It stays in force until it is written again, its subnet is leased to another, or `expiresAt`. */
  readonly leaving: boolean;
  /** null when the data plane keeps no counters for this peer. */
  readonly traffic: PeerTraffic | null;
  /**
   * Why this lease is not used, "ignored: its backend type is vxlan, ours is udp", or why a part of it is not,
   * "IPv6 subnet ignored: ..."; or "leaving: ...". null: all is well.
   */
  readonly note: string | null;
  /** As in the lease; null where it has none, or one that is no number. */
  readonly vni: number | null;
  /** Of the peer's VTEPs, as in the lease; null where it has none, or none that is a MAC address. */
  readonly vtepMac: string | null;
  readonly vtepMacV6: string | null;
  /** What the peer monitor knows of it; null while it has not asked, or is off. */
  readonly health: PeerHealth | null;
}

export interface PeerHealth {
  /** Whether it is asked through the tunnel, or on the underlay because no tunnel leads there. */
  readonly over: 'overlay' | 'underlay';
  /** Round-trip time of the last answer. */
  readonly rttMs: number | null;
  /** Of the last `probes` probes: the part without an answer, 0 to 1; null before the first. */
  readonly loss: number | null;
  readonly probes: number;
  /** When the last packet or answer came from it, as far as the monitor has seen. */
  readonly lastSeen: string | null;
  /** Bytes of the largest outer packet that passes, as probing has found; null: not known. */
  readonly pathMtu: number | null;
  /** Which way that is of: 'outbound', to the peer; 'either', for its answers are as large, and may be what does not pass. */
  readonly pathMtuDirection: 'outbound' | 'either' | null;
  /** The same on the underlay; null where it was not asked, which is only done when the tunnel is silent. */
  readonly underlayRttMs: number | null;
}

/** Whether no packet goes to this peer. */
export function isIgnored({ note }: Peer): boolean {
  return note?.startsWith('ignored: ') === true;
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

/** Counters since the daemon started; docs/operations.md explains each. */
export interface StatsReply {
  /** When the counters were read, so that two replies give rates. */
  readonly at: string;
  readonly outbound: DirectionCounters;
  readonly inbound: DirectionCounters;
  /** Packets of each drop reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** On a learning VXLAN segment; zeros elsewhere. */
  readonly bridge: {
    readonly flooded: number;
    readonly answered: number;
    readonly refusedMoves: number;
    readonly shutOut: number;
  };
  readonly icmp: { readonly sent: number; readonly rateLimited: number };
  /** Packets recorded for readers of the tap, and those that were not for want of room. */
  readonly tap: { readonly records: number; readonly lost: number };
  /** Of the peer monitor: they are in no other counter. */
  readonly probes: { readonly sent: number; readonly answered: number; readonly received: number };
  /** Each address of a peer. */
  readonly peers: readonly (PeerTraffic & { readonly publicIp: string })[];
  readonly socketOverflow: number;
  /** What the data plane's time goes into, measured in some of its rounds; null without a data plane. */
  readonly stages: StagesReply | null;
}

/** Of a data plane, which networks of one port share. */
export interface StagesReply {
  readonly asleep: StageReply;
  readonly outbound: {
    readonly wake: StageReply;
    readonly read: StageReply;
    readonly code: StageReply;
    readonly send: StageReply;
    readonly frames: StageReply;
  };
  readonly inbound: {
    readonly wake: StageReply;
    readonly receive: StageReply;
    readonly code: StageReply;
    readonly write: StageReply;
    readonly messages: StageReply;
  };
}

/** Nanoseconds of a turn; of `frames` and `messages`, how many. */
export interface StageReply {
  /** Turns that were measured, and the inner packets they moved; 0 where it is not a matter of packets. */
  readonly turns: number;
  readonly packets: number;
  readonly sum: number;
  /** buckets[k]: how many were from 2^k to below 2^(k+1); 0 and 1 are in the first. */
  readonly buckets: readonly number[];
}

interface DirectionCounters {
  readonly received: number;
  readonly forwarded: number;
  readonly forwardedBytes: number;
  readonly reads: number;
  readonly writes: number;
}

export interface FdbReply {
  /** Empty but for vxlan. */
  readonly fdb: readonly FdbEntry[];
}

export interface FdbEntry {
  /** "02:42:0a:f4:01:02" */
  readonly mac: string;
  /** The VTEP's underlay address. */
  readonly vtep: string;
  readonly origin: 'lease' | 'learned';
  /** Since the last frame from it; null for leases. */
  readonly ageSeconds: number | null;
  /** How often the address changed its VTEP, and how often that was refused: too soon after the last. Both stop at 65,535. */
  readonly moves: number;
  readonly refusedMoves: number;
}

export interface NeighReply {
  /** Empty but for vxlan. */
  readonly neighbors: readonly NeighborEntry[];
}

interface NeighborEntry {
  readonly address: string;
  readonly mac: string;
  readonly vtep: string;
  readonly origin: 'lease' | 'learned';
  readonly ageSeconds: number | null;
}

/** Body of every reply that is not 200. */
export interface ErrorReply {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
}
