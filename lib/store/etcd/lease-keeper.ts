/**
 * Keeps the own lease: renews it, and sees to it that its key in etcd is what was written.
 *
 *   a list or event that says otherwise ──> look: all keys at one revision ──> own-standing.ts ──> what is done
 *   margin before its end               ──> compare-and-swap on a new grant, every `retryMs` until it worked
 *
 * gone        written again at once, if the configuration (when there is one again) still has a place for it
 * taken       nothing is written; given up at once if the other node made the key anew, else after `yieldMs`
 * overlapped  an older lease of another node has a subnet of it: the key is removed, the lease given up
 * rewritten   another machine has our PublicIP, and it cannot be told from a restart of this one: nothing is written before
 *             the next renewal, or the two would write in turns for ever
 *
 * flannel renews the same way (not with KeepAlive, which would bind the lease to one connection).
 */
import { Backoff, doubling } from '../../backoff.ts';
import { messageOf, WeftError } from '../../error.ts';
import { fitsConfig } from '../../lease/allocate.ts';
import type { LeaseAttrs, SubnetPair } from '../../lease/lease.ts';
import { encodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import type { NetworkConfig } from '../../lease/network-config.ts';
import { holdsSubnetOf, type OwnKey, type Standing, standingOf } from '../../lease/own-standing.ts';
import { subnetsClaimedByKey } from '../../lease/subnet-key.ts';
import type { Log } from '../../log.ts';
import type { OwnLeaseCondition } from '../store.ts';
import { type Clocks, instantOf, LeaseTerm } from './lease-term.ts';
import type { KeyChange, StoredKey } from './lease-view.ts';
import type { Expected, LeaseWriter, Written } from './lease-writer.ts';

/** All keys of leases, read at `revision`. */
interface KeyList {
  readonly clusterId: string;
  readonly revision: string;
  readonly keys: readonly StoredKey[];
}

export interface LeaseKeeperOptions {
  readonly writer: LeaseWriter;
  /** The key without `<prefix>/subnets/`, and whole. */
  readonly key: string;
  readonly fullKey: Uint8Array;
  readonly subnets: SubnetPair;
  readonly value: string;
  readonly publicIp: number;
  readonly list: () => Promise<KeyList>;
  readonly networkConfig: () => Promise<NetworkConfig>;
  readonly marginMs: number;
  /** How long after a failed renewal the next one is tried; also the least time between two corrections of a value. */
  readonly retryMs: number;
  /** How long another node's value may stand over ours before the subnet is given up. */
  readonly yieldMs: number;
  readonly clocks: Clocks;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** After each write, the one before it was kept included. */
  readonly onWritten: (written: Written) => void;
  readonly onCondition: (condition: OwnLeaseCondition) => void;
}

/** Our choice: how often the clocks are looked at. A timer alone would sleep on after the machine has slept. */
const TICK_MS = 10_000;
/** Our choice: soon enough for a config that is written right after etcd was set up, seldom enough for a hundred nodes. */
const LOOK_PAUSES_MS = doubling(250, 2000);
/** Part of each pause that is random. */
const JITTER = 0.5;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #backoff: Backoff;
  #written: Written;
  /** What the next renewal compares with: of our own write, or of the one that was put over it. */
  #expectedRevision: string;
  #writtenAtMs: number;
  #condition: OwnLeaseCondition = { kind: 'held' };
  /** Since when the condition is `taken`, by the uptime clock. */
  #takenAtMs = 0;
  /** Something said that the key is not as we wrote it. */
  #suspect = false;
  #retryAtMs = 0;
  #working = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  /** Takes over a lease as it was written; one without a term is a reservation and needs no renewal. */
  constructor(options: LeaseKeeperOptions, written: Written) {
    this.#options = options;
    this.#backoff = new Backoff(LOOK_PAUSES_MS, { part: JITTER, random: options.random });
    this.#written = written;
    this.#expectedRevision = written.modRevision;
    this.#writtenAtMs = options.clocks.uptime();
    options.onWritten(written);
    this.#schedule();
  }

  /** Unix time in ms; undefined for a reservation. */
  get expiresAtMs(): number | undefined {
    return this.#written.term?.expiresAtMs(instantOf(this.#options.clocks));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** A watch has listed all keys. */
  listed(keys: readonly StoredKey[]): void {
    if (this.#condition.kind !== 'held' || this.#standing(keys, true).kind !== 'ours') this.#look();
    // The machine may have slept: a renewal need not wait for the next look at the clocks.
    else void this.#work();
  }

  /** A watch has seen keys written and deleted. */
  changed(changes: readonly KeyChange[]): void {
    const { key, writer } = this.#options;
    const own = this.#ownKey(true);
    const concerns = (other: StoredKey): boolean =>
      other.key === key
        ? other.modRevision !== this.#written.modRevision && !writer.isOwnGrant(other.grantId)
        : holdsSubnetOf(own, other);
    if (changes.some((change) => (change.type === 'DELETE' ? change.key === key : concerns(change.key)))) this.#look();
  }

  #look(): void {
    this.#suspect = true;
    this.#retryAtMs = 0;
    void this.#work();
  }

  /** Never rejects; what comes up meanwhile is done before it ends. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    clearTimeout(this.#timer);
    while (!this.#stopped && this.#uptime() >= this.#retryAtMs && (this.#suspect || this.#isDue())) {
      const renewing = !this.#suspect;
      this.#suspect = false;
      try {
        if (renewing) await this.#write({ modRevision: this.#expectedRevision }, 'renewed the lease');
        else await this.#lookNow();
        this.#backoff.reset();
      } catch (error) {
        if (!this.#stopped) this.#failed(error, renewing);
      }
    }
    this.#working = false;
    this.#schedule();
  }

  #failed(error: unknown, renewing: boolean): void {
    const { log, retryMs } = this.#options;
    const reason = messageOf(error);
    this.#suspect ||= !renewing;
    this.#retryAtMs = this.#uptime() + (renewing ? retryMs : this.#backoff.next());
    if (renewing) log.warn({ reason, expiresAt: this.#expiryText() }, 'could not renew the lease; trying again');
    else if (!(error instanceof WeftError)) log.error({ err: error }, 'could not look after the lease; trying again');
    if (this.#condition.kind === 'gone') this.#become({ kind: 'gone', obstacle: reason });
  }

  /** A renewal is due by one of the two clocks. */
  #isDue(): boolean {
    return this.#untilDueMs() <= 0;
  }

  #untilDueMs(): number {
    const { clocks, marginMs } = this.#options;
    const { term } = this.#written;
    if (term === undefined || (this.#condition.kind !== 'held' && this.#condition.kind !== 'shared'))
      return Number.POSITIVE_INFINITY;
    return term.leftMs(instantOf(clocks)) - marginMs;
  }

  #schedule(): void {
    if (this.#stopped) return;
    const now = this.#uptime();
    const yieldMs = this.#condition.kind === 'taken' ? this.#takenAtMs + this.#options.yieldMs - now : TICK_MS;
    const workMs = Math.max(this.#suspect ? 0 : this.#untilDueMs(), this.#retryAtMs - now);
    const delayMs = Math.min(Math.max(Math.min(yieldMs, workMs), 0), TICK_MS);
    this.#timer = setTimeout(() => {
      this.#suspect ||= this.#condition.kind === 'taken' && this.#isYielding();
      void this.#work();
    }, delayMs);
  }

  async #lookNow(): Promise<void> {
    const { clusterId, revision, keys } = await this.#options.list();
    if (this.#stopped) return;
    const written = this.#written;
    // A cluster that is set up anew in the same way has the same id.
    const sameStore = clusterId === written.clusterId && BigInt(revision) >= BigInt(written.modRevision);
    await this.#act(this.#standing(keys, sameStore), clusterId);
  }

  #act(standing: Standing<StoredKey>, clusterId: string): Promise<void> | void {
    switch (standing.kind) {
      case 'ours':
        return this.#adopt(standing.held, clusterId);
      case 'restored':
        return this.#write({ modRevision: standing.held.modRevision }, 'wrote the lease again');
      case 'gone':
        return standing.by === undefined ? this.#takeAgain() : this.#giveUp(standing.by);
      case 'taken':
        return this.#makeWay(standing.by, standing.anew);
      case 'overlapped':
        return this.#withdraw(standing.by, standing.held);
      case 'rewritten':
        return this.#share(standing.held);
      case 'reserved':
        return this.#reserve(standing.held, clusterId);
      case 'unreadable':
        return this.#correct(standing.held);
    }
  }

  #adopt({ modRevision, reserved }: StoredKey, clusterId: string): void {
    // A write that nobody answered: what it was granted is not known, so that it is due at once.
    const unanswered = new LeaseTerm(instantOf(this.#options.clocks), 0);
    const term = reserved ? undefined : (this.#written.term ?? unanswered);
    this.#written = { clusterId, modRevision, term };
    this.#expectedRevision = modRevision;
    this.#become({ kind: 'held' });
  }

  async #takeAgain(): Promise<void> {
    const { log, networkConfig, subnets } = this.#options;
    if (this.#condition.kind !== 'gone') {
      const reservation = this.#written.term === undefined ? ' (it was a reservation, and becomes a lease)' : '';
      log.warn({}, `the lease was gone; taking the same subnet again${reservation}`);
      this.#become({ kind: 'gone', obstacle: undefined });
    }
    // An etcd that was set up anew may have none yet, or one of another network.
    if (!fitsConfig(subnets, await networkConfig())) return this.#giveUp(undefined);
    await this.#write('absent', 'wrote the lease again');
  }

  #makeWay(by: LeaseAttrs, anew: boolean): void {
    if (this.#condition.kind !== 'taken') this.#takenAtMs = this.#uptime();
    this.#become({ kind: 'taken', by });
    if (anew || this.#isYielding()) this.#giveUp(by);
  }

  #isYielding(): boolean {
    return this.#uptime() - this.#takenAtMs >= this.#options.yieldMs;
  }

  async #withdraw(by: LeaseAttrs, { modRevision }: StoredKey): Promise<void> {
    const { writer, fullKey } = this.#options;
    if (await writer.remove(fullKey, modRevision)) this.#giveUp(by);
    else this.#suspect = true;
  }

  async #share({ modRevision }: StoredKey): Promise<void> {
    // Given back: whoever had taken it has another PublicIP.
    if (this.#condition.kind === 'taken') return this.#write({ modRevision }, 'wrote the lease again');
    this.#expectedRevision = modRevision;
    this.#become({ kind: 'shared' });
  }

  async #reserve(held: StoredKey, clusterId: string): Promise<void> {
    const { lease, modRevision } = held;
    this.#options.log.info({}, 'the lease has become a reservation; it no longer needs renewal');
    this.#adopt(held, clusterId);
    // Written by hand, without what our backend's peers need to know.
    if (lease !== undefined && encodeLeaseAttrs(lease.attrs) !== this.#options.value)
      await this.#write({ modRevision }, 'completed the reservation');
  }

  /** Whoever wrote that may go on: not more than one write in `retryMs`. */
  async #correct({ modRevision }: StoredKey): Promise<void> {
    const earliestMs = this.#writtenAtMs + this.#options.retryMs;
    if (this.#uptime() >= earliestMs)
      return this.#write({ modRevision }, 'wrote the lease over a value that nobody can read');
    this.#suspect = true;
    this.#retryAtMs = earliestMs;
  }

  /** On a new grant, but for a reservation that is still there. */
  async #write(expected: Expected, message: string): Promise<void> {
    const { writer, fullKey: key, value, log } = this.#options;
    const write = { key, value, expected };
    const reserved = this.#written.term === undefined && expected !== 'absent';
    const result = await (reserved ? writer.writeWithoutGrant(write) : writer.writeOnNewGrant(write));
    if (!result.written) {
      this.#suspect = true;
      return;
    }
    this.#written = result;
    this.#options.onWritten(result);
    this.#expectedRevision = result.modRevision;
    this.#writtenAtMs = this.#uptime();
    log.info({ expiresAt: this.#expiryText() }, message);
    this.#become({ kind: 'held' });
  }

  /** `to`: who has the subnet now; undefined when the network has no place for it any more. */
  #giveUp(to: LeaseAttrs | undefined): void {
    this.stop();
    this.#become({ kind: 'lost', to });
  }

  #become(condition: OwnLeaseCondition): void {
    this.#condition = condition;
    this.#options.onCondition(condition);
  }

  #standing(keys: readonly StoredKey[], sameStore: boolean): Standing<StoredKey> {
    return standingOf(this.#ownKey(sameStore), keys, ({ grantId }) => this.#options.writer.isOwnGrant(grantId));
  }

  #ownKey(sameStore: boolean): OwnKey {
    const { key, publicIp } = this.#options;
    const { modRevision, term } = this.#written;
    return { key, publicIp, claims: subnetsClaimedByKey(key), reserved: term === undefined, modRevision, sameStore };
  }

  #uptime(): number {
    return this.#options.clocks.uptime();
  }

  #expiryText(): string | undefined {
    const { expiresAtMs } = this;
    return expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString();
  }
}
