/** Leases in etcd, under flannel's keys: `<prefix>/config` and `<prefix>/subnets/<subnets>`. */
import { messageOf, WeftError } from '../../error.ts';
import type { Lease } from '../../lease/lease.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../lease/network-config.ts';
import { formatSubnetKey } from '../../lease/subnet-key.ts';
import type { Log } from '../../log.ts';
import type {
  AcquireRequest,
  LeaseListener,
  LeaseStore,
  LeaseWatch,
  OwnLease,
  StoreHealth,
  VersionedLease,
} from '../store.ts';
import { EtcdClient, type EtcdClientOptions } from './client.ts';
import { LeaseFeed } from './lease-feed.ts';
import { LeaseKeys } from './lease-keys.ts';
import type { Clocks } from './lease-term.ts';
import { LeaseView, SkippedKeys } from './lease-view.ts';
import { OwnLeases, versionOf } from './own-leases.ts';
import { EtcdWatch } from './watch.ts';

export interface EtcdLeaseStoreOptions extends EtcdClientOptions, Clocks {
  /** Default flannel's, /coreos.com/network. */
  readonly prefix?: string | undefined;
  /** Life of a lease. Default 24 h. */
  readonly ttlSeconds?: number | undefined;
  /** How long before its end a lease is renewed. Default 60 min; less than the life. */
  readonly renewMarginMs?: number | undefined;
  /** How long after a failed renewal the next one is tried. Default 1 min, as flannel. */
  readonly renewRetryMs?: number | undefined;
  /** How long another node's value may stand over the own lease before the subnet is given up. Default 30 s. */
  readonly yieldMs?: number | undefined;
  /** How often all leases are read anew beside the watch. Default 60 s. */
  readonly relistIntervalMs?: number | undefined;
  /** How long a peer's lease stays in force when its key is gone. Default 15 s. */
  readonly leavingMs?: number | undefined;
  /** How often a silent etcd is asked for a sign of life; it is given up after three times that. Default 2.5 s. */
  readonly heartbeatMs?: number | undefined;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Monotonic, in ms. Default performance.now. */
  readonly monotonic?: (() => number) | undefined;
}

const DEFAULT_PREFIX = '/coreos.com/network';
const DEFAULT_TTL_SECONDS = 24 * 3600;
const DEFAULT_RENEW_MARGIN_MS = 60 * 60 * 1000;
const DEFAULT_RENEW_RETRY_MS = 60_000;
/** Our choice: who overwrote it by mistake has noticed by then, and the other node must not wait for long. */
const DEFAULT_YIELD_MS = 30_000;
const DEFAULT_RELIST_INTERVAL_MS = 60_000;
const DEFAULT_HEARTBEAT_MS = 2500;
/** Our choice: a weftd writes its lease again within 10 s. */
const DEFAULT_LEAVING_MS = 15_000;

export class EtcdLeaseStore implements LeaseStore {
  readonly #client: EtcdClient;
  readonly #options: EtcdLeaseStoreOptions;
  readonly #prefix: string;
  readonly #keys: LeaseKeys;
  readonly #own: OwnLeases;
  readonly #skipped: SkippedKeys;
  /** Each with what it feeds. */
  readonly #watches = new Map<EtcdWatch, LeaseFeed>();
  #endedRestarts = 0;

