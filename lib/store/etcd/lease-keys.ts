/** Where the leases of a network are in etcd: the keys below `<prefix>/subnets/`. */
import type { SubnetPair } from '../../lease/lease.ts';
import { formatSubnetKey } from '../../lease/subnet-key.ts';
import type { KeyValue, RangeRequest } from './api.ts';
import { keyTail, readStoredKey, type SkippedKeys, type StoredKey } from './lease-view.ts';

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

  get prefixLength(): number {
    return this.#prefix.length;
  }

  keyOf(subnets: SubnetPair): Uint8Array {
    return new Uint8Array([...this.#prefix, ...new TextEncoder().encode(formatSubnetKey(subnets))]);
  }

  /** A key without `<prefix>/subnets/`. */
  tailOf(key: Uint8Array): string {
    return keyTail(key, this.prefixLength);
  }

  read(kvs: readonly KeyValue[]): StoredKey[] {
    return kvs.map((kv) => readStoredKey(kv, this.prefixLength, this.#skipped));
  }
}
