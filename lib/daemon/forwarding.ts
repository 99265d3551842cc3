/**
 * What makes the packets of one network pass: from the configuration to the first leases applied. The order is flanneld's:
 *
 *   config ── external interface ── subnet ── device, socket, data plane ── lease ── subnet.env ── first leases applied
 *
 * All of it is undone together, and can be started again; what the last start found out stays known.
 */
import { randomBytes } from 'node:crypto';
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { parseIpv4 } from '../addr/ipv4.ts';
import { parseIpv6 } from '../addr/ipv6.ts';
import type { Backend, ExternalInterface } from '../backend/backend.ts';
import { type BackendKind, backendOf } from '../backend/kinds.ts';
import type { Faults } from '../faults.ts';
import type { KnownLease, SubnetPair } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import { formatSubnetKey } from '../lease/subnet-key.ts';
import type { OwnLease } from '../store/store.ts';
import { withinNetns } from '../sys/netns.ts';
import { Undo } from '../undo.ts';
import { ConfigWatch } from './config-watch.ts';
import { leaveEarlierNetworks } from './earlier-networks.ts';
import { type PreviousRun, readPreviousRun, type SubnetEnv } from './files/subnet-env.ts';
import { SubnetFile } from './files/subnet-file.ts';
import type { VtepMacs } from './files/vtep-macs.ts';
import { chooseExternalInterface, isSharedNatAddress, requireIpv6Underlay } from './host/external-interface.ts';
import { readHostNetwork } from './host/host-network.ts';
import { checkDataPlane } from './host/preflight.ts';
import { UnderlayWatch } from './host/underlay-watch.ts';
import { LeaseFollower } from './lease-follower.ts';
import { LeaseHolder } from './lease-holder.ts';
import type { NetworkHost, Persist } from './network-host.ts';
import { changeOfSubnet, NAT_HINT } from './own-lease.ts';
import { PeerMonitor } from './peers/peer-monitor.ts';
import { UnderlayEcho } from './peers/underlay-echo.ts';
import { toBackendStatus, toExternalStatus } from './replies.ts';
import { unlessAborted } from './wait.ts';

export interface ForwardingOptions {
  readonly host: NetworkHost;
  readonly vtepMacs: VtepMacs;
  readonly faults: Faults;
  readonly persist: Persist;
  /** Called for what cannot be mended in place. */
  readonly startOver: (reason: string) => void;
}

/** Our choice: soon enough for whoever wrote it, and one key a node for etcd. */
const CONFIG_INTERVAL_MS = 30_000;

const SUBNET_FILE_RETRY_MS = 5000;

/** Our choice: a route is there within this after a lease, and a storm builds the tables 20 times a second at most. */
const APPLY_INTERVAL_MS = 50;

