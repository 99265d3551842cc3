import type { IpAddress } from '../addr/ip.ts';
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import type { Mac } from '../addr/mac.ts';
import type { FdbEntry, NeighborEntry, SegmentProbes, TapRoom, TosPolicy } from '../dataplane/segment.ts';
import type { DataplaneStats, OffloadStatus } from '../dataplane/stats.ts';
import type { OffloadSwitches } from '../engine/offloads.ts';
import type { SharedEngines } from '../engine/shared-engines.ts';
import type { FaultSink } from '../faults.ts';
import type { Lease, SubnetPair } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { Log } from '../log.ts';

/** The external interface: the NIC of the underlay that the daemon chose, and why. */
export interface ExternalInterface {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6 | undefined;
  /** What goes into the lease; equals `ipv4` unless --public-ip says otherwise. */
  readonly publicIp: Ipv4;
  readonly publicIpv6: Ipv6 | undefined;
  /** One sentence for log and status: "first default route", "--iface=eth1". */
  readonly reason: string;
}

export interface BackendOptions {
  /** Of the network, unique in this daemon; '' for the only one of a daemon without --network. */
  readonly network: string;
  /** Its number in this daemon, from 1 on. */
  readonly networkNumber?: number;
  /** Who shows packets to those who may see them; undefined: nobody. */
  readonly tap?: TapRoom | undefined;
  /** Network namespace (a path, "/run/netns/blue") for device, neighbours and routes; undefined: the daemon's own. */
  readonly netns: string | undefined;
  readonly config: NetworkConfig;
  readonly external: ExternalInterface;
  readonly own: SubnetPair;
  /** What this host had before, when its subnet file was last written; undefined where nothing is known. */
  readonly earlier?: SubnetPair | undefined;
  readonly offload: OffloadSwitches;
  readonly sourceCheck: boolean;
  readonly tos: TosPolicy;
  /** The saved MAC address for a VTEP device of this network; the same at every start. */
  readonly vtepMac: (device: string) => Mac;
  /** Data planes that networks of one daemon share. */
  readonly engines: SharedEngines;
  /** Where device, underlay and tables say what keeps packets from passing. */
  readonly faults: FaultSink;
  /** For what cannot be mended in place: the backend is stopped and started anew, with what the host is like by then. */
  readonly startOver: (reason: string) => void;
  readonly log: Log;
}

/** A running way to carry packets: it owns its device, socket and data-plane threads. */
export interface Backend {
  /** 'udp', 'vxlan', ... */
  readonly type: string;
  /** The device in this host, for example "flannel0"; for host-gw the external interface. */
  readonly deviceName: string;
  /** MTU of the device and of FLANNEL_MTU. */
  readonly overlayMtu: number;
  /** UDP port in use; undefined where there is none (host-gw, alloc, ipip). */
  readonly port: number | undefined;
  /** This node's VTEPs, of each family that there is; undefined but for vxlan. */
  readonly vteps?:
    | {
        readonly vni: number;
        readonly mac: Mac | undefined;
        readonly mac6: Mac | undefined;
        /** MAC addresses are learned: what is inside is the users' own affair. */
        readonly learning: boolean;
      }
    | undefined;
  /** Replaces all routes to peers. `leases` may hold the own lease; it is left out. Takes effect within milliseconds. */
  setLeases(leases: readonly Lease[]): void;
  /** Leases that were not made routes, and why. */
  refusedLeases(): readonly RefusedLease[];
  offloads(): readonly OffloadStatus[];
  stats(): DataplaneStats;
  routes(): readonly BackendRoute[];
  /** The ways that packets take to peers by one of our devices. None for a backend without devices. */
  ways(): readonly PeerWay[];
  /** Called when an ICMP error says that the path to `peer` carries only `mtu` bytes; anybody may have sent it. */
  onPathHint: ((peer: IpAddress, mtu: number) => void) | undefined;
  /** MAC addresses and the VTEPs they are behind; empty but for vxlan. */
  fdb(): readonly FdbEntry[];
  /** Addresses that are answered locally (ARP, neighbour discovery); empty but for vxlan. */
  neighbors(): Promise<readonly NeighborEntry[]>;
  /** Stops the threads and removes the device and its routes. Resolves within 100 ms in normal operation. */
  stop(): Promise<void>;
}

/** A peer behind one of our devices. */
export interface PeerWay {
  /** On the underlay. */
  readonly address: IpAddress;
  /** "flannel.1" */
  readonly device: string;
  /** The kernel sends to it without us (DirectRouting): what the device would do is not what happens. */
  readonly direct: boolean;
  readonly probes: SegmentProbes;
  /** What probing has found the path to carry, outer headers included; undefined: no less than our interface. */
  limit(mtu: number | undefined): void;
}

/** A lease that was not made routes. */
export interface RefusedLease {
  /** "10.244.7.0/24"; the IPv6 subnet where only that part of a lease is not used. */
  readonly subnet: string;
  readonly publicIp: string;
  readonly reason: string;
}

/** One line of `weft routes`. */
export interface BackendRoute {
  /** "10.244.99.0/24" */
  readonly prefix: string;
  /** The peer's PublicIP. */
  readonly via: string;
  readonly device: string;
}
