/** Writes lease keys: always compare-and-swap, on a new grant or, for reservations, on none. */
import { messageOf, WeftError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Compare, KeyValue, RangeRequest, RequestOp } from './api.ts';
import type { EtcdClient, Grant } from './client.ts';

/** What must not have changed: the key's mod_revision, or that there is no such key. */
export type Expected = { readonly modRevision: string } | 'absent';

export interface LeaseWrite {
  readonly key: Uint8Array;
  readonly value: string;
  readonly expected: Expected;
  /** Keys that go in the same transaction, provided that nobody touched them either. */
  readonly remove?: readonly { readonly fullKey: Uint8Array; readonly modRevision: string }[];
  /** Nobody may have written any key of this range after this revision. */
  readonly unchangedSince?: { readonly range: Required<RangeRequest>; readonly revision: string };
}

export interface Written {
  readonly modRevision: string;
  /** Unix time in ms; undefined without a grant. */
  readonly expiresAtMs: number | undefined;
}

/** `current`: the key as it is instead; undefined when it does not exist. */
export type LeaseWriteResult =
  | ({ readonly written: true } & Written)
  | { readonly written: false; readonly current: KeyValue | undefined };

export interface LeaseWriterOptions {
  readonly client: EtcdClient;
  readonly ttlSeconds: number;
  readonly log: Log;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** etcd's id for "no grant". */
export const NO_GRANT = '0';

export class LeaseWriter {
  readonly #options: LeaseWriterOptions;

  constructor(options: LeaseWriterOptions) {
    this.#options = options;
  }

  /** The grant is revoked when etcd said that nothing was written. When nobody knows, it may carry our key, and stays. */
  async writeOnNewGrant(write: LeaseWrite): Promise<LeaseWriteResult> {
    const { client, ttlSeconds, now } = this.#options;
    const begunMs = now();
    const grant = await client.grant(ttlSeconds);
    try {
      const result = await this.#swap(write, grant.id);
      if (result.written) return { ...result, expiresAtMs: begunMs + grant.ttlSeconds * 1000 };
      await this.#revoke(grant);
      return result;
    } catch (error) {
      if (error instanceof WeftError && error.code !== 'STORE_UNREACHABLE') await this.#revoke(grant);
      throw error;
    }
  }

  writeWithoutGrant(write: LeaseWrite): Promise<LeaseWriteResult> {
    return this.#swap(write, NO_GRANT);
  }

  async #swap(write: LeaseWrite, grantId: string): Promise<LeaseWriteResult> {
    const { key, expected, remove = [] } = write;
    const value = new TextEncoder().encode(write.value);
    const success: RequestOp[] = [{ requestPut: { key, value, lease: grantId } }];
    for (const { fullKey } of remove) success.push({ requestDeleteRange: { key: fullKey } });
    const compare = [unchanged(key, expected), ...remove.map((gone) => unchanged(gone.fullKey, gone))];
    if (write.unchangedSince !== undefined) {
      const { range, revision } = write.unchangedSince;
      compare.push({ ...range, target: 'MOD', result: 'LESS', modRevision: String(BigInt(revision) + 1n) });
    }
    const response = await this.#options.client.txn({ compare, success, failure: [{ requestRange: { key } }] });
    const expiresAtMs = undefined;
    if (response.succeeded) return { written: true, modRevision: response.header.revision, expiresAtMs };
    const current = response.responses[0]?.responseRange?.kvs[0];
    // The request was sent twice and the first one was done: no other key can hang on a grant of ours.
    if (current !== undefined && grantId !== NO_GRANT && current.lease === grantId)
      return { written: true, modRevision: current.modRevision, expiresAtMs };
    return { written: false, current };
  }

  async #revoke(grant: Grant): Promise<void> {
    try {
      await this.#options.client.revoke(grant.id);
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'could not revoke an unused grant; it runs out by itself');
    }
  }
}

function unchanged(key: Uint8Array, expected: Expected): Compare {
  if (expected === 'absent') return { key, target: 'VERSION', version: '0' };
  return { key, target: 'MOD', modRevision: expected.modRevision };
}
