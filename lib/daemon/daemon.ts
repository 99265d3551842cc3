/**
 * The process part of weftd: control socket, health, saved state, and one or several networks (network.ts), which share
 * data planes and nothing else. What is wrong with one of several networks stops no other; the only one ends the daemon.
 */
import type { Backend } from '../backend/backend.ts';
import type { StatusReply } from '../control/protocol.ts';
import { type ControlHandlers, type ControlQuery, serveControl } from '../control/server.ts';
import type { TapNetwork } from '../control/tap-protocol.ts';
import { DROP_REASONS } from '../dataplane/drop.ts';
import { SharedEngines } from '../engine/shared-engines.ts';
import { messageOf, WeftError } from '../error.ts';
import { type Log, withFields } from '../log.ts';
import type { LeaseStore } from '../store/store.ts';
import { Tap } from '../tap/server.ts';
import { Undo } from '../undo.ts';
import type { DaemonOptions } from './cmdline/options.ts';
import { SavedLeases } from './files/saved-leases.ts';
import { UsedNetworks } from './files/used-networks.ts';
import { VtepMacs } from './files/vtep-macs.ts';
import { serveHealth } from './health.ts';
import { AddressSpaces } from './host/address-spaces.ts';
import { chooseExternalInterface } from './host/external-interface.ts';
import { readHostNetwork } from './host/host-network.ts';
import { checkPrivileges } from './host/preflight.ts';
import { Network } from './network.ts';
import { toFdbReply, toNeighReply, toRoutesReply, toStatsReply } from './replies.ts';

/** What the daemon takes from its process; tests give their own. */
export interface DaemonHost {
  readonly options: DaemonOptions;
  readonly version: string;
  readonly log: Log;
  readonly openStore: (etcdPrefix: string, log: Log) => LeaseStore;
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
  /** Unix time in ms. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** To the service manager; see lib/sys/notify.ts. */
  readonly notify: (state: { readonly ready?: true; readonly stopping?: true; readonly status?: string }) => void;
  readonly pid: number;
  readonly rssBytes: () => number;
}

export class Daemon {
  readonly #host: DaemonHost;
  readonly #startedAtMs: number;
  /** Monotonic: the clock may be set. */
  readonly #startedMs = performance.now();
  readonly #networks: readonly Network[];
  readonly #undo = new Undo();
  readonly #tap: Tap;
  #tapSocket: string | null = null;
  /** What the service manager knows. */
  #notifiedReady = false;
  #notifiedStatus = '';

