/**
 * One network from start to stop. The order of the start is flanneld's:
 *
 *   config ── external interface ── subnet ── device, socket, data plane ── lease ── subnet.env ── first leases applied ── ready
 *
 * Whatever etcd refuses is waited for. After the start etcd is not needed: losing it changes nothing on the data path.
 */
import type { IpAddress } from '../addr/ip.ts';
import { parseIpv4 } from '../addr/ipv4.ts';
import { parseIpv6 } from '../addr/ipv6.ts';
import { formatPrefix } from '../addr/prefix.ts';
import type { Backend, ExternalInterface } from '../backend/backend.ts';
import { type BackendKind, backendOf } from '../backend/kinds.ts';
import { doubling } from '../backoff.ts';
import type { DaemonState, NetworkReport, Peer } from '../control/protocol.ts';
import type { SharedEngines } from '../engine/shared-engines.ts';
import { messageOf, WeftError } from '../error.ts';
import { Faults } from '../faults.ts';
import { fitsConfig } from '../lease/allocate.ts';
import type { SubnetPair } from '../lease/lease.ts';
import { encodeLeaseAttrs } from '../lease/lease-attrs.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import { formatSubnetKey } from '../lease/subnet-key.ts';
import type { LeaseStore, OwnLease, OwnLeaseCondition } from '../store/store.ts';
import { withinNetns } from '../sys/netns.ts';
import { Undo } from '../undo.ts';
import type { NetworkOptions } from './cmdline/network-flag.ts';
import type { DaemonOptions } from './cmdline/options.ts';
import { ConfigWatch } from './config-watch.ts';
import { leaveEarlierNetworks } from './earlier-networks.ts';
import type { SavedLeases } from './files/saved-leases.ts';
import { type PreviousRun, readPreviousRun, type SubnetEnv } from './files/subnet-env.ts';
import { SubnetFile } from './files/subnet-file.ts';
import type { UsedNetworks } from './files/used-networks.ts';
import type { VtepMacs } from './files/vtep-macs.ts';
import type { AddressSpaces } from './host/address-spaces.ts';
import { chooseExternalInterface, isSharedNatAddress, requireIpv6Underlay } from './host/external-interface.ts';
import { readHostNetwork } from './host/host-network.ts';
import { checkDataPlane } from './host/preflight.ts';
import { UnderlayWatch } from './host/underlay-watch.ts';
import { LeaseFollower } from './lease-follower.ts';
import { type NetworkParts, summarize, toNetworkReport } from './network-report.ts';
import { changeOfSubnet, lossOf, NAT_HINT, ownLeaseFaults } from './own-lease.ts';
import { toBackendStatus, toExternalStatus, toLeaseStatus, toPeers } from './replies.ts';
import { type Obstacle, unlessAborted, type WaitHost, waitFor } from './wait.ts';

/** What a network takes from its daemon. `onChange` is also called when it becomes ready and when its leases change. */
export interface NetworkHost extends WaitHost {
  readonly network: NetworkOptions;
  /** Whether there are others, for whose sake nothing that is wrong with this one may end the daemon. */
  readonly oneOfSeveral: boolean;
  readonly options: DaemonOptions;
  /** Of this network alone; it is closed with it. */
  readonly store: LeaseStore;
  readonly engines: SharedEngines;
  readonly addressSpaces: AddressSpaces;
  readonly usedNetworks: UsedNetworks;
  readonly savedLeases: SavedLeases;
}

/** What comes right by itself or by somebody's hand in etcd. */
const TEMPORARY: ReadonlySet<string> = new Set([
  'STORE_UNREACHABLE',
  'STORE_DENIED',
  'STORE_REFUSED',
  'CONFIG_MISSING',
  'CONFIG_INVALID',
  'LEASE_CONTENDED',
]);

/** Those of them that are over when they are over for one network of a daemon. */
const PASSING: ReadonlySet<string> = new Set(['STORE_UNREACHABLE', 'LEASE_CONTENDED']);

/** Our choice: a failed network needs a human, who wants to see soon that it worked. */
const FAILED_PAUSES_MS = doubling(1000, 20_000);

/** Our choice: soon enough for whoever wrote it, and one key a node for etcd. */
const CONFIG_INTERVAL_MS = 30_000;

