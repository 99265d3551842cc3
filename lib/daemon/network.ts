/**
 * One network from start to stop: its state, what it waits for, and when it starts over. What makes its packets pass is
 * forwarding.ts.
 *
 * Whatever etcd refuses is waited for. After the start etcd is not needed: losing it changes nothing on the data path.
 */
import { formatPrefix } from '../addr/prefix.ts';
import type { Backend } from '../backend/backend.ts';
import { doubling } from '../backoff.ts';
import type { DaemonState, NetworkReport, Peer } from '../control/protocol.ts';
import { messageOf, WeftError } from '../error.ts';
import { Faults } from '../faults.ts';
import type { VtepMacs } from './files/vtep-macs.ts';
import { Forwarding } from './forwarding.ts';
import type { NetworkHost } from './network-host.ts';
import { type NetworkParts, summarize, toNetworkReport } from './network-report.ts';
import { toPeers } from './replies.ts';
import { type Obstacle, waitFor } from './wait.ts';

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

export class Network {
  readonly #host: NetworkHost;
  readonly #faults: Faults;
  /** The attempt to start that is under way, or was the last. */
  #attempt: Promise<void> = Promise.resolve();
  /** After a start over: until it is ready again, or stopped. */
  #startingOver: Promise<void> = Promise.resolve();
  #isReady = false;
  /** From then on no error ends it: it is tried again. */
  #wasReady = false;
  /** What the attempt that is under way waits for. */
  #obstacle: Obstacle | undefined;
  /** Why the last attempt ended, of those that are followed by another. */
  #failure: Obstacle | undefined;
  /** undefined before the first attempt. */
  #forwarding: Forwarding | undefined;

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
    const forwarding = new Forwarding({
      host: this.#host,
      vtepMacs,
      faults: this.#faults,
      persist: (attempt, isHopeless) => this.#persist(attempt, isHopeless),
      startOver: (reason) => this.#startOver(forwarding, reason),
    });
    this.#forwarding = forwarding;
    return this.#host.oneOfSeveral ? this.#startWhateverItTakes(forwarding) : this.#attemptToStart(forwarding);
  }

  #attemptToStart(forwarding: Forwarding): Promise<void> {
    this.#attempt = this.#tryToStart(forwarding);
    return this.#attempt;
  }

  /** Resolves when packets flow; rejects with the signal's reason only. */
  async #startWhateverItTakes(forwarding: Forwarding): Promise<void> {
    const attempt = (): Promise<void> => this.#attemptToStart(forwarding);
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
  #startOver(forwarding: Forwarding, reason: string): void {
    const { log, signal, onChange } = this.#host;
    if (!this.#isReady || signal.aborted) return;
    log.warn({ reason }, 'The network starts over');
    this.#isReady = false;
    onChange();
    this.#startingOver = forwarding
      .stop()
      .then(() => this.#startWhateverItTakes(forwarding))
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ reason: messageOf(error) }, 'The network cannot start over');
      });
  }

  /** Undoes everything but the lease and the subnet file, and closes the store. Never rejects. */
  async stop(): Promise<void> {
    await this.#startingOver;
    await this.#attempt.catch(() => undefined);
    await this.#forwarding?.stop();
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
    const toUnixMs = (ms: number): number => Date.now() + ms - performance.now();
    return toPeers(this.#forwarding?.others() ?? [], backend, toUnixMs, this.#forwarding?.monitor);
  }

  /** Throws WeftError NOT_READY. */
  running(): Backend {
    const backend = this.#forwarding?.backend;
    if (backend !== undefined && this.state !== 'stopping') return backend;
    const who = this.name === '' ? 'weftd' : `Network "${this.name}"`;
    const wait = this.#obstacle ?? this.#failure;
    if (wait === undefined) throw new WeftError('NOT_READY', `${who} is ${this.state}; try again in a moment`);
    throw new WeftError('NOT_READY', `${who} is not ready: ${wait.error.message}`, {
      hint: wait.error.hint ?? 'weft status shows more',
    });
  }

  /** Starts once. An attempt that fails leaves nothing behind; a lease that it took stays, and the next one may use it again. */
  async #tryToStart(forwarding: Forwarding): Promise<void> {
    const { signal, log, onChange } = this.#host;
    try {
      const own = await forwarding.start();
      signal.throwIfAborted();
      this.#isReady = true;
      this.#wasReady = true;
      log.info({ subnet: formatPrefix(own.lease.subnets.ipv4), peers: this.report().peers }, 'Ready');
      onChange();
      // It was lost while the rest of the start was under way.
      if (forwarding.lossReason !== undefined) this.#startOver(forwarding, forwarding.lossReason);
    } catch (error) {
      await forwarding.stop();
      if (signal.aborted || error instanceof WeftError || !(this.#host.oneOfSeveral || this.#wasReady)) throw error;
      const reason = messageOf(error);
      log.error({ reason, stack: error instanceof Error ? error.stack : undefined }, 'Internal error');
      throw new WeftError('INTERNAL', `Internal error: ${reason}`, {
        cause: error,
        hint: 'the log has more: report it',
      });
    }
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
      config: this.#forwarding?.config,
      external: this.#forwarding?.external,
      own: this.#forwarding?.own,
      backend: this.#forwarding?.backend,
      others: this.#forwarding?.others() ?? [],
      alarms: this.#faults.alarms,
    };
  }
}