  /** Throws WeftError STORE_OPTIONS_INVALID. */
  constructor(host: DaemonHost) {
    this.#host = host;
    this.#startedAtMs = host.now();
    const { options, openStore, signal, now, random, sleep } = host;
    this.#tap = new Tap({
      log: host.log,
      now,
      networks: () => this.#tapNetworks(),
      reasons: Object.keys(DROP_REASONS),
    });
    const shared = {
      tap: this.#tap,
      options,
      signal,
      now,
      random,
      sleep,
      engines: new SharedEngines(),
      addressSpaces: new AddressSpaces(),
      usedNetworks: new UsedNetworks({ directory: options.stateDir, log: host.log }),
      savedLeases: new SavedLeases({ directory: options.stateDir, log: host.log }),
    };
    this.#networks = options.networks.map((network, index) => {
      const log = network.name === '' ? host.log : withFields(host.log, { network: network.name });
      const store = openStore(network.etcdPrefix, log);
      const oneOfSeveral = options.networks.length > 1;
      return new Network({
        ...shared,
        network,
        networkNumber: index + 1,
        oneOfSeveral,
        log,
        store,
        onChange: () => this.#notify(),
      });
    });
  }

  /** Runs until the signal is aborted, then stops. Rejects with a WeftError when it cannot go on; it has stopped then too. */
  async run(): Promise<void> {
    const { signal, log, notify } = this.#host;
    try {
      await this.#start();
      await aborted(signal);
    } catch (error) {
      // An aborted start is an ordinary stop, whichever call noticed it.
      if (!signal.aborted) throw error;
    } finally {
      notify({ stopping: true });
      await Promise.all(this.#networks.map((network) => network.stop()));
      await this.#undo.run(log);
    }
  }

  async #start(): Promise<void> {
    const { options, log, random } = this.#host;
    checkPrivileges(options.networks.some(({ netns }) => netns !== undefined));
    await this.#serve();
    // Chosen again by each network: this one is for an error before the wait for etcd rather than after it.
    chooseExternalInterface(options.interface, readHostNetwork());
    const vtepMacs = await VtepMacs.load({ directory: options.stateDir, log, random });
    await Promise.all(this.#networks.map((network) => network.start(vtepMacs)));
  }

  async #serve(): Promise<void> {
    const { options, log } = this.#host;
    const onMadeAgain = (): void =>
      log.warn({ socket: options.controlSocket }, 'Somebody deleted the control socket; it was made again');
    const control = await serveControl(options.controlSocket, this.#handlers(), {
      onMadeAgain,
      group: options.controlGroup,
    });
    this.#undo.add('control socket', () => control.close());
    await this.#openTap();
    if (options.healthz === undefined) return;
    const { ip, port } = options.healthz;
    const health = await serveHealth(ip, port, () => this.#notReady());
    this.#undo.add('health server', () => health.close());
    log.info({ ip, port }, 'Serving /healthz and /readyz');
  }

  /** Packets are forwarded without it as well: only where it was asked for does a socket that cannot be had end the daemon. */
  async #openTap(): Promise<void> {
    const { options, log } = this.#host;
    const { tapSocket, tapSocketGiven, tapGroup } = options;
    if (tapSocket === undefined) return;
    this.#undo.add('tap', () => this.#tap.close());
    try {
      await this.#tap.open(tapSocket, tapGroup);
      this.#tapSocket = tapSocket;
    } catch (error) {
      if (tapSocketGiven) throw error;
      log.warn({ reason: messageOf(error) }, 'Nobody can see packets: the tap has no socket');
    }
  }

  #tapNetworks(): TapNetwork[] {
    return this.#networks.map((network, index) => {
      const { backend } = network.report();
      const hasFrames = backend?.type === 'vxlan';
      const hasPackets = backend?.type === 'udp' || backend?.type === 'ipip';
      return { number: index + 1, name: network.name, linkType: hasFrames ? 1 : hasPackets ? 101 : null };
    });
  }

  /** One line for each network that cannot pass packets. */
  #notReady(): string[] {
    const waiting = this.#networks.filter(({ reasonNotReady }) => reasonNotReady !== undefined);
    return waiting.map(
      ({ name, etcdPrefix, reasonNotReady }) => `${name === '' ? etcdPrefix : name}: ${reasonNotReady}`,
    );
  }

  /**
   * READY is for those who start after weftd and need subnet files: it is said when a network is ready, and none of the others
   * is still on its way. One tenant whose configuration is missing must not keep the rest of the node from starting.
   */
  #notify(): void {
    const ready = this.#networks.filter(({ state }) => state === 'ready');
    const startIsOver = ready.length > 0 && this.#networks.every(({ isOnItsWay }) => !isOnItsWay);
    const status = this.#statusLine(ready.length);
    const becameReady = startIsOver && !this.#notifiedReady;
    if (!becameReady && status === this.#notifiedStatus) return;
    this.#notifiedReady ||= startIsOver;
    this.#notifiedStatus = status;
    this.#host.notify(becameReady ? { ready: true, status } : { status });
  }

  #statusLine(ready: number): string {
    const [first] = this.#networks;
    if (first !== undefined && this.#networks.length === 1) return first.summary();
    const others = this.#networks.filter(({ state }) => state !== 'ready');
    const reasons = others.map((network) => `; ${network.name}: ${network.summary()}`).join('');
    return `${ready} of ${this.#networks.length} networks ready${reasons}`;
  }

  #handlers(): ControlHandlers {
    return {
      '/v1/status': (query) => this.#status(query),
      '/v1/peers': (query) => ({ peers: this.#network(query).peers() }),
      '/v1/routes': (query) => toRoutesReply(this.#running(query)),
      '/v1/stats': (query) => toStatsReply(this.#running(query), this.#host.now()),
      '/v1/fdb': (query) => toFdbReply(this.#running(query)),
      '/v1/neigh': (query) => toNeighReply(this.#running(query)),
    };
  }

  /** Throws WeftError UNKNOWN_NETWORK, NOT_READY. */
  #running(query: ControlQuery): Backend {
    return this.#network(query).running();
  }

  /** The one asked for, or the first. Throws WeftError UNKNOWN_NETWORK. */
  #network({ network }: ControlQuery): Network {
    const found = network === undefined ? this.#networks[0] : this.#networks.find(({ name }) => name === network);
    if (found !== undefined) return found;
    const names = this.#networks.map(({ name }) => name).join(', ');
    const there = names === '' ? 'this weftd has one network, which has no name' : `there is ${names}`;
    throw new WeftError('UNKNOWN_NETWORK', `No network ${JSON.stringify(network)}: ${there}`);
  }

  #status(query: ControlQuery): StatusReply {
    const { version, pid, rssBytes } = this.#host;
    const { name: _name, etcdPrefix: _prefix, netns: _netns, ...condition } = this.#network(query).report();
    return {
      version,
      pid,
      startedAt: new Date(this.#startedAtMs).toISOString(),
      uptimeSeconds: Math.round((performance.now() - this.#startedMs) / 1000),
      ...condition,
      memory: { rssBytes: rssBytes() },
      tap: { socket: this.#tapSocket, readers: this.#tap.readers() },
      networks: this.#networks.map((network) => network.report()),
    };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
