/**
 * The leases of a network as a store shows them: the one place that decides what a complete list, or a change, makes of
 * those known before.
 *
 *   store ── complete list, changes ──> LeaseSet ── LeaseEvent ──> listener
 *
 * Each watch of a store owns one set. Nobody else keeps one: the list of an event never changes, and is passed on by reference.
 */
import type { Lease, SubnetPair } from './lease.ts';
import { encodeLeaseAttrs } from './lease-attrs.ts';
import { formatSubnetKey } from './subnet-key.ts';

/** A change as the store made it. */
export type StoredChange =
  | { readonly type: 'put'; readonly lease: Lease }
  | { readonly type: 'delete'; readonly subnets: SubnetPair };

/** What became of one lease. `previous`: as it was before; undefined for a new one. */
export type LeaseChange =
  | { readonly type: 'put'; readonly lease: Lease; readonly previous: Lease | undefined }
  | { readonly type: 'delete'; readonly previous: Lease };

export interface LeaseEvent {
  /** All leases there are now: in the order of the last complete list, then in that in which they came. */
  readonly leases: readonly Lease[];
  /** How they came about from those of the event before. */
  readonly changes: readonly LeaseChange[];
  /**
   * True: from a complete list, so that what was missing in it is gone; only leases whose attributes differ are changes, as
   * every renewal moves the expiry time. False: the store's own changes, in its order, those that only renew a lease too.
   */
  readonly complete: boolean;
}

export class LeaseSet {
  #leases = new Map<string, Lease>();
  /** Those of the last event. */
  #list: readonly Lease[] = [];

  get(subnets: SubnetPair): Lease | undefined {
    return this.#leases.get(formatSubnetKey(subnets));
  }

  /** Takes a complete list: whatever is not in it is gone. Changes: new leases, then different ones, then those gone. */
  replace(leases: readonly Lease[]): LeaseEvent {
    const before = this.#leases;
    this.#leases = new Map(leases.map((lease) => [formatSubnetKey(lease.subnets), lease]));
    const added: LeaseChange[] = [];
    const changed: LeaseChange[] = [];
    const removed: LeaseChange[] = [];
    for (const [key, lease] of this.#leases) {
      const previous = before.get(key);
      if (previous === undefined) added.push({ type: 'put', lease, previous });
      else if (encodeLeaseAttrs(previous.attrs) !== encodeLeaseAttrs(lease.attrs))
        changed.push({ type: 'put', lease, previous });
    }
    for (const [key, previous] of before) if (!this.#leases.has(key)) removed.push({ type: 'delete', previous });
    return this.#event([...added, ...changed, ...removed], true);
  }

  /** Takes changes in the store's order. The deletion of a lease that is not known changes nothing. */
  apply(stored: readonly StoredChange[]): LeaseEvent {
    const changes: LeaseChange[] = [];
    for (const change of stored) {
      const key = formatSubnetKey(change.type === 'put' ? change.lease.subnets : change.subnets);
      const previous = this.#leases.get(key);
      if (change.type === 'put') {
        this.#leases.set(key, change.lease);
        changes.push({ ...change, previous });
      } else if (previous !== undefined) {
        this.#leases.delete(key);
        changes.push({ type: 'delete', previous });
      }
    }
    return this.#event(changes, false);
  }

  #event(changes: readonly LeaseChange[], complete: boolean): LeaseEvent {
    if (complete || changes.length > 0) this.#list = [...this.#leases.values()];
    return { leases: this.#list, changes, complete };
  }
}
