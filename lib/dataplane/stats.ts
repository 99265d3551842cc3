import type { DropReason } from './drop.ts';

/** Counters of one direction. Packets are inner packets as they are on the wire: a super-packet counts once per segment. */
export interface DirectionStats {
  /** Packets taken from the device (outbound) or datagrams taken from the socket (inbound). */
  readonly received: number;
  /** Packets handed to the kernel. received = forwarded + the drops of this direction. */
  readonly forwarded: number;
  readonly forwardedBytes: number;
  /** Successful read(2)/recvmmsg(2) messages and send/write calls: received / reads is what batching and offloads buy. */
  readonly reads: number;
  readonly writes: number;
}

export interface PeerStats {
  readonly publicIp: string;
  readonly outboundPackets: number;
  readonly outboundBytes: number;
  readonly inboundPackets: number;
  readonly inboundBytes: number;
}

export interface BridgeStats {
  /** Frames that went to all peers: broadcast, multicast, unknown unicast. Each copy counts as a packet of its own. */
  readonly flooded: number;
  /** ARP requests and neighbour solicitations that were answered here instead; they count nowhere else. */
  readonly answered: number;
  /** Claims of a MAC address by another VTEP, too soon after the last. */
  readonly refusedMoves: number;
  /**
   * How often a sender beyond its limit was shut out for a second. What the kernel drops meanwhile is in the device's own
   * counter (`ip -s link`, TX dropped), not here.
   */
  readonly shutOut: number;
}

export interface DataplaneStats {
  readonly outbound: DirectionStats;
  readonly inbound: DirectionStats;
  readonly drops: Readonly<Record<DropReason, number>>;
  /** On a learning VXLAN segment; zeros elsewhere. */
  readonly bridge: BridgeStats;
  readonly icmp: { readonly sent: number; readonly rateLimited: number };
  /** Keyed by PublicIP text. */
  readonly peers: readonly PeerStats[];
  /** Datagrams the kernel dropped because our socket's buffer was full (SO_RXQ_OVFL). */
  readonly socketOverflow: number;
}

export type OffloadName = 'tun-tso' | 'tun-uso' | 'tun-gro' | 'udp-gso' | 'udp-gro';

/** Which path is in use and why. */
export interface OffloadStatus {
  readonly name: OffloadName;
  readonly active: boolean;
  /** "in use", "switched off by --tun-gro=false", "TUNSETOFFLOAD refused USO: EINVAL", ... */
  readonly reason: string;
}