const SUBNET_FILE_RETRY_MS = 5000;

/** Our choice: a route is there within this after a lease, and a storm builds the tables 20 times a second at most. */
const APPLY_INTERVAL_MS = 50;

export class Network {
  readonly #host: NetworkHost;
  readonly #faults: Faults;
  /** What `stop` and a failed attempt undo. */
  readonly #undo = new Undo();
  /** The attempt to start that is under way, or was the last. */
  #attempt: Promise<void> = Promise.resolve();
  /** After a start over: until it is ready again, or stopped. */
  #startingOver: Promise<void> = Promise.resolve();
  #isReady = false;
  /** What the attempt that is under way waits for. */
  #obstacle: Obstacle | undefined;
  /** Why the last attempt ended, of those that are followed by another. */
  #failure: Obstacle | undefined;
  #config: NetworkConfig | undefined;
  #external: ExternalInterface | undefined;
  #own: OwnLease | undefined;
  /** How the store says that the own lease is. */
  #ownCondition: OwnLeaseCondition = { kind: 'held' };
  #backend: Backend | undefined;
  /** The subnets it was started with. */
  #backendKey = '';
  #follower: LeaseFollower | undefined;

  constructor(host: NetworkHost) {
    this.#host = host;
    const { log, onChange } = host;
    this.#faults = new Faults({ log, onChange, now: () => performance.now() });
  }

  get name(): string {
    return this.#host.network.name;
  }

  get etcdPrefix(): string {
    return this.#host.network.etcdPrefix;
  }

  get state(): DaemonState {
    if (this.#host.signal.aborted) return 'stopping';
    if (this.#isReady) return this.#faults.blocking === undefined ? 'ready' : 'degraded';
    if (this.#obstacle !== undefined) return 'waiting';
    return this.#failure === undefined ? 'starting' : 'failed';
  }

  /** Neither ready nor held up by something that lasts. */
  get isOnItsWay(): boolean {
    return this.state === 'starting' || (this.#obstacle !== undefined && PASSING.has(this.#obstacle.error.code));
  }

  /**
   * Resolves when packets flow. Rejects with the signal's reason, and with what makes that impossible; the latter only if
   * this is the only network: one of several is `failed` then, and tried again with growing pauses.
   */
  start(vtepMacs: VtepMacs): Promise<void> {
    return this.#host.oneOfSeveral ? this.#startWhateverItTakes(vtepMacs) : this.#attemptToStart(vtepMacs);
  }

  #attemptToStart(vtepMacs: VtepMacs): Promise<void> {
    this.#attempt = this.#tryToStart(vtepMacs);
    return this.#attempt;
  }

  /** Resolves when packets flow; rejects with the signal's reason only. */
  async #startWhateverItTakes(vtepMacs: VtepMacs): Promise<void> {
    const attempt = (): Promise<void> => this.#attemptToStart(vtepMacs);
    const keep = (obstacle: Obstacle | undefined): void => {
      this.#failure = obstacle;
    };
    const words = { obstacle: 'Failed, and tried again', recovery: 'No longer failed' };
    await waitFor(attempt, { isTemporary: () => true, pausesMs: FAILED_PAUSES_MS, keep, words }, this.#host);
  }

  /**
   * For what a running network cannot mend in place: everything is undone, and it starts again from the configuration and
   * the choice of the external interface on, until it is ready. Its lease is kept if it still fits. Ignored while it starts.
   */
  #startOver(reason: string, vtepMacs: VtepMacs): void {
    const { log, signal, onChange } = this.#host;
    if (!this.#isReady || signal.aborted) return;
    log.warn({ reason }, 'The network starts over');
    this.#isReady = false;
    onChange();
    this.#startingOver = this.#undo
      .run(log)
      .then(() => this.#startWhateverItTakes(vtepMacs))
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ reason: messageOf(error) }, 'The network cannot start over');
      });
  }

  /** Undoes everything but the lease and the subnet file, and closes the store. Never rejects. */
  async stop(): Promise<void> {
    await this.#startingOver;
    await this.#attempt.catch(() => undefined);
    await this.#undo.run(this.#host.log);
    await this.#host.store.close();
  }

