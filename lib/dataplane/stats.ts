import type { Counts } from './counters.ts';

export interface PeerStats {
  readonly publicIp: string;
  readonly outboundPackets: number;
  readonly outboundBytes: number;
  readonly inboundPackets: number;
  readonly inboundBytes: number;
}

/** Of a segment: its counters (counters.ts) and those of its peers. */
export interface DataplaneStats extends Counts {
  /** Keyed by PublicIP text. */
  readonly peers: readonly PeerStats[];
}

export type OffloadName = 'tun-tso' | 'tun-uso' | 'tun-gro' | 'udp-gso' | 'udp-gro';

/** Which path is in use and why. */
export interface OffloadStatus {
  readonly name: OffloadName;
  readonly active: boolean;
  /** "in use", "switched off by --tun-gro=false", "TUNSETOFFLOAD refused USO: EINVAL", ... */
  readonly reason: string;
}
