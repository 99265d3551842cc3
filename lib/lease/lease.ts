import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import type { Ipv4Prefix, Ipv6Prefix } from '../addr/prefix.ts';

/** A node's subnets: IPv4 always (flannel cannot do without it in etcd), IPv6 in a dual-stack network. */
export interface SubnetPair {
  readonly ipv4: Ipv4Prefix;
  readonly ipv6: Ipv6Prefix | undefined;
}

/** The value of a lease key. flannel pkg/lease/lease.go, LeaseAttrs. */
export interface LeaseAttrs {
  readonly publicIp: Ipv4;
  readonly publicIpv6: Ipv6 | undefined;
  /** '' for udp and alloc, which write none. */
  readonly backendType: string;
  /** Kept as parsed JSON; each backend reads its own. */
  readonly backendData: unknown;
  readonly backendV6Data: unknown;
}

/** A lease as read from, or written to, the store. */
export interface Lease {
  readonly subnets: SubnetPair;
  readonly attrs: LeaseAttrs;
  /** Unix time in ms when the store will drop it; undefined when not known or never (a reservation). */
  readonly expiresAtMs: number | undefined;
}

/** A lease with what only the store knows of its key. */
export interface StoredLease extends Lease {
  /** When the key was made, in the store's own count (etcd's create_revision): of two leases that contradict each other the older counts. */
  readonly createRevision: bigint;
  /** The key never expires: an operator reserved the subnet. */
  readonly reserved: boolean;
}

/** A lease in force. */
export interface KnownLease extends StoredLease {
  /**
   * Its key is gone, it is *leaving*: when it ends, monotonic, in ms; Infinity: only when its subnet is leased to somebody.
   * undefined: its key is there.
   */
  readonly leavesAtMs: number | undefined;
}