/** What a start has found out by now. */
interface Ground {
  readonly kind: BackendKind;
  readonly config: NetworkConfig;
  readonly external: ExternalInterface;
}

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #lease: LeaseHolder;
  readonly #undo = new Undo();
  #config: NetworkConfig | undefined;
  #external: ExternalInterface | undefined;
  #backend: Backend | undefined;
  /** The subnets it was started with. */
  #backendKey = '';
  #follower: LeaseFollower | undefined;
  #monitor: PeerMonitor | undefined;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    const { host, vtepMacs, faults, persist, startOver } = options;
    this.#lease = new LeaseHolder({ host, vtepMacs, faults, persist, onLost: startOver });
  }

  get config(): NetworkConfig | undefined {
    return this.#config;
  }

  get external(): ExternalInterface | undefined {
    return this.#external;
  }

  get backend(): Backend | undefined {
    return this.#backend;
  }

  get own(): OwnLease | undefined {
    return this.#lease.own;
  }

  /** Why our subnet is given up; undefined while it is not. */
  get lossReason(): string | undefined {
    return this.#lease.lossReason;
  }

  /** Undefined while there is nothing to ask, or nobody should. */
  get monitor(): PeerMonitor | undefined {
    return this.#monitor;
  }

  /** All leases but the own one. */
  others(): readonly KnownLease[] {
    return this.#follower?.others() ?? [];
  }

  /** Rejects half-way with what makes it impossible, or with the signal's reason; then it is to be stopped. */
  async start(): Promise<OwnLease> {
    const { host, faults } = this.#options;
    const { network, usedNetworks, log } = host;
    const previous = await this.#previousRun();
    const ground = await this.#explore();
    const { config, external } = ground;
    const prepare = async (subnets: SubnetPair): Promise<void> => {
      await leaveEarlierNetworks({ network, usedNetworks, faults, log }, config, previous);
      await this.#startBackend(ground, subnets, previous.subnets);
    };
    const own = await this.#lease.acquire({ ...ground, previous: previous.subnets, prepare });
    const backend = this.#backend!;
    await this.#keepSubnetFile({ config, own: own.lease.subnets, mtu: backend.overlayMtu, ipMasq: false });
    const change = changeOfSubnet(previous.subnets, own.lease.subnets);
    if (change !== undefined) log.warn({}, change);
    this.#watchUnderlay(ground, backend);
    await this.#follow(backend, own, external);
    this.#watchPeers(backend);
    this.#watchConfig(config);
    return own;
  }

  /** Undoes everything but the lease and the subnet file. Never rejects. */
  async stop(): Promise<void> {
    await this.#undo.run(this.#options.host.log);
  }

  /** What there is to start with; nothing is set up or written yet. */
  async #explore(): Promise<Ground> {
    const { host, persist } = this.#options;
    const { network, store, log, addressSpaces } = host;
    const config = await persist(() => store.networkConfig());
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
    return { kind, config, external };
  }

  /** Throws WeftError where the host has none, or none that this network can use. */
  #chooseExternal(kind: BackendKind, config: NetworkConfig): ExternalInterface {
    const host = readHostNetwork();
    const external = chooseExternalInterface(this.#options.host.options.interface, host);
    if (config.enableIpv6) requireIpv6Underlay(external, config.backendType, kind.ipv6Underlay, host);
    return external;
  }

  async #previousRun(): Promise<PreviousRun> {
    const subnets = this.own?.lease.subnets;
    // When it starts over, the file may have become unreadable, and that is no reason to stop.
    return subnets === undefined ? readPreviousRun(this.#options.host.network.subnetFile) : { subnets, networks: [] };
  }

  async #startBackend(
    { kind, config, external }: Ground,
    subnets: SubnetPair,
    earlier: SubnetPair | undefined,
  ): Promise<void> {
    const { host, vtepMacs, faults, startOver } = this.#options;
    const { network, networkNumber = 0, options, engines, log, signal, tap } = host;
    signal.throwIfAborted();
    const key = formatSubnetKey(subnets);
    // etcd was away between the choice and the write.
    if (this.#backend !== undefined && this.#backendKey === key) return;
    await this.#stopBackend();
    const { offload, sourceCheck, tos } = options;
    const backend = await kind.start({
      network: network.name,
      networkNumber,
      tap,
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
      faults,
      startOver,
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

  async #keepSubnetFile(env: SubnetEnv): Promise<void> {
    const { host, faults } = this.#options;
    const { network, log } = host;
    const file = new SubnetFile({ path: network.subnetFile, log, faults, retryMs: SUBNET_FILE_RETRY_MS });
    this.#undo.add('subnet file', () => file.close());
    await file.keep(env);
  }

  #watchUnderlay({ kind, config, external }: Ground, backend: Backend): void {
    const { host, faults, startOver } = this.#options;
    const { deviceName } = backend;
    const watch = new UnderlayWatch({
      external,
      usesIpv6: config.enableIpv6 && kind.ipv6Underlay !== 'none',
      choose: () => this.#chooseExternal(kind, config),
      peers: () => peerAddresses(backend),
      overlayDevice: deviceName === external.name ? undefined : deviceName,
      faults,
      log: host.log,
      onMoved: startOver,
    });
    this.#undo.add('underlay watch', () => watch.close());
  }

  #watchPeers(backend: Backend): void {
    const { host, faults } = this.#options;
    const { options, log } = host;
    if (options.probeIntervalMs === 'off') return;
    const monitor = new PeerMonitor({
      backend,
      direct: () => this.#reachedByKernel(backend),
      intervalMs: options.probeIntervalMs,
      pings: new UnderlayEcho(log, randomBytes(8).readBigUInt64BE()),
      faults,
      log,
      now: () => performance.now(),
      random: () => Math.random(),
    });
    this.#monitor = monitor;
    this.#undo.add('peer monitor', () => {
      this.#monitor = undefined;
      monitor.close();
    });
  }

  /** Addresses of peers of a backend without a tunnel. */
  #reachedByKernel(backend: Backend): IpAddress[] {
    if (backend.ways().length > 0) return [];
    const refused = new Set(backend.refusedLeases().map(({ publicIp }) => publicIp));
    return this.others()
      .map(({ attrs }) => attrs.publicIp)
      .filter((address) => !refused.has(formatIp(address)));
  }

  #watchConfig(running: NetworkConfig): void {
    const { host, faults } = this.#options;
    const { network, store } = host;
    const watch = new ConfigWatch({
      running,
      key: `${network.etcdPrefix}/config`,
      read: () => store.networkConfig(),
      faults,
      intervalMs: CONFIG_INTERVAL_MS,
    });
    this.#undo.add('configuration watch', () => watch.close());
  }

  async #follow(backend: Backend, own: OwnLease, external: ExternalInterface): Promise<void> {
    const { host, faults } = this.#options;
    const { store, log, signal, onChange } = host;
    const follower = new LeaseFollower({
      own: own.lease.subnets,
      publicIp: external.publicIp,
      log,
      faults,
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
      faults.clear();
      this.#follower = undefined;
      await watch.close();
    });
    this.#lease.report();
    await unlessAborted(watch.ready, signal);
  }
}

/** Where a running backend sends to. */
function peerAddresses(backend: Backend): IpAddress[] {
  const texts = new Set(backend.routes().map(({ via }) => via));
  return [...texts].flatMap((text) => parseIpv4(text) ?? parseIpv6(text) ?? []);
}
