/** The leases one knows of, kept from complete lists and from changes. */
import type { Lease, SubnetPair } from './lease.ts';
import { encodeLeaseAttrs } from './lease-attrs.ts';
import { formatSubnetKey } from './subnet-key.ts';

export type LeaseEvent =
  | { readonly type: 'put'; readonly lease: Lease }
  | { readonly type: 'delete'; readonly subnets: SubnetPair };

export interface LeaseDiff {
  readonly added: readonly Lease[];
  /** As they are now. Only attributes count: every renewal moves the expiry time. */
  readonly changed: readonly Lease[];
  readonly removed: readonly Lease[];
}

export class LeaseSet {
  #leases = new Map<string, Lease>();

  /** In the order in which they were first put. */
  list(): Lease[] {
    return [...this.#leases.values()];
  }

  get(subnets: SubnetPair): Lease | undefined {
    return this.#leases.get(formatSubnetKey(subnets));
  }

  apply(event: LeaseEvent): void {
    if (event.type === 'put') this.#leases.set(formatSubnetKey(event.lease.subnets), event.lease);
    else this.#leases.delete(formatSubnetKey(event.subnets));
  }

  /** Takes a complete list: whatever is not in it is gone. Returns what that changed. */
  replace(leases: readonly Lease[]): LeaseDiff {
    const before = this.#leases;
    this.#leases = new Map(leases.map((lease) => [formatSubnetKey(lease.subnets), lease]));
    const added: Lease[] = [];
    const changed: Lease[] = [];
    for (const [key, lease] of this.#leases) {
      const was = before.get(key);
      if (was === undefined) added.push(lease);
      else if (encodeLeaseAttrs(was.attrs) !== encodeLeaseAttrs(lease.attrs)) changed.push(lease);
    }
    const removed = [...before].filter(([key]) => !this.#leases.has(key)).map(([, lease]) => lease);
    return { added, changed, removed };
  }
}
