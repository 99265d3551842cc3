import type { Counts } from './counters.ts';
import type { Stages } from './stages.ts';

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
  /** Of its data plane, which networks of one port share; undefined where there is none. */
  readonly stages: Stages | undefined;
}

export type OffloadName = 'tun-tso' | 'tun-uso' | 'tun-gro' | 'udp-gso' | 'udp-gro';

/** Which path is in use and why. */
export interface OffloadStatus {
  readonly name: OffloadName;
  readonly active: boolean;
  /** "in use", "switched off by --tun-gro=false", "TUNSETOFFLOAD refused USO: EINVAL", ... */
  readonly reason: string;
}
