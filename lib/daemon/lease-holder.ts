/**
 * The lease of this node, as long as its network is there: through attempts to start that fail, and when it starts over.
 * The store keeps it in etcd, and says how it is.
 */
import type { ExternalInterface } from '../backend/backend.ts';
import type { BackendKind } from '../backend/kinds.ts';
import type { FaultSink } from '../faults.ts';
import { fitsConfig } from '../lease/allocate.ts';
import type { LeaseAttrs, SubnetPair } from '../lease/lease.ts';
import { encodeLeaseAttrs } from '../lease/lease-attrs.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { OwnLease, OwnLeaseCondition } from '../store/store.ts';
import type { VtepMacs } from './files/vtep-macs.ts';
import type { NetworkHost, Persist } from './network-host.ts';
import { lossOf, ownLeaseFaults } from './own-lease.ts';
import { toLeaseStatus } from './replies.ts';

export interface LeaseHolderOptions {
  readonly host: Pick<NetworkHost, 'network' | 'store' | 'log' | 'savedLeases'>;
  readonly vtepMacs: VtepMacs;
  readonly faults: FaultSink;
  readonly persist: Persist;
  /** The subnet is given up. */
  readonly onLost: (reason: string) => void;
}

/** What the lease is for. */
export interface LeaseRequest {
  readonly kind: BackendKind;
  readonly config: NetworkConfig;
  readonly external: ExternalInterface;
  /** The subnets of the run before, which it takes again if it can. */
  readonly previous: SubnetPair | undefined;
  /** Sets up port and device for the subnets; called before the lease is written, again if it becomes another. */
  readonly prepare: (subnets: SubnetPair) => Promise<void>;
}

export class LeaseHolder {
  readonly #options: LeaseHolderOptions;
  #own: OwnLease | undefined;
  #condition: OwnLeaseCondition = { kind: 'held' };

  constructor(options: LeaseHolderOptions) {
    this.#options = options;
  }

  /** The lease that was acquired last. */
  get own(): OwnLease | undefined {
    return this.#own;
  }

  /** Why its subnet is given up; undefined while it is not. */
  get lossReason(): string | undefined {
    if (this.#own === undefined || this.#condition.kind !== 'lost') return undefined;
    return lossOf(this.#own.lease.subnets, this.#condition.to);
  }

  /** Rejects with what `prepare` does, and with the signal's reason. */
  async acquire(request: LeaseRequest): Promise<OwnLease> {
    const { store, log, network, savedLeases } = this.#options.host;
    const written = await savedLeases.lastOf(network.subnetFile);
    const attrs = await this.#attrs(request, written);
    const held = this.#condition.kind === 'lost' ? undefined : this.#own;
    // Of an earlier attempt; the store renews it. Writing it again would be an event for every node at each attempt.
    if (
      held !== undefined &&
      fitsConfig(held.lease.subnets, request.config) &&
      encodeLeaseAttrs(held.lease.attrs) === encodeLeaseAttrs(attrs)
    ) {
      await request.prepare(held.lease.subnets);
      return held;
    }
    this.#condition = { kind: 'held' };
    const own = await this.#write(request, attrs, written);
    this.#own = own;
    const { ipv4, expiresAt, origin } = toLeaseStatus(own, store.health());
    log.info({ subnet: ipv4, origin, expiresAt }, 'Lease acquired');
    return own;
  }

  /** Says again how the lease is. */
  report(): void {
    if (this.#own === undefined) return;
    const { subnets, attrs } = this.#own.lease;
    this.#options.faults.report('own lease', ownLeaseFaults(this.#condition, subnets, attrs.publicIp));
  }

  /** `written`: the version of our lease that we wrote last. */
  async #attrs({ kind, config, external }: LeaseRequest, written: string | undefined): Promise<LeaseAttrs> {
    const { host, vtepMacs, persist } = this.#options;
    const { network, store } = host;
    const { publicIp } = external;
    const leases = kind.vtep ? await persist(() => store.leases()) : [];
    if (kind.vtep) {
      // Ours of an address that this host had is no other node's.
      const known = leases.filter((lease) => lease.attrs.publicIp === publicIp || lease.version !== written);
      vtepMacs.reconcile(network.name, publicIp, known);
    }
    const attrs = await kind.leaseAttrs(external, config, (device) => vtepMacs.macOf(network.name, device), leases);
    await vtepMacs.save();
    return attrs;
  }

  #write(
    { config, previous, prepare }: LeaseRequest,
    attrs: LeaseAttrs,
    written: string | undefined,
  ): Promise<OwnLease> {
    const { host, persist } = this.#options;
    const { network, store, savedLeases } = host;
    // Port and device first: peers would send to a lease whose node does not start.
    let hostFailed = false;
    const prepareOrFail = (subnets: SubnetPair): Promise<void> =>
      prepare(subnets).catch((error: unknown) => {
        hostFailed = true;
        throw error;
      });
    const onWritten = (version: string): void => void savedLeases.keep(network.subnetFile, version);
    const onCondition = (condition: OwnLeaseCondition): void => this.#become(condition);
    return persist(
      () => store.acquire({ config, attrs, previous, written, prepare: prepareOrFail, onWritten, onCondition }),
      () => hostFailed,
    );
  }

  #become(condition: OwnLeaseCondition): void {
    this.#condition = condition;
    this.report();
    const { lossReason } = this;
    if (lossReason !== undefined) this.#options.onLost(lossReason);
  }
}
