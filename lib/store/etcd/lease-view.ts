/** What the keys below `<prefix>/subnets/` mean, kept up from lists and events. */
import { messageOf } from '../../error.ts';
import { quoteText } from '../../lease/go-json.ts';
import type { StoredLease } from '../../lease/lease.ts';
import { decodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import { type LeaseEvent, LeaseSet, type LeaseSetOptions, type StoredChange } from '../../lease/lease-set.ts';
import type { VersionedKey } from '../../lease/own-standing.ts';
import { parseSubnetKey, subnetsClaimedByKey } from '../../lease/subnet-key.ts';
import type { Log } from '../../log.ts';
import type { KeyValue } from './api.ts';
import { NO_GRANT } from './lease-writer.ts';

/** A key as it is in the store. */
export interface StoredKey extends VersionedKey {
  /** The whole key. */
  readonly fullKey: Uint8Array;
  /** The grant it hangs on; '0' for none. */
  readonly grantId: string;
}

/** A key that was written, or that is gone: then without `<prefix>/subnets/`. */
export type KeyChange =
  | { readonly type: 'PUT'; readonly key: StoredKey }
  | { readonly type: 'DELETE'; readonly key: string };

/** Keys and values that cannot be read: counted and logged once per version of a key. */
export class SkippedKeys {
  #count = 0;
  readonly #log: Log;
  /** The last version of each unreadable key that was logged. */
  #known = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  get count(): number {
    return this.#count;
  }

  add(kv: KeyValue, reason: string): void {
    const identity = text(kv.key, 'latin1');
    if (this.#known.get(identity) === kv.modRevision) return;
    this.#known.set(identity, kv.modRevision);
    this.#count++;
    const fields = { key: quoteText(text(kv.key), 200), modRevision: kv.modRevision, reason };
    this.#log.warn(fields, 'skipped a lease that does not parse');
  }

  /** Forgets keys that are not in a complete list, so that memory stays bounded by what is in the store. */
  keepOnly(kvs: readonly KeyValue[]): void {
    if (this.#known.size === 0) return;
    const present = new Set(kvs.map(({ key }) => text(key, 'latin1')));
    this.#known = new Map([...this.#known].filter(([identity]) => present.has(identity)));
  }
}

/** A key without `<prefix>/subnets/`. */
export function keyTail(key: Uint8Array, prefixLength: number): string {
  return text(key.subarray(prefixLength), 'latin1');
}

/** Reads one key; what does not parse is reported to `skipped`. `prefixLength`: bytes of `<prefix>/subnets/`. */
export function readStoredKey(kv: KeyValue, prefixLength: number, skipped: SkippedKeys): StoredKey {
  const key = keyTail(kv.key, prefixLength);
  const stored = {
    key,
    fullKey: kv.key,
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    grantId: kv.lease,
    claims: subnetsClaimedByKey(key),
    reserved: kv.lease === NO_GRANT,
  };
  const subnets = parseSubnetKey(key);
  if (subnets === undefined) {
    skipped.add(kv, 'the key does not name a subnet as flannel writes it');
    return { ...stored, lease: undefined };
  }
  try {
    return { ...stored, lease: { subnets, attrs: decodeLeaseAttrs(text(kv.value)) } };
  } catch (error) {
    skipped.add(kv, messageOf(error));
    return { ...stored, lease: undefined };
  }
}

/**
 * Turns keys, listed or changed, into leases. Times are monotonic, in ms.
 *
 * A value that stops being readable does not end a lease: its key is still there, so its node still holds the subnet, and
 * the last readable value stays until a readable one or the end of the key. (A daemon that starts in the meantime has
 * no such value and does without that peer.)
 */
export class LeaseView {
  readonly #leases: LeaseSet;

  constructor(options: LeaseSetOptions) {
    this.#leases = new LeaseSet(options);
  }

  /** When `expire` has something to do; undefined: nothing is leaving. */
  get nextMs(): number | undefined {
    return this.#leases.nextMs;
  }

  /** Takes a complete list. `sameHistory`: false when it cannot be compared with what is known (EtcdWatchOptions.onList). */
  list(keys: readonly StoredKey[], nowMs: number, sameHistory: boolean): LeaseEvent {
    const leases = keys.map((key) => this.#leaseOf(key)).filter((lease) => lease !== undefined);
    return this.#leases.replace(leases, nowMs, sameHistory);
  }

  /** Takes changes in etcd's order. Those of keys that name no lease, and values that cannot be read, are left out. */
  change(changes: readonly KeyChange[], nowMs: number): LeaseEvent {
    return this.#leases.apply(
      changes.map(storedChange).filter((change) => change !== undefined),
      nowMs,
    );
  }

  /** Ends what has been leaving for long enough; undefined when there is nothing of the kind. */
  expire(nowMs: number): LeaseEvent | undefined {
    return this.#leases.expire(nowMs);
  }

  /** etcd is followed again: what is leaving has its whole time anew. */
  resume(nowMs: number): void {
    this.#leases.resume(nowMs);
  }

  #leaseOf(key: StoredKey): StoredLease | undefined {
    const lease = storedLease(key);
    if (lease !== undefined) return lease;
    const subnets = parseSubnetKey(key.key);
    return subnets && this.#leases.get(subnets);
  }
}

function storedChange({ type, key }: KeyChange): StoredChange | undefined {
  if (type === 'DELETE') {
    const subnets = parseSubnetKey(key);
    return subnets && { type: 'delete', subnets };
  }
  const lease = storedLease(key);
  return lease && { type: 'put', lease };
}

function storedLease({ lease, createRevision, reserved }: StoredKey): StoredLease | undefined {
  return lease && { ...lease, expiresAtMs: undefined, createRevision: BigInt(createRevision), reserved };
}

function text(bytes: Uint8Array, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}
