/**
 * One daemon from start to stop. The order of the start is flanneld's:
 *
 *   privileges, files ── control socket, health ── config ── external interface ── lease ── device, socket, data plane
 *     ── subnet.env ── first leases applied ── ready
 *
 * Whatever etcd refuses is waited for, and `weft status` says for what. After the start etcd is not needed: losing it
 * changes nothing on the data path.
 */
import { formatPrefix } from '../addr/prefix.ts';
import type { Backend, ExternalInterface } from '../backend/backend.ts';
import { SharedEngines } from '../backend/shared-engines.ts';
import type { DaemonState, StatusReply } from '../control/protocol.ts';
import { type ControlHandlers, serveControl } from '../control/server.ts';
import { messageOf, WeftError } from '../error.ts';
import type { SubnetPair } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { LeaseStore, OwnLease } from '../store/store.ts';
import { type BackendKind, backendOf } from './backends.ts';
import { chooseExternalInterface, isSharedNatAddress, requireIpv6Underlay } from './external-interface.ts';
import { serveHealth } from './health.ts';
import { readHostNetwork } from './host-network.ts';
import { LeaseFollower, NAT_HINT } from './lease-follower.ts';
import { type Log, printable } from './log.ts';
import type { DaemonOptions } from './options.ts';
import { type Obstacle, persist, unlessAborted } from './persist.ts';
import { checkPrivileges, checkTunDevice } from './preflight.ts';
import {
  toBackendStatus,
  toEtcdStatus,
  toExternalStatus,
  toLeaseStatus,
  toNetworkStatus,
  toPeers,
  toWaitReason,
} from './replies.ts';
import { readPreviousSubnet, writeSubnetEnv } from './subnet-env.ts';
import { VtepMacs } from './vtep-macs.ts';

/** What the daemon takes from its process; tests give their own. */
export interface DaemonHost {
  readonly options: DaemonOptions;
  readonly version: string;
  readonly log: Log;
  readonly store: LeaseStore;
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
  /** Unix time in ms. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Tells the service manager; see lib/sys/notify.ts. */
  readonly notify: (state: { readonly ready?: true; readonly stopping?: true; readonly status?: string }) => void;
  readonly pid: number;
  readonly rssBytes: () => number;
}

/** What comes right by itself or by somebody's hand in etcd; anything else ends the daemon. */
const TEMPORARY: ReadonlySet<string> = new Set([
  'STORE_UNREACHABLE',
  'STORE_DENIED',
  'STORE_REFUSED',
  'CONFIG_MISSING',
  'CONFIG_INVALID',
  'LEASE_CONTENDED',
]);

/** Our choice: a route is there within this after a lease, and a storm builds the tables 20 times a second at most. */
const APPLY_INTERVAL_MS = 50;

export class Daemon {
  readonly #host: DaemonHost;
  readonly #startedAtMs: number;
  /** What `stop` undoes, last first. */
  readonly #undo: { readonly what: string; readonly run: () => Promise<void> | void }[] = [];
  #state: DaemonState = 'starting';
  #obstacle: Obstacle | undefined;
  #config: NetworkConfig | undefined;
  #external: ExternalInterface | undefined;
  #own: OwnLease | undefined;
  #vtepMacs: VtepMacs | undefined;
  #backend: Backend | undefined;
  #follower: LeaseFollower | undefined;

  constructor(host: DaemonHost) {
    this.#host = host;
    this.#startedAtMs = host.now();
  }

  /** Runs until the signal is aborted, then stops. Rejects with a WeftError when it cannot go on; it has stopped then too. */
  async run(): Promise<void> {
    const { signal } = this.#host;
    try {
      this.#undo.push({ what: 'store', run: () => this.#host.store.close() });
      await this.#start();
      await aborted(signal);
    } catch (error) {
      // An aborted start is an ordinary stop, whichever call noticed it.
      if (!signal.aborted) throw error;
    } finally {
      await this.#stop();
    }
  }

  async #start(): Promise<void> {
    const { options, store, log, random, signal } = this.#host;
    checkPrivileges();
    const previous = await readPreviousSubnet(options.subnetFile);
    await this.#serve();
    this.#vtepMacs = await VtepMacs.load({ directory: options.stateDir, log, random });
    // Chosen again below: this one is for an error before the wait for etcd rather than after it.
    chooseExternalInterface(options.interface, readHostNetwork());

