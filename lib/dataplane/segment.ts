/**
 * What a backend asks of the data plane, and what it gets. One `Dataplane` (lib/dataplane/main/client.ts) is one forwarding thread with its
 * underlay sockets; each network on it is a segment (RFC 7348's word): an edge device, its peers and its tables.
 *
 *   TUN flannel0 ── segment 1 ─┐                        udp, ipip: one segment
 *   TAP flannel.1 ── segment 1 ┼── thread ── sockets    vxlan: one for each VNI and underlay family
 *   TAP flannel.2 ── segment 2 ┘
 */
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import type { Mac } from '../addr/mac.ts';
import type { Ipv4Prefix, Ipv6Prefix, Prefix } from '../addr/prefix.ts';
import type { DataplaneStats, OffloadName } from './stats.ts';

/** What lies between the outer IP header and the inner packet: UDP; UDP, VXLAN and Ethernet; nothing. */
export type Encapsulation = 'ip-in-udp' | 'vxlan' | 'ipip';

export interface UnderlaySocket {
  readonly fd: number;
  readonly family: 4 | 6;
}

/**
 * The outer DSCP (RFC 2474): the inner packet's, or a fixed one (0 to 63). The two ECN bits always follow RFC 6040 in
 * normal mode: copied from the inner packet on the way out, combined on the way in.
 */
export type TosPolicy = { readonly mode: 'inherit' } | { readonly mode: 'fixed'; readonly dscp: number };

/** Whoever shows packets to those who may see them: it reads the rings of every data plane (lib/dataplane/tap-ring.ts). */
export interface TapRoom {
  /** A data plane has begun; `wake` makes it look at CONFIG_TAP. Returns what is called when it has ended. */
  attach(memory: SharedArrayBuffer, wake: () => void): () => void;
}

export interface DataplaneOptions {
  /** Undefined: nobody looks. */
  readonly tap?: TapRoom | undefined;
  readonly encapsulation: Encapsulation;
  /** Where datagrams arrive. All descriptors stay open until `stop` has resolved; the caller closes them. */
  readonly receive: readonly UnderlaySocket[];
  /** To send from: of each family in use 1, 2, 4, 8 or 16. The hash of the inner flow picks one. May be the receiving ones. */
  readonly send: readonly UnderlaySocket[];
  /** Datagrams per UDP_SEGMENT send; 1 switches it off. */
  readonly maxTrain: number;
  /** False: one packet per system call, `--offload=off`. */
  readonly batching: boolean;
  readonly sourceCheck: boolean;
  readonly tos: TosPolicy;
  onOffloadRefused(offload: OffloadName, reason: string): void;
  /** The thread may not raise its priority (CAP_SYS_NICE); it works, but waits for its turn. */
  onPriorityRefused(reason: string): void;
  /** The thread died, and all segments with it. Not called after `stop`. */
  onEnded(reason: string): void;
}

/** An open TUN or TAP. The descriptor stays open until it is lost, released or detached; the caller closes it. */
export interface SegmentDevice {
  readonly fd: number;
  /** Opened with IFF_VNET_HDR. */
  readonly vnetHeader: boolean;
  /** Of the device. A longer packet from a raw socket was joined by the kernel and is handed on as such. */
  readonly mtu: number;
  /** The device takes joined TCP packets. */
  readonly tunGro: boolean;
  /** The device takes joined UDP datagrams. */
  readonly tunUso: boolean;
}

export interface SegmentOptions {
  /** Number of the network in this daemon, for the tap; 0 where there is none. */
  readonly networkNumber?: number;
  /** Inner destinations inbound packets may have; not looked at on a learning segment. */
  readonly own: { readonly ipv4: Ipv4Prefix | undefined; readonly ipv6: Ipv6Prefix | undefined };
  /** TUN only: sources of ICMP's "time exceeded"; they must be addresses of the device. */
  readonly tunnel4: Ipv4 | undefined;
  readonly tunnel6: Ipv6 | undefined;
  /** Set for a TAP. */
  readonly ethernet: EthernetSegment | undefined;
  /** The device vanished; it is not polled any more. Give the segment a new one with `setDevice`. */
  onDeviceLost(reason: string): void;
  /** Somebody's ICMP error says that packets to `peer` are longer than the path takes. Anybody may have sent it. */
  onPathHint?: ((peer: Ipv4 | Ipv6, mtu: number) => void) | undefined;
}

