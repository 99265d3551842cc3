/** What the store's tests share: a store on a real etcd, a listener that can be waited on, a second client. */
import assert from 'node:assert/strict';
import type { ExecutionContext } from 'ava';
import type { LeaseAttrs, SubnetPair } from '../../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../../lib/lease/lease-attrs.ts';
import type { LeaseChange, LeaseEvent } from '../../../lib/lease/lease-set.ts';
import { formatSubnetKey, parseSubnetKey } from '../../../lib/lease/subnet-key.ts';
import { EtcdClient } from '../../../lib/store/etcd/client.ts';
import { EtcdLeaseStore, type EtcdLeaseStoreOptions } from '../../../lib/store/etcd/store.ts';
import type { LeaseListener } from '../../../lib/store/store.ts';
import { PATIENCE_MS } from '../../patience.ts';

/** So that tests need not wait for what is leaving; long enough to be seen. */
const LEAVING_MS = 300;

/** Resolves when `condition` holds, asking again on every call of the returned `changed`. */
class Waiting {
  #waiters = new Set<() => void>();

  changed(): void {
    for (const waiter of this.#waiters) waiter();
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`waited ${PATIENCE_MS} ms in vain: ${what}`));
      }, PATIENCE_MS);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    });
  }
}

/** Waits for something that nobody announces. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const waiting = new Waiting();
  const timer = setInterval(() => waiting.changed(), 10);
  try {
    await waiting.until(what, condition);
  } finally {
    clearInterval(timer);
  }
}

/** A log that is kept. */
export class LogRecorder {
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  readonly #waiting = new Waiting();

  debug(fields: object, message: string): void {
    this.#add('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#add('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#add('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#add('error', fields, message);
  }

  count(message: string): number {
    return this.lines.filter((line) => line.message.includes(message)).length;
  }

  until(message: string, count = 1): Promise<void> {
    return this.#waiting.until(`log line "${message}"`, () => this.count(message) >= count);
  }

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...fields }, message });
    this.#waiting.changed();
  }
}

/** A listener that keeps the last state, and what led to it. */
export class Following implements LeaseListener {
  /** "10.5.1.0-24" -> PublicIP as a number. */
  readonly state = new Map<string, number>();
  /** "list a,b" for a complete list; "put a", "leave a" or "delete a" for a change. */
  readonly history: string[] = [];
  /** Complete lists. */
  lists = 0;
  loss: LeaseEvent['loss'];
  /** Of the last event, in its order. */
  order = '';
  readonly #waiting = new Waiting();
  #missed = false;

  /** An event did not arrive here: the next one brings more than its changes. */
  miss(): void {
    this.#missed = true;
  }

  onLeases({ leases, changes, complete, loss }: LeaseEvent): void {
    this.loss = loss;
    for (const change of changes) this.#apply(change);
    this.order = leases.map(({ subnets }) => formatSubnetKey(subnets)).join();
    const whole = new Map(leases.map(({ subnets, attrs }) => [formatSubnetKey(subnets), attrs.publicIp]));
    if (this.#missed) for (const [key, publicIp] of whole) this.state.set(key, publicIp);
    this.#missed = false;
    // The two halves of an event say the same.
    assert.deepEqual(this.state, whole);
    if (complete) {
      this.lists++;
      this.history.push(`list ${[...this.state.keys()].join()}`);
    } else this.history.push(...changes.map(describe));
    this.#waiting.changed();
  }

  #apply(change: LeaseEvent['changes'][number]): void {
    if (change.type === 'put') this.state.set(formatSubnetKey(change.lease.subnets), change.lease.attrs.publicIp);
    else if (change.type === 'delete') this.state.delete(formatSubnetKey(change.previous.subnets));
  }

  /** `history` without what went in its time, which is not that of other changes. */
  get written(): readonly string[] {
    return this.history.filter((line) => !line.startsWith('delete'));
  }

  /** The subnets known, in order. */
  get keys(): string {
    return [...this.state.keys()].sort().join();
  }

