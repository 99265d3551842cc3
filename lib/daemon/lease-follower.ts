/** Keeps the backend's routes equal to the leases in the store, however fast they change. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix } from '../addr/prefix.ts';
import type { FaultSink } from '../faults.ts';
import type { Loss } from '../lease/departure.ts';
import type { KnownLease, Lease, SubnetPair } from '../lease/lease.ts';
import type { LeaseChange, LeaseEvent } from '../lease/lease-set.ts';
import { formatSubnetKey } from '../lease/subnet-key.ts';
import type { Log } from '../log.ts';
import type { LeaseListener } from '../store/store.ts';
import { duplicateFaults, lossFaults, nestedFaults } from './lease-faults.ts';

export interface LeaseFollowerOptions {
  readonly own: SubnetPair;
  readonly publicIp: Ipv4;
  readonly log: Log;
  readonly faults: FaultSink;
  /** Called with all leases, the own one included. */
  readonly apply: (leases: readonly Lease[]) => void;
  /** The first change is applied at once, those of the next `intervalMs` together. */
  readonly intervalMs: number;
}

export class LeaseFollower implements LeaseListener {
  readonly #options: LeaseFollowerOptions;
  readonly #ownKey: string;
  /** Those of the last event. */
  #leases: readonly KnownLease[] = [];
  #loss: Loss | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dirty = false;

  constructor(options: LeaseFollowerOptions) {
    this.#options = options;
    this.#ownKey = formatSubnetKey(options.own);
  }

  /** All leases but the own one. */
  others(): readonly KnownLease[] {
    return this.#leases.filter((lease) => !this.#isOwn(lease));
  }

  onLeases({ leases, changes, complete, loss }: LeaseEvent): void {
    this.#leases = leases;
    this.#loss = loss;
    for (const change of changes) this.#logChange(change, complete);
    // A storm of events must not make the backend build its tables for each of them.
    if (this.#timer === undefined) this.#applyNow();
    else this.#dirty = true;
  }

  /** Applies nothing any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#dirty = false;
  }

  #applyNow(): void {
    this.#dirty = false;
    this.#options.apply(this.#leases);
    this.#options.faults.report('leases', [
      ...lossFaults(this.#loss),
      ...nestedFaults(this.others()),
      ...duplicateFaults(this.others(), this.#options.publicIp),
    ]);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#dirty) this.#applyNow();
    }, this.#options.intervalMs);
  }

  /** Our own lease has been logged when it was acquired; what is wrong with it is an alarm. */
  #logChange(change: LeaseChange, complete: boolean): void {
    const { log } = this.#options;
    const lease = change.type === 'delete' ? change.previous : change.lease;
    const own = this.#isOwn(lease);
    if (change.type === 'delete') {
      if (!own) log.info(describe(lease), 'Lease gone');
    } else if (change.type === 'leave') log.info(describe(lease), 'Lease leaving: its key is gone');
    else if (change.previous?.leavesAtMs !== undefined) log.info(describe(lease), 'Lease back');
    else if (!complete && change.previous !== undefined) log.debug(describe(lease), 'Lease written again');
    else if (!own) log.info(describe(lease), 'Lease seen');
  }

  #isOwn({ subnets }: Lease): boolean {
    return formatSubnetKey(subnets) === this.#ownKey;
  }
}

function describe({ subnets, attrs }: Lease): object {
  return { subnet: formatPrefix(subnets.ipv4), publicIp: formatIpv4(attrs.publicIp) };
}
