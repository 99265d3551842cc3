/** Leases in etcd, under flannel's keys: `<prefix>/config` and `<prefix>/subnets/<subnets>`. */
import { messageOf, WeftError } from '../../error.ts';
import { chooseSubnets } from '../../lease/allocate.ts';
import type { Lease, SubnetPair } from '../../lease/lease.ts';
import { encodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../lease/network-config.ts';
import { formatSubnetKey } from '../../lease/subnet-key.ts';
import type { Log } from '../../log.ts';
import type { AcquireRequest, LeaseListener, LeaseStore, LeaseWatch, OwnLease, StoreHealth } from '../store.ts';
import type { KeyValue, RangeRequest, WatchEvent } from './api.ts';
import { EtcdClient, type EtcdClientOptions } from './client.ts';
import { LeaseFeed } from './lease-feed.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { type Clocks, instantOf } from './lease-term.ts';
import { keyTail, LeaseView, readStoredKey, SkippedKeys, type StoredKey } from './lease-view.ts';
import { type Expected, type LeaseWrite, LeaseWriter, type Written } from './lease-writer.ts';
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
/** How often a lost race is tried again. flannel means to as well (raceRetries), but never does. */
const ACQUIRE_ATTEMPTS = 10;
/** Keys of ours that are removed with one write; etcd allows 128 operations in a transaction. */
const MAX_REPLACED = 16;

export class EtcdLeaseStore implements LeaseStore {
  readonly #client: EtcdClient;
  readonly #options: EtcdLeaseStoreOptions;
  readonly #prefix: string;
  /** `<prefix>/subnets/`: with the slash, or `subnetsOfSomebodyElse` would be ours too. */
  readonly #subnetsPrefix: Uint8Array;
  readonly #writer: LeaseWriter;
  readonly #renewMarginMs: number;
  readonly #skipped: SkippedKeys;
  /** Each with what it feeds. */
  readonly #watches = new Map<EtcdWatch, LeaseFeed>();
  #endedRestarts = 0;
  /** The lease as it was taken last. */
  #own: { readonly key: string; readonly publicIp: number } | undefined;
  #keeper: LeaseKeeper | undefined;
  #closed = false;

  /** Throws WeftError STORE_OPTIONS_INVALID. */
  constructor(options: EtcdLeaseStoreOptions) {
    this.#options = withoutPassword(options);
    this.#client = new EtcdClient(options);
    this.#prefix = (options.prefix ?? DEFAULT_PREFIX).replace(/\/+/g, '/').replace(/\/$/, '');
    this.#subnetsPrefix = bytes(`${this.#prefix}/subnets/`);
    const ttlSeconds = options.ttlSeconds ?? DEFAULT_TTL_SECONDS;
    const { log } = options;
    this.#writer = new LeaseWriter({ client: this.#client, ttlSeconds, log, clocks: options });
    this.#renewMarginMs = options.renewMarginMs ?? DEFAULT_RENEW_MARGIN_MS;
    this.#skipped = new SkippedKeys(log);
    if (this.#renewMarginMs >= ttlSeconds * 1000)
      throw new WeftError('STORE_OPTIONS_INVALID', 'The renewal margin is not shorter than the life of a lease');
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

  async leases(): Promise<readonly Lease[]> {
    const { kvs } = await this.#client.range(this.#range());
    return this.#view().list(kvs, 0, true).leases;
  }

  async acquire(request: AcquireRequest): Promise<OwnLease> {
    for (let attempt = 1; attempt <= ACQUIRE_ATTEMPTS; attempt++) {
      const own = await this.#tryAcquire(request);
      if (own !== undefined) return own;
    }
    throw new WeftError('LEASE_CONTENDED', `Lost the race for a subnet ${ACQUIRE_ATTEMPTS} times to other nodes`, {
      hint: 'start again; with a larger Network the nodes would meet less often',
    });
  }

  watch(listener: LeaseListener): LeaseWatch {
    const { monotonic = () => performance.now(), log } = this.#options;
    const isFollowing = () => this.#client.connected && watch.live;
    const feed = new LeaseFeed({ view: this.#view(), listener, isFollowing, now: monotonic, log });
    const watch = new EtcdWatch({
      client: this.#client,
      range: this.#range(),
      relistIntervalMs: this.#options.relistIntervalMs ?? DEFAULT_RELIST_INTERVAL_MS,
      heartbeatMs: this.#options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
      log,
      random: this.#options.random,
      onList: (kvs, sameHistory) => {
        this.#keeper?.listed(this.#storedKeys(kvs));
        feed.list(kvs, sameHistory);
      },
      onEvents: (events) => {
        this.#keepAfter(events);
        feed.events(events);
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
      leaseExpiresAtMs: this.#keeper?.expiresAtMs,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#keeper?.stop();
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
      const own = this.#own;
      return own !== undefined && (attrs.publicIp === own.publicIp || formatSubnetKey(subnets) === own.key);
    };
    const { leavingMs = DEFAULT_LEAVING_MS } = this.#options;
    return new LeaseView(this.#subnetsPrefix.length, this.#skipped, { isOwn, leavingMs });
  }

  /** One list, one choice, one write; undefined when the race was lost. */
  async #tryAcquire(request: AcquireRequest): Promise<OwnLease | undefined> {
    const { config, attrs, previous } = request;
    const { kvs, header } = await this.#client.range(this.#range());
    const held = this.#storedKeys(kvs);
    const random = this.#options.random;
    const choice = chooseSubnets({ config, publicIp: attrs.publicIp, previous, held, random });
    if (choice.origin !== 'reused') {
      const remove = choice.replaces.slice(0, MAX_REPLACED);
      // A dual-stack key names two subnets: another node may take one of them under another key, and flanneld does not notice.
      const unchangedSince = config.ipv6 && { range: this.#range(), revision: header.revision };
      return this.#take(request, choice.subnets, { origin: choice.origin, expected: 'absent', remove, unchangedSince });
    }
    const { lease, modRevision, reserved } = choice.held;
    if (lease === undefined) return undefined;
    return this.#take(request, lease.subnets, { origin: 'reused', expected: { modRevision }, reserved });
  }

  async #take(request: AcquireRequest, subnets: SubnetPair, how: Taking): Promise<OwnLease | undefined> {
    const { attrs } = request;
    const key = this.#keyOf(subnets);
    const value = encodeLeaseAttrs(attrs);
    const { expected, remove = [], unchangedSince } = how;
    const write = { key, value, expected, remove, ...(unchangedSince && { unchangedSince }) };
    // A reservation has no grant and must stay without one.
    const result = how.reserved ? this.#writer.writeWithoutGrant(write) : this.#writer.writeOnNewGrant(write);
    const written = await result;
    if (!written.written) return undefined;
    this.#own = { key: formatSubnetKey(subnets), publicIp: attrs.publicIp };
    this.#keep(request, subnets, written);
    const expiresAtMs = written.term?.expiresAtMs(instantOf(this.#options));
    return { lease: { subnets, attrs, expiresAtMs }, origin: how.origin };
  }

  #keep({ attrs, onCondition }: AcquireRequest, subnets: SubnetPair, written: Written): void {
    this.#keeper?.stop();
    const { log, random, renewRetryMs, yieldMs } = this.#options;
    const keeper = new LeaseKeeper(
      {
        writer: this.#writer,
        key: formatSubnetKey(subnets),
        fullKey: this.#keyOf(subnets),
        subnets,
        value: encodeLeaseAttrs(attrs),
        publicIp: attrs.publicIp,
        list: async () => {
          const { kvs, header } = await this.#client.range(this.#range());
          return { ...header, keys: this.#storedKeys(kvs) };
        },
        networkConfig: () => this.networkConfig(),
        marginMs: this.#renewMarginMs,
        retryMs: renewRetryMs ?? DEFAULT_RENEW_RETRY_MS,
        yieldMs: yieldMs ?? DEFAULT_YIELD_MS,
        clocks: this.#options,
        random,
        log,
        onCondition: (condition) => {
          if (condition.kind === 'lost' && this.#keeper === keeper) this.#keeper = undefined;
          onCondition?.(condition);
        },
      },
      written,
    );
    this.#keeper = keeper;
    if (this.#closed) keeper.stop();
  }

  #keepAfter(events: readonly WatchEvent[]): void {
    const prefixLength = this.#subnetsPrefix.length;
    const written = events.filter(({ type }) => type === 'PUT').map(({ kv }) => kv);
    const deleted = events.filter(({ type }) => type === 'DELETE').map(({ kv }) => keyTail(kv.key, prefixLength));
    this.#keeper?.changed(this.#storedKeys(written), deleted);
  }

  #storedKeys(kvs: readonly KeyValue[]): StoredKey[] {
    return kvs.map((kv) => readStoredKey(kv, this.#subnetsPrefix.length, this.#skipped));
  }

  #keyOf(subnets: SubnetPair): Uint8Array {
    return new Uint8Array([...this.#subnetsPrefix, ...bytes(formatSubnetKey(subnets))]);
  }

  #range(): Required<RangeRequest> {
    // The first key after all that begin with the prefix: its last byte, "/", plus one.
    const rangeEnd = this.#subnetsPrefix.slice();
    rangeEnd[rangeEnd.length - 1] = 0x30;
    return { key: this.#subnetsPrefix, rangeEnd };
  }
}

interface Taking {
  readonly origin: OwnLease['origin'];
  readonly expected: Expected;
  readonly remove?: readonly StoredKey[];
  readonly reserved?: boolean;
  readonly unchangedSince?: LeaseWrite['unchangedSince'] | undefined;
}

function withoutPassword(options: EtcdLeaseStoreOptions): EtcdLeaseStoreOptions {
  return { ...options, password: undefined, tls: undefined };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