  until(what: string, condition: (following: this) => boolean): Promise<void> {
    return this.#waiting.until(`${what}; known: ${this.keys}`, () => condition(this));
  }

  untilKeys(keys: string): Promise<void> {
    return this.until(`the leases ${keys}`, () => this.keys === keys);
  }
}

function describe(change: LeaseChange): string {
  const { subnets } = change.type === 'delete' ? change.previous : change.lease;
  return `${change.type} ${formatSubnetKey(subnets)}`;
}

/** For tests that are not about a silent etcd: on a busy machine it may answer late. */
export const PATIENT = { dialTimeoutMs: PATIENCE_MS, callTimeoutMs: PATIENCE_MS, heartbeatMs: PATIENCE_MS } as const;

export type StoreOverrides = Partial<EtcdLeaseStoreOptions>;

export interface OpenStore {
  readonly store: EtcdLeaseStore;
  readonly log: LogRecorder;
}

/** A store that is closed when the test ends. */
export function openStore(t: ExecutionContext, endpoint: string, overrides: StoreOverrides = {}): OpenStore {
  const log = new LogRecorder();
  const store = new EtcdLeaseStore({
    endpoints: endpoint,
    log,
    random: Math.random,
    now: Date.now,
    uptime: () => performance.now(),
    leavingMs: LEAVING_MS,
    ...overrides,
  });
  t.teardown(() => store.close());
  return { store, log };
}

/** Follows all leases of a store from its first list on. */
export async function follow(t: ExecutionContext, store: EtcdLeaseStore): Promise<Following> {
  const following = new Following();
  const watch = store.watch(following);
  t.teardown(() => watch.close());
  await watch.ready;
  return following;
}

/** Another client of the same etcd, which writes what it likes. */
export class Other {
  readonly client: EtcdClient;

  constructor(t: ExecutionContext, endpoint: string, options: { username?: string; password?: string } = {}) {
    this.client = new EtcdClient({ endpoints: endpoint, ...PATIENT, ...options });
    t.teardown(() => this.client.close());
  }

  /** Writes a key and returns the revision. */
  async put(key: string, value: string, lease = '0'): Promise<string> {
    const success = [{ requestPut: { key: bytes(key), value: bytes(value), lease } }];
    return (await this.client.txn({ compare: [], success, failure: [] })).header.revision;
  }

  /** Writes a key that etcd deletes after `ttlSeconds`; again, if so long went by before it was written. */
  async putFor(ttlSeconds: number, key: string, value: string): Promise<void> {
    for (;;) {
      const grant = await this.client.grant(ttlSeconds);
      try {
        await this.put(key, value, grant.id);
        return;
      } catch (error) {
        if (!String(error).includes('requested lease not found')) throw error;
      }
    }
  }

  async delete(key: string): Promise<string> {
    const success = [{ requestDeleteRange: { key: bytes(key) } }];
    return (await this.client.txn({ compare: [], success, failure: [] })).header.revision;
  }

  async get(key: string): Promise<{ value: string; lease: string; modRevision: string } | undefined> {
    const [kv] = (await this.client.range({ key: bytes(key) })).kvs;
    return kv && { value: Buffer.from(kv.value).toString(), lease: kv.lease, modRevision: kv.modRevision };
  }

  /** The keys below a prefix, without it. */
  async keys(prefix: string): Promise<string[]> {
    const rangeEnd = bytes(prefix);
    rangeEnd[rangeEnd.length - 1]!++;
    const { kvs } = await this.client.range({ key: bytes(prefix), rangeEnd });
    return kvs.map(({ key }) => Buffer.from(key).toString().slice(prefix.length));
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function attrs(publicIp: string, more: Partial<LeaseAttrs> = {}): LeaseAttrs {
  return { ...decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`), ...more };
}

export function pair(key: string): SubnetPair {
  return parseSubnetKey(key)!;
}

/** The value flanneld writes for the udp backend. */
export function udpValue(publicIp: string): string {
  return `{"PublicIP":"${publicIp}","PublicIPv6":null}`;
}
