import type { Lease, LeaseAttrs, SubnetPair } from '../lease/lease.ts';
import type { LeaseEvent } from '../lease/lease-set.ts';
import type { NetworkConfig } from '../lease/network-config.ts';

/**
 * What a daemon asks of the place where leases live. Every method rejects with a WeftError whose code is stable. Besides
 * those named below: STORE_REFUSED (the store understood and said no, for example because it is full) and STORE_CLOSED.
 */
export interface LeaseStore {
  /**
   * Reads and parses the network configuration once.
   * Codes: CONFIG_MISSING (no such key), CONFIG_INVALID (does not parse; the message says where), STORE_UNREACHABLE,
   * STORE_DENIED (authentication, permission or TLS).
   */
  networkConfig(): Promise<NetworkConfig>;

  /** All leases there are now, the own one included; what does not parse is skipped. Codes: STORE_UNREACHABLE, STORE_DENIED. */
  leases(): Promise<readonly VersionedLease[]>;

  /**
   * Takes this node's lease: the one that already carries its PublicIP, or has the version that it wrote last, if it fits the configuration, else `previous` if
   * nobody overlaps it and it fits, else a random one of the first 100 free subnets. Every write is a compare-and-swap;
   * a lost race is tried again with a new pick. The store then keeps the lease by itself, until it is closed or the lease is
   * lost: it renews it and, while there is a watch, writes it again when its key is gone; a reservation (a key that never
   * expires) is taken as it is. Codes: as above, and OUT_OF_SUBNETS, LEASE_CONTENDED.
   */
  acquire(request: AcquireRequest): Promise<OwnLease>;

  /**
   * Follows all leases, the own one included, until `close`. Survives restarts, compaction and hung servers by itself.
   * Never withdraws a lease because the store is unreachable, nor because its value can no longer be read: then the last
   * readable one stays until the key goes. The watch keeps the set of leases; a listener has no need of one.
   */
  watch(listener: LeaseListener): LeaseWatch;

  /** The state of the connection, for `weft status`. */
  health(): StoreHealth;

  /** Ends all watches and connections. The own lease stays, as flanneld leaves it. */
  close(): Promise<void>;
}

/** `version`: another after each write of the lease, whoever writes it; unique among all stores and leases. */
export interface VersionedLease extends Lease {
  readonly version: string;
}

export interface AcquireRequest {
  readonly config: NetworkConfig;
  readonly attrs: LeaseAttrs;
  /** The subnet this node held before (from subnet.env), if known. */
  readonly previous: SubnetPair | undefined;
  /**
   * Gets ready whatever of this host may fail, before anything is written: what it rejects with ends the acquisition, and the
   * store is as it was. Called again if other subnets have to be taken after all.
   */
  readonly prepare?: (subnets: SubnetPair) => Promise<void>;
  /** The version of its lease that this node wrote last: a lease that still has it is this node's, whatever its PublicIP. */
  readonly written?: string | undefined;
  /** Told the version after each write, the first one included. */
  readonly onWritten?: (version: string) => void;
  /** Told what becomes of the lease afterwards, perhaps the same thing twice. */
  readonly onCondition?: (condition: OwnLeaseCondition) => void;
}

/** How the lease that was acquired is now. */
export type OwnLeaseCondition =
  | { readonly kind: 'held' }
  /** Its key is gone, and is being written again. `obstacle`: why that does not work yet. */
  | { readonly kind: 'gone'; readonly obstacle: string | undefined }
  /** Its key has another node's value; the store writes nothing, and waits a while for it to be given back. */
  | { readonly kind: 'taken'; readonly by: LeaseAttrs }
  /** Another machine with our PublicIP has written it; the store writes nothing before the next renewal. */
  | { readonly kind: 'shared' }
  /** Given up: the store keeps it no longer. `to`: who has the subnet; undefined when the configuration has no place for it. */
  | { readonly kind: 'lost'; readonly to: LeaseAttrs | undefined };

/** The lease of this node, as it was written. */
export interface OwnLease {
  readonly lease: Lease;
  /** How it was obtained, for the log. */
  readonly origin: 'reused' | 'previous' | 'allocated';
}

export interface LeaseListener {
  /** After the first list and every further one, be it without a change, and after changes: those of one write together. */
  onLeases(event: LeaseEvent): void;
}

export interface LeaseWatch {
  /** Resolves when the first list has been delivered. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export interface StoreHealth {
  readonly endpoint: string;
  readonly connected: boolean;
  /** The last error while not connected, in the store's own words. */
  readonly lastError: string | undefined;
  /** The last revision applied by the watch; undefined before the first list. */
  readonly revision: string | undefined;
  /** Keys and values that did not parse and were skipped; each version of a key counts once. */
  readonly skipped: number;
  readonly watchRestarts: number;
  /** Unix time in ms when the own lease ends unless it is renewed; undefined before `acquire` and for a reservation. */
  readonly leaseExpiresAtMs: number | undefined;
}
