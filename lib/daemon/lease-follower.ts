/** Keeps the backend's routes equal to the leases in the store, however fast they change. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix } from '../addr/prefix.ts';
import type { Fault, FaultSink } from '../faults.ts';
import type { Lease, SubnetPair } from '../lease/lease.ts';
import type { LeaseEvent } from '../lease/lease-set.ts';
import { formatSubnetKey } from '../lease/subnet-key.ts';
import type { Log } from '../log.ts';
import type { LeaseListener } from '../store/store.ts';
import { isSharedNatAddress } from './host/external-interface.ts';

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

/** For the classic Vagrant mistake (flannel issue 98). */
export const NAT_HINT = '10.0.2.15 is the NAT address of every Vagrant VM: give -iface=eth1, the private network';

export class LeaseFollower implements LeaseListener {
  readonly #options: LeaseFollowerOptions;
  readonly #ownKey: string;
  /** Those of the last event. */
  #leases: readonly Lease[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dirty = false;

  constructor(options: LeaseFollowerOptions) {
    this.#options = options;
    this.#ownKey = formatSubnetKey(options.own);
  }

  /** All leases but the own one. */
  others(): readonly Lease[] {
    return this.#leases.filter((lease) => !this.#isOwn(lease));
  }

  onLeases({ leases, changes, complete }: LeaseEvent): void {
    this.#leases = leases;
    for (const change of changes) {
      if (change.type === 'delete') this.#logLease(change.previous, 'Lease gone');
      else if (complete || change.previous === undefined) this.#logLease(change.lease, 'Lease seen');
      else this.#options.log.debug(describe(change.lease), 'Lease written again');
    }
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
    this.#options.faults.report('own lease', [...this.#ownLeaseFaults(), ...this.#duplicates()]);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#dirty) this.#applyNow();
    }, this.#options.intervalMs);
  }

  /** flanneld notices neither (issues 1289 and 904). */
  #ownLeaseFaults(): Fault[] {
    const { own, publicIp } = this.#options;
    const subnet = formatPrefix(own.ipv4);
    const lease = this.#leases.find((one) => this.#isOwn(one));
    if (lease === undefined)
      return [{ text: `Our lease ${subnet} is gone from etcd; another node may take the subnet`, blocks: true }];
    if (lease.attrs.publicIp === publicIp) return [];
    const text = `Our lease ${subnet} was taken by ${formatIpv4(lease.attrs.publicIp)}; two nodes use one subnet`;
    return [{ text, blocks: true }];
  }

  #duplicates(): Fault[] {
    const { publicIp } = this.#options;
    const hint = isSharedNatAddress(publicIp) ? `; ${NAT_HINT}` : '';
    return this.others()
      .filter((lease) => lease.attrs.publicIp === publicIp)
      .map(({ subnets }) => ({
        text: `Lease ${formatPrefix(subnets.ipv4)} has our PublicIP ${formatIpv4(publicIp)} too${hint}`,
        blocks: false,
      }));
  }

  /** Our own lease has been logged when it was acquired; what is wrong with it is an alarm. */
  #logLease(lease: Lease, message: string): void {
    if (!this.#isOwn(lease)) this.#options.log.info(describe(lease), message);
  }

  #isOwn({ subnets }: Lease): boolean {
    return formatSubnetKey(subnets) === this.#ownKey;
  }
}

function describe({ subnets, attrs }: Lease): object {
  return { subnet: formatPrefix(subnets.ipv4), publicIp: formatIpv4(attrs.publicIp) };
}