export interface EthernetSegment {
  /** 1 to 2^24 - 1. */
  readonly vni: number;
  /** Of the underlay: one VNI may be used once over IPv4 and once over IPv6 (flannel.1 and flannel-v6.1). */
  readonly family: 4 | 6;
  /** The device's own MAC address, the VtepMAC of our lease. */
  readonly mac: Mac;
  /** Learn inner MAC addresses, flood BUM frames. Off: only MACs from leases, nothing is flooded. */
  readonly learning: boolean;
}

/** A peer and what is behind it. */
export interface SegmentPeer {
  /** On the underlay: PublicIP, or PublicIPv6. */
  readonly address: Ipv4 | Ipv6;
  /** sockaddr to send to (lib/sys/socket-address.ts). */
  readonly socketAddress: Uint8Array;
  readonly prefixes: readonly Prefix[];
  /** VXLAN: the peer's VtepMAC and the addresses of its device, which ARP and neighbour discovery are answered for. */
  readonly vtep:
    | { readonly mac: Mac; readonly tunnel4: Ipv4 | undefined; readonly tunnel6: Ipv6 | undefined }
    | undefined;
  /** Of a TUN: addresses of the peer's device, the bases of its subnets. A VXLAN peer's are in `vtep`. */
  readonly device?: DeviceAddresses | undefined;
}

interface DeviceAddresses {
  readonly ipv4: Ipv4 | undefined;
  readonly ipv6: Ipv6 | undefined;
}

/** An answer to a probe. */
export interface ProbeAnswer {
  readonly peer: Ipv4 | Ipv6;
  /** What `probe` returned. */
  readonly sequence: number;
  /** From the send to the turn in which the answer came. */
  readonly rttMs: number;
  /** The answer was shorter than the probe: its size says nothing about the way back. */
  readonly short: boolean;
}

/** Echoes to the devices of peers, past our own device: docs/adr/0027. `peer` is always its underlay address. */
export interface SegmentProbes {
  /**
   * Sends an echo whose outer packet has `pathSize` bytes and DF, by default the smallest. Returns its number, 16 bits;
   * undefined where there is no such peer, no thread or no room, or the size fits no packet.
   */
  probe(peer: Ipv4 | Ipv6, pathSize?: number): number | undefined;
  /** Those that came since the last call. */
  probeAnswers(): readonly ProbeAnswer[];
  /** Bytes of the largest outer packet that our own interface takes. */
  largestPath(): number | undefined;
  /**
   * The largest outer packet that the path to a peer carries; undefined: what our interface takes. What is longer is
   * answered with "fragmentation needed", or sent so that it may be fragmented. Holds until it is changed.
   */
  limitPath(peer: Ipv4 | Ipv6, mtu: number | undefined): void;
  /** Packets and probes that came from a peer; undefined where there is none. Only its changes mean something. */
  heardFrom(peer: Ipv4 | Ipv6): number | undefined;
}

/** One forwarding thread with its sockets. lib/dataplane/main/client.ts is one of a worker and WebAssembly. */
export interface Dataplane {
  /** Throws WeftError TOO_MANY_SEGMENTS, SEGMENT_EXISTS (one VNI twice over one family). */
  addSegment(options: SegmentOptions): Segment;
  /** Ends the thread between two turns. */
  stop(): Promise<void>;
}

export interface Segment extends SegmentProbes {
  /** Begins to forward between this device and the underlay. Needed once, and again after onDeviceLost. */
  setDevice(device: SegmentDevice): void;
  /** Stops using the device. Resolves when the thread does not touch it any more; the caller closes it then, and sets another. */
  releaseDevice(): Promise<void>;
  /**
   * Replaces all peers; calls in between are merged into the last. Resolves when the thread uses them, within milliseconds,
   * with the prefixes that found no room. Called by lib/engine/engine.ts alone, on the main thread.
   */
  setPeers(peers: readonly SegmentPeer[]): Promise<readonly Prefix[]>;
  /** Of this segment; datagrams that belong to none (an unknown VNI, no VXLAN header) are counted with each. */
  stats(): DataplaneStats;
  /** VXLAN only, else empty. */
  fdb(): readonly FdbEntry[];
  /** What is answered locally: VTEPs from leases, and what was learned from ARP and neighbour discovery. */
  neighbors(): Promise<readonly NeighborEntry[]>;
  /** Stops forwarding. Resolves when the thread does not touch the device any more; the caller closes it then. */
  detach(): Promise<void>;
}

/** One line of `weft fdb`. */
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

/** One line of `weft neigh`. */
export interface NeighborEntry {
  readonly address: string;
  readonly mac: string;
  readonly vtep: string;
  readonly origin: 'lease' | 'learned';
  readonly ageSeconds: number | null;
}
