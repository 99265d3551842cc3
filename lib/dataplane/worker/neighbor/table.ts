/**
 * The neighbour table of one segment: which MAC address an IP address has, and which peer it is behind. From it, ARP and
 * neighbour discovery are answered without asking all peers.
 *
 * Entries from leases are set as a whole and stay. Learned ones age, their number is bounded, and an address may change
 * its MAC address or its peer only now and then: two hosts that both claim it would otherwise make it go to and fro with
 * each of their packets. A lease's address cannot be learned at all.
 *
 * Times are milliseconds of a clock that never goes back, passed in.
 */
import type { Ipv4 } from '../../../addr/ipv4.ts';
import type { Ipv6 } from '../../../addr/ipv6.ts';
import type { Mac } from '../../../addr/mac.ts';

export interface Neighbor {
  readonly mac: Mac;
  /** The peer it is behind. */
  readonly peer: number;
  /** IPv6: whether it forwards, as its own advertisements say. Undefined: none has been seen. */
  readonly router: boolean | undefined;
}

/** One entry as `entries` lists it. */
export interface NeighborRow extends Neighbor {
  readonly address: Ipv4 | Ipv6;
  /** When it was last learned; undefined for leases. */
  readonly learnedAt: number | undefined;
}

/** What became of a claim: 'refused' left the table as it was. */
export type NeighborVerdict = 'new' | 'refreshed' | 'moved' | 'refused';

export interface NeighborTableOptions {
  /** Most learned entries, at least 1; beyond, the one that was learned longest ago goes. */
  readonly capacity?: number;
  /** After so long without word an entry is forgotten. */
  readonly ageingMs?: number;
  /** Between two changes of an address's MAC address or peer. */
  readonly moveIntervalMs?: number;
}

// Our choice: at about 350 bytes an entry, 6 MB at most for a segment.
const CAPACITY = 16_384;
// As the FDB's, which is what the kernel's VXLAN device has.
const AGEING_MS = 300_000;
const MOVE_INTERVAL_MS = 1000;

interface Learned extends Neighbor {
  readonly learnedAt: number;
  /** The last change; when it was new, -Infinity: the first move is free. */
  readonly movedAt: number;
}

export class NeighborTable {
  readonly #capacity: number;
  readonly #ageingMs: number;
  readonly #moveIntervalMs: number;
  #leased: ReadonlyMap<Ipv4 | Ipv6, Neighbor> = new Map();
  /** In the order in which they were last learned, so that the first is the oldest. IPv4 keys are numbers, IPv6 bigints. */
  readonly #learned = new Map<Ipv4 | Ipv6, Learned>();

  constructor(options: NeighborTableOptions = {}) {
    this.#capacity = options.capacity ?? CAPACITY;
    this.#ageingMs = options.ageingMs ?? AGEING_MS;
    this.#moveIntervalMs = options.moveIntervalMs ?? MOVE_INTERVAL_MS;
  }

  /** Replaces all entries from leases. What was learned of their addresses is forgotten. */
  setLeased(leased: ReadonlyMap<Ipv4 | Ipv6, Neighbor>): void {
    this.#leased = leased;
    for (const address of leased.keys()) this.#learned.delete(address);
  }

  /** A packet from `claim.peer` says that `address` has the MAC address `claim.mac`. */
  learn(address: Ipv4 | Ipv6, claim: Neighbor, now: number): NeighborVerdict {
    if (this.#leased.has(address)) return 'refused';
    this.#forgetAged(now);
    const known = this.#learned.get(address);
    if (known === undefined) {
      if (this.#learned.size >= this.#capacity) this.forgetOldest();
      this.#learned.set(address, { ...claim, learnedAt: now, movedAt: Number.NEGATIVE_INFINITY });
      return 'new';
    }
    const same = known.mac === claim.mac && known.peer === claim.peer;
    if (!same && now - known.movedAt < this.#moveIntervalMs) return 'refused';
    const router = claim.router ?? (same ? known.router : undefined);
    this.#learned.delete(address);
    this.#learned.set(address, { ...claim, router, learnedAt: now, movedAt: same ? known.movedAt : now });
    return same ? 'refreshed' : 'moved';
  }

  get(address: Ipv4 | Ipv6, now: number): Neighbor | undefined {
    const leased = this.#leased.get(address);
    if (leased !== undefined) return leased;
    const learned = this.#learned.get(address);
    return learned === undefined || this.#isAged(learned, now) ? undefined : learned;
  }

  /** Learned entries. */
  get learned(): number {
    return this.#learned.size;
  }

  /** Forgets what was learned of an address: a host on this side of the tunnel says that it is its own. */
  forget(address: Ipv4 | Ipv6): void {
    this.#learned.delete(address);
  }

  /** Forgets what was learned from a peer: its lease is gone. */
  forgetPeer(peer: number): void {
    for (const [address, entry] of this.#learned) if (entry.peer === peer) this.#learned.delete(address);
  }

  /** Forgets the entry that was learned longest ago. */
  forgetOldest(): void {
    for (const address of this.#learned.keys()) {
      this.#learned.delete(address);
      return;
    }
  }

  /** Leases first, then what was learned, the oldest first. */
  entries(now: number): NeighborRow[] {
    this.#forgetAged(now);
    return [
      ...Array.from(this.#leased, ([address, entry]) => row(address, entry, undefined)),
      ...Array.from(this.#learned, ([address, entry]) => row(address, entry, entry.learnedAt)),
    ];
  }

  #isAged(entry: Learned, now: number): boolean {
    return now - entry.learnedAt >= this.#ageingMs;
  }

  #forgetAged(now: number): void {
    for (const [address, entry] of this.#learned) {
      if (!this.#isAged(entry, now)) return;
      this.#learned.delete(address);
    }
  }
}

function row(address: Ipv4 | Ipv6, { mac, peer, router }: Neighbor, learnedAt: number | undefined): NeighborRow {
  return { address, mac, peer, router, learnedAt };
}
