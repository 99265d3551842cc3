/** Where the leases of a network are in etcd: the keys below `<prefix>/subnets/`. */
import type { SubnetPair } from '../../lease/lease.ts';
import { formatSubnetKey } from '../../lease/subnet-key.ts';
import type { KeyValue, RangeRequest, WatchEvent } from './api.ts';
import { type KeyChange, keyTail, readStoredKey, type SkippedKeys, type StoredKey } from './lease-view.ts';

export class LeaseKeys {
  /** `<prefix>/subnets/`: with the slash, or `subnetsOfSomebodyElse` would be ours too. */
  readonly #prefix: Uint8Array;
  readonly #skipped: SkippedKeys;
  /** All of them. */
  readonly range: Required<RangeRequest>;

  /** `prefix`: of the network, without a slash at its end. */
  constructor(prefix: string, skipped: SkippedKeys) {
    this.#prefix = new TextEncoder().encode(`${prefix}/subnets/`);
    this.#skipped = skipped;
    // The first key after all that begin with the prefix: its last byte, "/", plus one.
    const rangeEnd = this.#prefix.slice();
    rangeEnd[rangeEnd.length - 1] = 0x30;
    this.range = { key: this.#prefix, rangeEnd };
  }

  keyOf(subnets: SubnetPair): Uint8Array {
    return new Uint8Array([...this.#prefix, ...new TextEncoder().encode(formatSubnetKey(subnets))]);
  }

  read(kvs: readonly KeyValue[]): StoredKey[] {
    return kvs.map((kv) => readStoredKey(kv, this.#prefix.length, this.#skipped));
  }

  /** As `read`, of all there are. */
  readAll(kvs: readonly KeyValue[]): StoredKey[] {
    this.#skipped.keepOnly(kvs);
    return this.read(kvs);
  }

  readChanges(events: readonly WatchEvent[]): KeyChange[] {
    const { length } = this.#prefix;
    return events.map(({ type, kv }) =>
      type === 'PUT' ? { type, key: readStoredKey(kv, length, this.#skipped) } : { type, key: keyTail(kv.key, length) },
    );
  }
}