  report(): NetworkReport {
    const { network, options, store } = this.#host;
    return toNetworkReport(network, this.#parts(), store.health(), options.sourceCheck);
  }

  /** One line: "10.244.3.0/24 on flannel0, 2 peers", or what is waited for. */
  summary(): string {
    return summarize(this.#parts());
  }

  /** Why packets cannot pass, for `/readyz`; undefined while they can. */
  get reasonNotReady(): string | undefined {
    const { state } = this;
    if (state === 'ready') return undefined;
    const reason = state === 'degraded' ? this.#faults.blocking : (this.#obstacle ?? this.#failure)?.error.message;
    return reason === undefined ? state : `${state}: ${reason}`;
  }

  peers(): Peer[] {
    const backend = this.running();
    return toPeers(this.#follower?.others() ?? [], backend, (ms) => Date.now() + ms - performance.now());
  }

  /** Throws WeftError NOT_READY. */
  running(): Backend {
    if (this.#backend !== undefined && this.state !== 'stopping') return this.#backend;
    const who = this.name === '' ? 'weftd' : `Network "${this.name}"`;
    const wait = this.#obstacle ?? this.#failure;
    if (wait === undefined) throw new WeftError('NOT_READY', `${who} is ${this.state}; try again in a moment`);
    throw new WeftError('NOT_READY', `${who} is not ready: ${wait.error.message}`, {
      hint: wait.error.hint ?? 'weft status shows more',
    });
  }

  /** Starts once. An attempt that fails leaves nothing behind; a lease that it took stays, and the next one may use it again. */
  async #tryToStart(vtepMacs: VtepMacs): Promise<void> {
    const { signal, log, onChange } = this.#host;
    try {
      const own = await this.#startForwarding(vtepMacs);
      signal.throwIfAborted();
      this.#isReady = true;
      log.info({ subnet: formatPrefix(own.lease.subnets.ipv4), peers: this.report().peers }, 'Ready');
      onChange();
      // It was lost while the rest of the start was under way.
      if (this.#ownCondition.kind === 'lost')
        this.#startOver(lossOf(own.lease.subnets, this.#ownCondition.to), vtepMacs);
    } catch (error) {
      await this.#undo.run(this.#host.log);
      if (signal.aborted || error instanceof WeftError || !this.#host.oneOfSeveral) throw error;
      const reason = messageOf(error);
      log.error({ reason, stack: error instanceof Error ? error.stack : undefined }, 'Internal error');
      throw new WeftError('INTERNAL', `Internal error: ${reason}`, {
        cause: error,
        hint: 'the log has more: report it',
      });
    }
  }

  async #startForwarding(vtepMacs: VtepMacs): Promise<OwnLease> {
    const { network, store, log, addressSpaces, usedNetworks } = this.#host;
    const previous = await this.#previousRun();
    const config = await this.#persist(() => store.networkConfig());
    this.#config = config;
    const kind = backendOf(config, `${network.etcdPrefix}/config`);
    if (kind.edgeDevice) checkDataPlane();
    // Entered once, to find out whether that is possible before a lease is taken.
    withinNetns(network.netns, () => undefined);
    this.#undo.add('address space', addressSpaces.claim(network, config));
    const external = this.#chooseExternal(kind, config);
    this.#external = external;
    log.info(toExternalStatus(external), 'External interface chosen');
    if (isSharedNatAddress(external.publicIp)) log.warn({ hint: NAT_HINT }, 'This PublicIP is probably not unique');

    const prepare = async (subnets: SubnetPair): Promise<void> => {
      await leaveEarlierNetworks({ network, usedNetworks, faults: this.#faults, log }, config, previous);
      await this.#startBackend(kind, config, external, subnets, previous.subnets, vtepMacs);
    };
    const own = await this.#acquire(kind, config, external, previous.subnets, vtepMacs, prepare);
    const backend = this.#backend!;
    const env = { config, own: own.lease.subnets, mtu: backend.overlayMtu, ipMasq: false };
    await this.#keepSubnetFile(env);
    const change = changeOfSubnet(previous.subnets, own.lease.subnets);
    if (change !== undefined) log.warn({}, change);
    this.#watchUnderlay(kind, config, external, backend, vtepMacs);
    await this.#follow(backend, own, external);
    this.#watchConfig(config);
    return own;
  }

  /** Throws WeftError where the host has none, or none that this network can use. */
  #chooseExternal(kind: BackendKind, config: NetworkConfig): ExternalInterface {
    const host = readHostNetwork();
    const external = chooseExternalInterface(this.#host.options.interface, host);
    if (config.enableIpv6) requireIpv6Underlay(external, config.backendType, kind.ipv6Underlay, host);
    return external;
  }

  #watchConfig(running: NetworkConfig): void {
    const { network, store } = this.#host;
    const watch = new ConfigWatch({
      running,
      key: `${network.etcdPrefix}/config`,
      read: () => store.networkConfig(),
      faults: this.#faults,
      intervalMs: CONFIG_INTERVAL_MS,
    });
    this.#undo.add('configuration watch', () => watch.close());
  }

  async #keepSubnetFile(env: SubnetEnv): Promise<void> {
    const { network, log } = this.#host;
    const file = new SubnetFile({ path: network.subnetFile, log, faults: this.#faults, retryMs: SUBNET_FILE_RETRY_MS });
    this.#undo.add('subnet file', () => file.close());
    await file.keep(env);
  }

  async #previousRun(): Promise<PreviousRun> {
    const subnets = this.#own?.lease.subnets;
    // When it starts over, the file may have become unreadable, and that is no reason to stop.
    return subnets === undefined ? readPreviousRun(this.#host.network.subnetFile) : { subnets, networks: [] };
  }

  async #acquire(
    kind: BackendKind,
    config: NetworkConfig,
    external: ExternalInterface,
    previous: SubnetPair | undefined,
    vtepMacs: VtepMacs,
    startBackend: (subnets: SubnetPair) => Promise<void>,
  ): Promise<OwnLease> {
    const { network, store, log, savedLeases } = this.#host;
    const { publicIp } = external;
    const written = await savedLeases.lastOf(network.subnetFile);
    const leases = kind.vtep ? await this.#persist(() => store.leases()) : [];
    // Ours of an address that this host had is no other node's.
    const known = leases.filter((lease) => lease.attrs.publicIp === publicIp || lease.version !== written);
    if (kind.vtep) vtepMacs.reconcile(this.name, publicIp, known);
    const attrs = await kind.leaseAttrs(external, config, (device) => vtepMacs.macOf(this.name, device), leases);
    await vtepMacs.save();
    const held = this.#ownCondition.kind === 'lost' ? undefined : this.#own?.lease;
    // Of an earlier attempt; the store renews it. Writing it again would be an event for every node at each attempt.
    if (
      held !== undefined &&
      fitsConfig(held.subnets, config) &&
      encodeLeaseAttrs(held.attrs) === encodeLeaseAttrs(attrs)
    ) {
      await startBackend(held.subnets);
      return this.#own!;
    }
    // Port and device first: peers would send to a lease whose node does not start.
    let hostFailed = false;
    const prepare = (subnets: SubnetPair): Promise<void> =>
      startBackend(subnets).catch((error: unknown) => {
        hostFailed = true;
        throw error;
      });
    const onWritten = (version: string): void => void savedLeases.keep(network.subnetFile, version);
    const onCondition = (condition: OwnLeaseCondition): void => this.#onOwnLease(condition, vtepMacs);
    this.#ownCondition = { kind: 'held' };
    const own = await this.#persist(
      () => store.acquire({ config, attrs, previous, written, prepare, onWritten, onCondition }),
      () => hostFailed,
    );
    this.#own = own;
    const { ipv4, expiresAt, origin } = toLeaseStatus(own, store.health());
    log.info({ subnet: ipv4, origin, expiresAt }, 'Lease acquired');
    return own;
  }

  #onOwnLease(condition: OwnLeaseCondition, vtepMacs: VtepMacs): void {
    this.#ownCondition = condition;
    this.#reportOwnLease();
    if (condition.kind === 'lost' && this.#own !== undefined)
      this.#startOver(lossOf(this.#own.lease.subnets, condition.to), vtepMacs);
  }

  #reportOwnLease(): void {
    if (this.#own === undefined) return;
    const { subnets, attrs } = this.#own.lease;
    this.#faults.report('own lease', ownLeaseFaults(this.#ownCondition, subnets, attrs.publicIp));
  }

  async #startBackend(
    kind: BackendKind,
    config: NetworkConfig,
    external: ExternalInterface,
    subnets: SubnetPair,
    earlier: SubnetPair | undefined,
    vtepMacs: VtepMacs,
  ): Promise<void> {
    const { network, options, engines, log, signal } = this.#host;
    signal.throwIfAborted();
    const key = formatSubnetKey(subnets);
    // etcd was away between the choice and the write.
    if (this.#backend !== undefined && this.#backendKey === key) return;
    await this.#stopBackend();
    const { offload, sourceCheck, tos } = options;
    const backend = await kind.start({
      network: network.name,
      netns: network.netns,
      config,
      external,
      own: subnets,
      earlier,
      offload,
      sourceCheck,
      tos,
      vtepMac: (device) => vtepMacs.macOf(network.name, device),
      engines,
      faults: this.#faults,
      startOver: (reason) => this.#startOver(reason, vtepMacs),
      log,
    });
    this.#backend = backend;
    this.#backendKey = key;
    this.#undo.add('backend', () => this.#stopBackend());
    log.info(toBackendStatus(backend, sourceCheck), 'Backend started');
    for (const { name, active, reason } of backend.offloads()) log.debug({ offload: name, active, reason }, 'Offload');
  }

  async #stopBackend(): Promise<void> {
    const backend = this.#backend;
    this.#backend = undefined;
    await backend?.stop();
  }

  #watchUnderlay(
    kind: BackendKind,
    config: NetworkConfig,
    external: ExternalInterface,
    backend: Backend,
    vtepMacs: VtepMacs,
  ): void {
    const { deviceName } = backend;
    const watch = new UnderlayWatch({
      external,
      usesIpv6: config.enableIpv6 && kind.ipv6Underlay !== 'none',
      choose: () => this.#chooseExternal(kind, config),
      peers: () => peerAddresses(backend),
      overlayDevice: deviceName === external.name ? undefined : deviceName,
      faults: this.#faults,
      log: this.#host.log,
      onMoved: (reason) => this.#startOver(reason, vtepMacs),
    });
    this.#undo.add('underlay watch', () => watch.close());
  }

  async #follow(backend: Backend, own: OwnLease, external: ExternalInterface): Promise<void> {
    const { store, log, signal, onChange } = this.#host;
    const follower = new LeaseFollower({
      own: own.lease.subnets,
      publicIp: external.publicIp,
      log,
      faults: this.#faults,
      intervalMs: APPLY_INTERVAL_MS,
      apply: (leases) => {
        backend.setLeases(leases);
        onChange();
      },
    });
    this.#follower = follower;
    const watch = store.watch(follower);
    this.#undo.add('watch', async () => {
      follower.close();
      this.#faults.clear();
      this.#follower = undefined;
      await watch.close();
    });
    this.#reportOwnLease();
    await unlessAborted(watch.ready, signal);
  }

  /** Waits for what comes right in etcd. */
  #persist<T>(attempt: () => Promise<T>, isHopeless: () => boolean = () => false): Promise<T> {
    const keep = (obstacle: Obstacle | undefined): void => {
      this.#obstacle = obstacle;
    };
    const words = { obstacle: 'Waiting', recovery: 'No longer waiting' };
    return waitFor(attempt, { isTemporary: (code) => !isHopeless() && TEMPORARY.has(code), keep, words }, this.#host);
  }

  #parts(): NetworkParts {
    return {
      state: this.state,
      wait: this.#isReady ? undefined : (this.#obstacle ?? this.#failure),
      config: this.#config,
      external: this.#external,
      own: this.#own,
      backend: this.#backend,
      others: this.#follower?.others() ?? [],
      alarms: this.#faults.alarms,
    };
  }
}

/** Where a running backend sends to. */
function peerAddresses(backend: Backend): IpAddress[] {
  const texts = new Set(backend.routes().map(({ via }) => via));
  return [...texts].flatMap((text) => parseIpv4(text) ?? parseIpv6(text) ?? []);
}
