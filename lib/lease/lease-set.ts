/**
 * The leases of a network as a store shows them: the one place that decides what a complete list, or a change, makes of
 * those known before. Pure: time is passed in.
 *
 *   store ── complete list, changes, time ──> LeaseSet ── LeaseEvent ──> listener
 *
 * A peer whose key is gone still forwards what it forwarded a moment ago, and may write its lease again: its lease is
 * *leaving*, and stays in force until somebody leases its subnet, or until a time that `departure.ts` says.
 *
 * Each watch of a store owns one set. Nobody else keeps one: the list of an event never changes, and is passed on by reference.
 */
import { decideDepartures, type Loss, type Standing } from './departure.ts';
import type { KnownLease, Lease, StoredLease, SubnetPair } from './lease.ts';
import { encodeLeaseAttrs } from './lease-attrs.ts';
import { prefixesOf, visitNested } from './overlap.ts';
import { formatSubnetKey } from './subnet-key.ts';

/** A change as the store made it. */
export type StoredChange =
  | { readonly type: 'put'; readonly lease: StoredLease }
  | { readonly type: 'delete'; readonly subnets: SubnetPair };

/** What became of one lease. `previous`: as it was before; undefined for a new one. */
export type LeaseChange =
  | { readonly type: 'put'; readonly lease: KnownLease; readonly previous: KnownLease | undefined }
  /** Its key is gone; the lease stays in force for a while. */
  | { readonly type: 'leave'; readonly lease: KnownLease }
  /** It is no longer in force. */
  | { readonly type: 'delete'; readonly previous: KnownLease };

export interface LeaseEvent {
  /**
   * All leases in force, in the order in which they count where two contradict each other: those whose key is there, the
   * oldest key first; then those that are leaving, in the same order.
   */
  readonly leases: readonly KnownLease[];
  /** How they came about from those of the event before. */
  readonly changes: readonly LeaseChange[];
  /**
   * True: from a complete list; only leases whose attributes differ are changes, as every renewal moves the expiry time.
   * False: the store's own writes, in its order, those that only renew a lease too, then what its deletions came to; or what
   * was leaving has left.
   */
  readonly complete: boolean;
  /** How it came that leases are kept although their keys are gone; undefined while none is. */
  readonly loss: Loss | undefined;
}

export interface LeaseSetOptions {
  /** Whether a lease is this node's own: such a one goes with its key, and is no peer. */
  readonly isOwn: (lease: Lease) => boolean;
  /** How long a lease stays when its key is gone. In ms. */
  readonly leavingMs: number;
}

interface Entry extends Standing {
  readonly key: string;
  /** What events say of it. */
  readonly known: KnownLease;
}

export class LeaseSet {
  readonly #options: LeaseSetOptions;
  /** By key, the oldest first. */
  #entries = new Map<string, Entry>();
  /** The last of `#entries` that was added; one that ought to stand before it spoils the order. */
  #youngest: Entry | undefined;
  #inOrder = true;
  #loss: Loss | undefined;

  constructor(options: LeaseSetOptions) {
    this.#options = options;
  }

  get(subnets: SubnetPair): StoredLease | undefined {
    return this.#entries.get(formatSubnetKey(subnets))?.lease;
  }