    const config = await this.#persist(() => store.networkConfig());
    this.#config = config;
    const kind = backendOf(config, `${options.etcd.prefix}/config`);
    if (kind.edgeDevice) checkTunDevice();
    const host = readHostNetwork();
    const external = chooseExternalInterface(options.interface, host);
    this.#external = external;
    if (config.enableIpv6) requireIpv6Underlay(external, config.backendType, kind.ipv6Underlay, host);
    log.info(toExternalStatus(external), 'External interface chosen');
    if (isSharedNatAddress(external.publicIp)) log.warn({ hint: NAT_HINT }, 'This PublicIP is probably not unique');

    const own = await this.#acquire(kind, config, external, previous);
    const backend = await this.#startBackend(kind, config, external, own);
    const ipMasq = false;
    await writeSubnetEnv(options.subnetFile, { config, own: own.lease.subnets, mtu: backend.overlayMtu, ipMasq });
    log.info({ file: options.subnetFile, mtu: backend.overlayMtu }, 'Subnet file written');
    await this.#follow(backend, own, external);
    signal.throwIfAborted();
    this.#state = 'ready';
    log.info({ subnet: formatPrefix(own.lease.subnets.ipv4), peers: this.#peerCount() }, 'Ready');
    this.#host.notify({ ready: true, status: this.#statusLine() });
  }

  async #serve(): Promise<void> {
    const { options, log } = this.#host;
    const control = await serveControl(options.controlSocket, this.#handlers());
    this.#undo.push({ what: 'control socket', run: () => control.close() });
    if (options.healthz === undefined) return;
    const { ip, port } = options.healthz;
    const health = await serveHealth(ip, port, () => this.#state === 'ready');
    this.#undo.push({ what: 'health server', run: () => health.close() });
    log.info({ ip, port }, 'Serving /healthz and /readyz');
  }

  async #acquire(
    kind: BackendKind,
    config: NetworkConfig,
    external: ExternalInterface,
    previous: SubnetPair | undefined,
  ): Promise<OwnLease> {
    const { store, log } = this.#host;
    const macs = this.#vtepMacs!;
    if (kind.vtep) macs.settle('', external.publicIp, await this.#persist(() => store.leases()));
    const attrs = kind.leaseAttrs(external, config, (device) => macs.macOf('', device));
    await macs.save();
    const own = await this.#persist(() => store.acquire({ config, attrs, previous }));
    this.#own = own;
    const { ipv4, expiresAt, origin } = toLeaseStatus(own, store.health());
    log.info({ subnet: ipv4, origin, expiresAt }, 'Lease acquired');
    return own;
  }

  async #startBackend(
    kind: BackendKind,
    config: NetworkConfig,
    external: ExternalInterface,
    own: OwnLease,
  ): Promise<Backend> {
    const { options, log, signal } = this.#host;
    signal.throwIfAborted();
    const { offload, sourceCheck, tos } = options;
    const backend = await kind.start({
      network: '',
      netns: undefined,
      config,
      external,
      own: own.lease.subnets,
      offload,
      sourceCheck,
      tos,
      vtepMac: (device) => this.#vtepMacs!.macOf('', device),
      engines: new SharedEngines(),
      log,
    });
    this.#undo.push({ what: 'backend', run: () => backend.stop() });
    this.#backend = backend;
    log.info(toBackendStatus(backend, sourceCheck), 'Backend started');
    for (const { name, active, reason } of backend.offloads()) log.debug({ offload: name, active, reason }, 'Offload');
    return backend;
  }

  async #follow(backend: Backend, own: OwnLease, external: ExternalInterface): Promise<void> {
    const { store, log, notify, signal } = this.#host;
    const follower = new LeaseFollower({
      own: own.lease.subnets,
      publicIp: external.publicIp,
      log,
      intervalMs: APPLY_INTERVAL_MS,
      apply: (leases) => {
        backend.setLeases(leases);
        if (this.#state === 'ready') notify({ status: this.#statusLine() });
      },
    });
    this.#follower = follower;
    const watch = store.watch(follower);
    this.#undo.push({
      what: 'watch',
      run: async () => {
        follower.close();
        await watch.close();
      },
    });
    await unlessAborted(watch.ready, signal);
  }

  async #stop(): Promise<void> {
    this.#state = 'stopping';
    this.#host.notify({ stopping: true });
    for (const { what, run } of this.#undo.toReversed()) {
      try {
        await run();
      } catch (error) {
        this.#host.log.error({ what, reason: messageOf(error) }, 'Stopping failed');
      }
    }
  }

  async #persist<T>(attempt: () => Promise<T>): Promise<T> {
    const { log, now, random, sleep, signal, notify } = this.#host;
    const result = await persist(attempt, {
      signal,
      now,
      random,
      sleep,
      temporary: TEMPORARY,
      onObstacle: (obstacle, logIt) => {
        this.#state = 'waiting';
        this.#obstacle = obstacle;
        if (!logIt) return;
        const { error, attempts, sinceMs } = obstacle;
        const waitedSeconds = Math.round((now() - sinceMs) / 1000);
        // In the message, not in a field: on a terminal the command in the hint can be copied from there.
        const text = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
        log.warn({ code: error.code, attempts, waitedSeconds }, `Waiting: ${printable(text)}`);
        notify({ status: `Waiting: ${error.message}` });
      },
      onRecovery: ({ error }, waitedMs) =>
        log.info({ code: error.code, waitedSeconds: Math.round(waitedMs / 1000) }, 'No longer waiting'),
    });
    this.#state = 'starting';
    this.#obstacle = undefined;
    return result;
  }

  #handlers(): ControlHandlers {
    return {
      '/v1/status': () => this.#status(),
      '/v1/peers': () => ({ peers: toPeers(this.#follower?.others() ?? [], this.#running()) }),
      '/v1/routes': () => ({ routes: this.#running().routes() }),
      '/v1/stats': () => ({ at: new Date(this.#host.now()).toISOString(), ...this.#running().stats() }),
    };
  }

  #status(): StatusReply {
    const { options, version, store, now, pid, rssBytes } = this.#host;
    const backend = this.#backend;
    return {
      version,
      pid,
      startedAt: new Date(this.#startedAtMs).toISOString(),
      uptimeSeconds: Math.round((now() - this.#startedAtMs) / 1000),
      state: this.#state,
      waitingFor: this.#obstacle === undefined ? null : toWaitReason(this.#obstacle),
      alarms: this.#alarms(),
      network: this.#config === undefined ? null : toNetworkStatus(this.#config),
      lease: this.#own === undefined ? null : toLeaseStatus(this.#own, store.health()),
      external: this.#external === undefined ? null : toExternalStatus(this.#external),
      backend: backend === undefined ? null : toBackendStatus(backend, options.sourceCheck),
      etcd: toEtcdStatus(store.health(), options.etcd.prefix),
      offloads: backend?.offloads() ?? [],
      peers: this.#peerCount(),
      subnetFile: options.subnetFile,
      memory: { rssBytes: rssBytes() },
    };
  }

  #alarms(): string[] {
    const refused = this.#backend?.refusedLeases() ?? [];
    return [
      ...(this.#follower?.alarms ?? []),
      ...refused.map(({ subnet, publicIp, reason }) => `Lease ${subnet} of ${publicIp} is not used: ${reason}`),
    ];
  }

  #peerCount(): number {
    const refused = this.#backend?.refusedLeases().length ?? 0;
    return (this.#follower?.others().length ?? 0) - refused;
  }

  #running(): Backend {
    if (this.#backend !== undefined && this.#state !== 'stopping') return this.#backend;
    const wait = this.#obstacle;
    if (wait === undefined) throw new WeftError('NOT_READY', `weftd is ${this.#state}; try again in a moment`);
    throw new WeftError('NOT_READY', `weftd is not ready: ${wait.error.message}`, {
      hint: wait.error.hint ?? 'weft status shows more',
    });
  }

  #statusLine(): string {
    const subnet = this.#own === undefined ? '' : formatPrefix(this.#own.lease.subnets.ipv4);
    return `${subnet} on ${this.#backend?.deviceName}, ${this.#peerCount()} peers`;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
