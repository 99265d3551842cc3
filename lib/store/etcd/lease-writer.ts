/** Writes lease keys: always compare-and-swap, on a new grant or, for reservations, on none. */
import { messageOf, WeftError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Compare, KeyValue, RangeRequest, RequestOp } from './api.ts';
import type { EtcdClient, Grant } from './client.ts';
import { type Clocks, instantOf, LeaseTerm } from './lease-term.ts';

/** What must not have changed: the key's mod_revision, or that there is no such key. */
export type Expected = { readonly modRevision: string } | 'absent';

export interface LeaseWrite {
  readonly key: Uint8Array;
  readonly value: string;
  readonly expected: Expected;
  /** Nobody may have written any key of this range after this revision. */
  readonly unchangedSince?: { readonly range: Required<RangeRequest>; readonly revision: string };
}

export interface Written {
  /** Of the etcd it was written to. */
  readonly clusterId: string;
  readonly modRevision: string;
  /** Undefined without a grant. */
  readonly term: LeaseTerm | undefined;
}

/** `current`: the key as it is instead; undefined when it does not exist. */
export type LeaseWriteResult =
  | ({ readonly written: true } & Written)
  | { readonly written: false; readonly current: KeyValue | undefined };

export interface LeaseWriterOptions {
  readonly client: EtcdClient;
  readonly ttlSeconds: number;
  readonly log: Log;
  readonly clocks: Clocks;
}

/** Our choice: more than writes that can be under way, or unanswered, at once. */
const KNOWN_GRANTS = 16;

/** etcd's id for "no grant". */
export const NO_GRANT = '0';

export class LeaseWriter {
  readonly #options: LeaseWriterOptions;
  /** The last of our grants, whatever became of them. */
  #grants: readonly string[] = [];

  constructor(options: LeaseWriterOptions) {
    this.#options = options;
  }

  /** The grant is revoked when etcd said that nothing was written. When nobody knows, it may carry our key, and stays. */
  async writeOnNewGrant(write: LeaseWrite): Promise<LeaseWriteResult> {
    const { client, ttlSeconds, clocks } = this.#options;
    const begun = instantOf(clocks);
    const grant = await client.grant(ttlSeconds);
    this.#remember(grant.id);
    try {
      const result = await this.#swap(write, grant.id);
      if (result.written) return { ...result, term: new LeaseTerm(begun, grant.ttlSeconds * 1000) };
      await this.#revoke(grant);
      return result;
    } catch (error) {
      if (error instanceof WeftError && error.code !== 'STORE_UNREACHABLE') await this.#revoke(grant);
      throw error;
    }
  }

  /** Whether a grant is ours: nobody else can have written a key that hangs on it. */
  isOwnGrant(grantId: string): boolean {
    return this.#grants.includes(grantId);
  }

  /** Removes a key unless somebody has written it since; false then. True also when there is no such key any more. */
  async remove(key: Uint8Array, modRevision: string): Promise<boolean> {
    const response = await this.#options.client.txn({
      compare: [unchanged(key, { modRevision })],
      success: [{ requestDeleteRange: { key } }],
      failure: [{ requestRange: { key } }],
    });
    return response.succeeded || response.responses[0]?.responseRange?.kvs.length === 0;
  }

  #remember(grantId: string): void {
    this.#grants = [...this.#grants, grantId].slice(-KNOWN_GRANTS);
  }

  writeWithoutGrant(write: LeaseWrite): Promise<LeaseWriteResult> {
    return this.#swap(write, NO_GRANT);
  }

  async #swap(write: LeaseWrite, grantId: string): Promise<LeaseWriteResult> {
    const { key, expected } = write;
    const value = new TextEncoder().encode(write.value);
    const success: RequestOp[] = [{ requestPut: { key, value, lease: grantId } }];
    const compare = [unchanged(key, expected)];
    if (write.unchangedSince !== undefined) {
      const { range, revision } = write.unchangedSince;
      compare.push({ ...range, target: 'MOD', result: 'LESS', modRevision: String(BigInt(revision) + 1n) });
    }
    const response = await this.#options.client.txn({ compare, success, failure: [{ requestRange: { key } }] });
    const { clusterId, revision } = response.header;
    const term = undefined;
    if (response.succeeded) return { written: true, clusterId, modRevision: revision, term };
    const current = response.responses[0]?.responseRange?.kvs[0];
    // The request was sent twice and the first one was done: no other key can hang on a grant of ours.
    if (current !== undefined && grantId !== NO_GRANT && current.lease === grantId)
      return { written: true, clusterId, modRevision: current.modRevision, term };
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