  /** When `expire` has something to do; undefined: not before the next list or change. */
  get nextMs(): number | undefined {
    const times = [...this.#entries.values()].map(({ departure }) => departure?.untilMs ?? Number.POSITIVE_INFINITY);
    const next = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    return Number.isFinite(next) ? next : undefined;
  }

  /**
   * Takes a complete list. Changes: new leases, then different ones and those that came back, then those whose key is gone.
   * `sameHistory`: false when it comes from another store than what is known, or from an earlier state of it; then what is
   * missing in it says nothing.
   */
  replace(leases: readonly StoredLease[], nowMs: number, sameHistory = true): LeaseEvent {
    const before = this.#entries;
    this.#entries = new Map();
    this.#youngest = undefined;
    const added: LeaseChange[] = [];
    const changed: LeaseChange[] = [];
    for (const lease of leases) {
      const entry = this.#put(lease, nowMs);
      const known = before.get(entry.key);
      const change = { type: 'put', lease: entry.known, previous: known?.known } as const;
      if (known === undefined) added.push(change);
      else if (known.departure !== undefined || encodeLeaseAttrs(known.lease.attrs) !== encodeLeaseAttrs(lease.attrs))
        changed.push(change);
    }
    const missing = [...before.values()].filter(({ key }) => !this.#entries.has(key));
    for (const entry of missing) this.#add(entry);
    const gone = missing.filter(({ departure }) => departure === undefined);
    const left = this.#leave(gone, nowMs, sameHistory ? 'list' : 'another-history');
    return this.#event([...added, ...changed, ...left], true);
  }

  /** Takes changes in the store's order. The deletion of a lease that is not known, or is leaving, changes nothing. */
  apply(stored: readonly StoredChange[], nowMs: number): LeaseEvent {
    const changes: LeaseChange[] = [];
    const gone = new Map<string, Entry>();
    for (const change of stored) {
      const key = formatSubnetKey(change.type === 'put' ? change.lease.subnets : change.subnets);
      const known = this.#entries.get(key);
      if (change.type === 'put') {
        gone.delete(key);
        const { known: lease } = this.#put(change.lease, nowMs);
        changes.push({ type: 'put', lease, previous: known?.known });
      } else if (known !== undefined && known.departure === undefined) gone.set(key, known);
    }
    return this.#event([...changes, ...this.#leave([...gone.values()], nowMs, 'changes')], false);
  }

  /** Ends what has been leaving for long enough; undefined when there is nothing of the kind. */
  expire(nowMs: number): LeaseEvent | undefined {
    const due = [...this.#entries.values()].filter(
      ({ departure }) => departure !== undefined && departure.untilMs <= nowMs,
    );
    return due.length === 0 ? undefined : this.#event(this.#end(due), false);
  }

  /** The store is followed again: whoever could not write to it meanwhile has the whole time anew. */
  resume(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      const { departure } = entry;
      if (departure === undefined || departure.kept) continue;
      const untilMs = Math.max(departure.untilMs, nowMs + this.#options.leavingMs);
      this.#entries.set(entry.key, entryOf(entry.key, { ...entry, departure: { ...departure, untilMs } }));
    }
  }

  #put(lease: StoredLease, seenMs: number): Entry {
    const entry = entryOf(formatSubnetKey(lease.subnets), { lease, seenMs, departure: undefined });
    const known = this.#entries.get(entry.key);
    // A key that was made anew is the youngest.
    if (known?.lease.createRevision !== lease.createRevision) {
      this.#entries.delete(entry.key);
      this.#add(entry);
    } else this.#entries.set(entry.key, entry);
    return entry;
  }

  #add(entry: Entry): void {
    if (this.#youngest !== undefined && byAge(this.#youngest, entry) > 0) this.#inOrder = false;
    this.#entries.set(entry.key, entry);
    this.#youngest = entry;
  }

  /** The keys of `gone` are; decides how long each lease stays, of those that were leaving already too. */
  #leave(gone: readonly Entry[], nowMs: number, how: Loss['how']): LeaseChange[] {
    const { isOwn, leavingMs } = this.#options;
    const ended = this.#end(gone.filter(({ lease }) => isOwn(lease)));
    const peers = [...this.#entries.values()].filter(({ lease }) => !isOwn(lease));
    const justGone = new Set(gone.filter(({ lease }) => !isOwn(lease)));
    if (justGone.size === 0 && peers.every(({ departure }) => departure === undefined)) return ended;
    const { departures, loss } = decideDepartures(peers, justGone, { how, nowMs, leavingMs });
    this.#loss = loss ?? this.#loss;
    for (const [entry, departure] of departures)
      this.#entries.set(entry.key, entryOf(entry.key, { ...entry, departure }));
    const left = [...justGone].map(({ key }): LeaseChange => ({ type: 'leave', lease: this.#entries.get(key)!.known }));
    return [...ended, ...left, ...this.#end(this.#givingWay())];
  }

  /** What is leaving and overlaps a lease whose key is there: the subnet is somebody's. */
  #givingWay(): Entry[] {
    const placed = [...this.#entries.values()].flatMap((entry) =>
      prefixesOf(entry.lease.subnets).map((prefix) => ({ prefix, item: entry })),
    );
    const giving = new Set<Entry>();
    visitNested(placed, (inner, around) => {
      if (inner.departure === undefined) {
        for (const { item } of around) if (item.departure !== undefined) giving.add(item);
      } else if (around.some(({ item }) => item.departure === undefined)) giving.add(inner);
    });
    return [...giving];
  }

  #end(entries: readonly Entry[]): LeaseChange[] {
    for (const { key } of entries) this.#entries.delete(key);
    return entries.map((entry) => ({ type: 'delete', previous: entry.known }));
  }

  #event(changes: readonly LeaseChange[], complete: boolean): LeaseEvent {
    if (!this.#inOrder) this.#sort();
    const all = [...this.#entries.values()];
    const isHere = ({ departure }: Entry): boolean => departure === undefined;
    const leases = [...all.filter(isHere), ...all.filter((entry) => !isHere(entry))].map(({ known }) => known);
    if (!all.some(({ departure }) => departure?.kept === true)) this.#loss = undefined;
    return { leases, changes, complete, loss: this.#loss };
  }

  #sort(): void {
    const sorted = [...this.#entries.values()].sort(byAge);
    this.#entries = new Map(sorted.map((entry) => [entry.key, entry]));
    this.#youngest = sorted.at(-1);
    this.#inOrder = true;
  }
}

/** Of keys made in one transaction the first by name: any order will do that is the same on every node. */
function byAge(a: Entry, b: Entry): number {
  const [first, second] = [a.lease.createRevision, b.lease.createRevision];
  if (first !== second) return first < second ? -1 : 1;
  return a.key < b.key ? -1 : Number(a.key > b.key);
}

function entryOf(key: string, { lease, seenMs, departure }: Standing): Entry {
  return { key, lease, seenMs, departure, known: { ...lease, leavesAtMs: departure?.untilMs } };
}
