/** Keeps the backend's routes equal to the leases in the store, however fast they change. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix } from '../addr/prefix.ts';
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
  #alarms: readonly string[] = [];
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

  /** What is wrong with our own place among the leases, one sentence each. */
  get alarms(): readonly string[] {
    return this.#alarms;
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
    this.#raise([...this.#ownLeaseAlarms(), ...this.#duplicateAlarms()]);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#dirty) this.#applyNow();
    }, this.#options.intervalMs);
  }

  /** flanneld notices neither (issues 1289 and 904). */
  #ownLeaseAlarms(): string[] {
    const { own, publicIp } = this.#options;
    const subnet = formatPrefix(own.ipv4);
    const lease = this.#leases.find((one) => this.#isOwn(one));
    if (lease === undefined) return [`Our lease ${subnet} is gone from etcd; another node may take the subnet`];
    if (lease.attrs.publicIp === publicIp) return [];
    return [`Our lease ${subnet} was taken by ${formatIpv4(lease.attrs.publicIp)}; two nodes use one subnet`];
  }

  #duplicateAlarms(): string[] {
    const { publicIp } = this.#options;
    return this.others()
      .filter((lease) => lease.attrs.publicIp === publicIp)
      .map((lease) => `Lease ${formatPrefix(lease.subnets.ipv4)} has our PublicIP ${formatIpv4(publicIp)} too`);
  }

  #raise(alarms: readonly string[]): void {
    const { log, publicIp } = this.#options;
    const hint = isSharedNatAddress(publicIp) ? { hint: NAT_HINT } : {};
    for (const alarm of alarms) if (!this.#alarms.includes(alarm)) log.error(hint, `Alarm: ${alarm}`);
    for (const alarm of this.#alarms) if (!alarms.includes(alarm)) log.info({}, `Alarm is over: ${alarm}`);
    this.#alarms = alarms;
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