  /** Throws WeftError STORE_OPTIONS_INVALID. */
  constructor(options: EtcdLeaseStoreOptions) {
    this.#options = withoutPassword(options);
    this.#client = new EtcdClient(options);
    this.#prefix = (options.prefix ?? DEFAULT_PREFIX).replace(/\/+/g, '/').replace(/\/$/, '');
    this.#skipped = new SkippedKeys(options.log);
    this.#keys = new LeaseKeys(this.#prefix, this.#skipped);
    const { ttlSeconds = DEFAULT_TTL_SECONDS, renewMarginMs = DEFAULT_RENEW_MARGIN_MS } = options;
    if (renewMarginMs >= ttlSeconds * 1000)
      throw new WeftError('STORE_OPTIONS_INVALID', 'The renewal margin is not shorter than the life of a lease');
    const { renewRetryMs = DEFAULT_RENEW_RETRY_MS, yieldMs = DEFAULT_YIELD_MS, random, log } = options;
    this.#own = new OwnLeases({
      client: this.#client,
      keys: this.#keys,
      networkConfig: () => this.networkConfig(),
      ttlSeconds,
      marginMs: renewMarginMs,
      retryMs: renewRetryMs,
      yieldMs,
      clocks: options,
      random,
      log,
    });
  }

  async networkConfig(): Promise<NetworkConfig> {
    const key = `${this.#prefix}/config`;
    const { kvs } = await this.#client.range({ key: bytes(key) });
    const value = kvs[0]?.value;
    const example = `ETCDCTL_API=3 etcdctl put ${key} '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}'`;
    if (value === undefined)
      throw new WeftError('CONFIG_MISSING', `No network configuration at ${key} in etcd at ${this.#client.endpoint}`, {
        hint: `write one: ${example}`,
      });
    try {
      return parseNetworkConfig(Buffer.from(value).toString('utf8'));
    } catch (error) {
      throw new WeftError('CONFIG_INVALID', `Network configuration at ${key} is invalid: ${messageOf(error)}`, {
        cause: error,
        hint: `for example: ${example}`,
      });
    }
  }

  async leases(): Promise<readonly VersionedLease[]> {
    const { kvs, header } = await this.#client.range(this.#keys.range);
    return this.#keys.read(kvs).flatMap((key) => {
      const version = versionOf(header.clusterId, key);
      return key.lease === undefined ? [] : [{ ...key.lease, expiresAtMs: undefined, version }];
    });
  }

  acquire(request: AcquireRequest): Promise<OwnLease> {
    return this.#own.acquire(request);
  }

  watch(listener: LeaseListener): LeaseWatch {
    const { monotonic = () => performance.now(), log } = this.#options;
    const isFollowing = () => this.#client.connected && watch.live;
    const feed = new LeaseFeed({ view: this.#view(), listener, isFollowing, now: monotonic, log });
    const watch = new EtcdWatch({
      client: this.#client,
      range: this.#keys.range,
      relistIntervalMs: this.#options.relistIntervalMs ?? DEFAULT_RELIST_INTERVAL_MS,
      heartbeatMs: this.#options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
      log,
      random: this.#options.random,
      onList: (kvs, sameHistory) => {
        const keys = this.#keys.readAll(kvs);
        this.#own.listed(keys);
        feed.list(keys, sameHistory);
      },
      onEvents: (events) => {
        const changes = this.#keys.readChanges(events);
        this.#own.changed(changes);
        feed.change(changes);
      },
      onFollowing: () => feed.following(),
    });
    this.#watches.set(watch, feed);
    return { ready: watch.ready, close: () => this.#closeWatch(watch) };
  }

  health(): StoreHealth {
    const watches = [...this.#watches.keys()];
    const connected = this.#client.connected && watches.every((watch) => watch.live);
    return {
      endpoint: this.#client.endpoint,
      connected,
      lastError: connected ? undefined : this.#client.lastError?.message,
      revision: watches[0]?.revision?.toString(),
      skipped: this.#skipped.count,
      watchRestarts: watches.reduce((sum, watch) => sum + watch.restarts, this.#endedRestarts),
      leaseExpiresAtMs: this.#own.expiresAtMs,
    };
  }

  async close(): Promise<void> {
    this.#own.stop();
    const closing = [...this.#watches.keys()].map((watch) => this.#closeWatch(watch));
    this.#client.close();
    await Promise.all(closing);
  }

  async #closeWatch(watch: EtcdWatch): Promise<void> {
    this.#watches.get(watch)?.close();
    if (this.#watches.delete(watch)) this.#endedRestarts += watch.restarts;
    await watch.close();
  }

  #view(): LeaseView {
    const isOwn = ({ subnets, attrs }: Lease): boolean => {
      const own = this.#own.last;
      return own !== undefined && (attrs.publicIp === own.publicIp || formatSubnetKey(subnets) === own.key);
    };
    const { leavingMs = DEFAULT_LEAVING_MS } = this.#options;
    return new LeaseView({ isOwn, leavingMs });
  }
}

function withoutPassword(options: EtcdLeaseStoreOptions): EtcdLeaseStoreOptions {
  return { ...options, password: undefined, tls: undefined };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
