/**
 * Keeps the own lease: a new grant and a compare-and-swap of the key, `marginMs` before it ends, and from then on at
 * every `retryMs` until it worked. flannel renews the same way (not with KeepAlive, which would bind the lease to one connection).
 */
import { messageOf } from '../../error.ts';
import { quoteText } from '../../lease/go-json.ts';
import { decodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import type { Log } from '../../log.ts';
import type { KeyValue } from './api.ts';
import { type Expected, type LeaseWriter, NO_GRANT, type Written } from './lease-writer.ts';

export interface RenewalOptions {
  readonly writer: LeaseWriter;
  readonly key: Uint8Array;
  readonly value: string;
  readonly publicIp: number;
  readonly marginMs: number;
  /** How long after a failed renewal the next one is tried. */
  readonly retryMs: number;
  readonly log: Log;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** setTimeout takes no longer delay (2^31 - 1 ms, 24.8 days). */
const MAX_TIMER_MS = 0x7fffffff;

export class LeaseRenewal {
  readonly #options: RenewalOptions;
  #expected: Expected;
  #expiresAtMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** Takes over a lease as it was written; one that does not expire is a reservation and needs no renewal. */
  constructor(options: RenewalOptions, written: Written) {
    this.#options = options;
    this.#expected = { modRevision: written.modRevision };
    this.#expiresAtMs = written.expiresAtMs;
    this.#schedule(0);
  }

  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(earliestMs: number): void {
    if (this.#stopped || this.#expiresAtMs === undefined) return;
    const dueMs = this.#expiresAtMs - this.#options.marginMs - this.#options.now();
    const delayMs = Math.min(Math.max(dueMs, earliestMs), MAX_TIMER_MS);
    this.#timer = setTimeout(() => void this.#renew(), delayMs);
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    try {
      const renewed = await this.#write();
      this.#schedule(renewed ? 0 : this.#options.retryMs);
    } catch (error) {
      if (this.#stopped) return;
      const fields = { reason: messageOf(error), expiresAt: this.#expiryText() };
      this.#options.log.warn(fields, 'could not renew the lease; trying again');
      this.#schedule(this.#options.retryMs);
    }
  }

  async #write(): Promise<boolean> {
    const { writer, key, value, log } = this.#options;
    let result = await writer.writeOnNewGrant({ key, value, expected: this.#expected });
    if (!result.written) {
      const expected = this.#expectedInstead(result.current);
      if (expected === undefined) return false;
      result = await writer.writeOnNewGrant({ key, value, expected });
    }
    if (!result.written) throw new Error('the key changed twice while it was being renewed');
    this.#expected = { modRevision: result.modRevision };
    this.#expiresAtMs = result.expiresAtMs;
    log.info({ expiresAt: this.#expiryText() }, 'renewed the lease');
    return true;
  }

  /** Somebody wrote or removed our key: what to compare with to take it back; undefined when it must stay as it is. */
  #expectedInstead(current: KeyValue | undefined): Expected | undefined {
    const { log } = this.#options;
    if (current === undefined) {
      log.warn({}, 'the lease was gone; taking the same subnet again');
      return 'absent';
    }
    if (!this.#isOurs(current)) {
      const fields = { value: quoteText(Buffer.from(current.value).toString('utf8'), 200) };
      log.error(fields, 'another node holds the subnet of this node: one of the two must restart');
      return undefined;
    }
    if (current.lease !== NO_GRANT) return { modRevision: current.modRevision };
    log.info({}, 'the lease has become a reservation; it no longer needs renewal');
    this.#expiresAtMs = undefined;
    return undefined;
  }

  #isOurs(current: KeyValue): boolean {
    try {
      return decodeLeaseAttrs(Buffer.from(current.value).toString('utf8')).publicIp === this.#options.publicIp;
    } catch {
      return false;
    }
  }

  #expiryText(): string | undefined {
    return this.#expiresAtMs === undefined ? undefined : new Date(this.#expiresAtMs).toISOString();
  }
}
