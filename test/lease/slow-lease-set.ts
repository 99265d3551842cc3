/** What LeaseSet does, said again by looking at every lease, every pair and every rule each time. */
import { prefixesOverlap } from '../../lib/addr/prefix.ts';
import type { KnownLease, Lease, StoredLease } from '../../lib/lease/lease.ts';
import type { StoredChange } from '../../lib/lease/lease-set.ts';
import { formatSubnetKey } from '../../lib/lease/subnet-key.ts';

const DAY_MS = 24 * 3600 * 1000;

interface Row {
  readonly key: string;
  lease: StoredLease;
  /** Last written or listed. */
  seen: number;
  /** When its key went, or the leaving began anew; undefined: the key is there. */
  gone: number | undefined;
  kept: boolean;
}

export class SlowLeaseSet {
  rows: Row[] = [];
  readonly #isOwn: (lease: Lease) => boolean;
  readonly #leavingMs: number;

  constructor(isOwn: (lease: Lease) => boolean, leavingMs: number) {
    this.#isOwn = isOwn;
    this.#leavingMs = leavingMs;
  }

  replace(leases: readonly StoredLease[], now: number, sameHistory: boolean): void {
    const listed = leases.map(({ subnets }) => formatSubnetKey(subnets));
    for (const lease of leases) this.#put(lease, now);
    const lost = this.rows.filter((row) => row.gone === undefined && !listed.includes(row.key));
    this.#go(lost, now, sameHistory ? 'list' : 'another-history');
  }

  apply(changes: readonly StoredChange[], now: number): void {
    const lost = new Map<string, Row>();
    for (const change of changes) {
      if (change.type === 'put') lost.delete(this.#put(change.lease, now).key);
      else {
        const row = this.rows.find(({ key }) => key === formatSubnetKey(change.subnets));
        if (row !== undefined && row.gone === undefined) lost.set(row.key, row);
      }
    }
    this.#go([...lost.values()], now, 'changes');
  }

  resume(now: number): void {
    for (const row of this.rows) if (row.gone !== undefined && !row.kept) row.gone = now;
  }

  expire(now: number): void {
    this.rows = this.rows.filter((row) => this.end(row) === undefined || this.end(row)! > now);
  }

  /** When a row ends by itself. */
  end(row: Row): number | undefined {
    if (row.gone === undefined) return undefined;
    if (!row.kept) return row.gone + this.#leavingMs;
    return row.lease.reserved ? Number.POSITIVE_INFINITY : row.seen + DAY_MS;
  }

  leases(): KnownLease[] {
    const compare = (a: Row, b: Row): number => {
      if ((a.gone === undefined) !== (b.gone === undefined)) return a.gone === undefined ? -1 : 1;
      if (a.lease.createRevision !== b.lease.createRevision)
        return a.lease.createRevision < b.lease.createRevision ? -1 : 1;
      return a.key < b.key ? -1 : 1;
    };
    return this.rows.toSorted(compare).map((row) => ({ ...row.lease, leavesAtMs: this.end(row) }));
  }

  #put(lease: StoredLease, seen: number): Row {
    const key = formatSubnetKey(lease.subnets);
    const row = { key, lease, seen, gone: undefined, kept: false };
    this.rows = [...this.rows.filter((other) => other.key !== key), row];
    return row;
  }

  #go(lost: readonly Row[], now: number, how: 'list' | 'changes' | 'another-history'): void {
    this.rows = this.rows.filter((row) => !lost.includes(row) || !this.#isOwn(row.lease));
    const gone = lost.filter((row) => this.rows.includes(row));
    for (const row of gone) row.gone = now;
    const hasKey = (publicIp: number): boolean =>
      this.rows.some(
        (row) => row.gone === undefined && !this.#isOwn(row.lease) && row.lease.attrs.publicIp === publicIp,
      );
    const isMissing = (row: Row): boolean => row.gone !== undefined && !hasKey(row.lease.attrs.publicIp);
    const addresses = (rows: readonly Row[]): number => new Set(rows.map(({ lease }) => lease.attrs.publicIp)).size;
    const missing = this.rows.filter((row) => isMissing(row) && !row.kept);
    const present = this.rows.filter((row) => row.gone === undefined && !this.#isOwn(row.lease));
    const all = addresses([...missing, ...present]);
    const most = addresses(missing) >= 2 && addresses(missing) > all / 2;
    const everybody = how === 'list' && present.length === 0;
    const isLoss = how === 'another-history' || (gone.some(isMissing) && (most || everybody));
    for (const row of this.rows.filter(({ kept }) => kept)) {
      if (isMissing(row)) continue;
      row.kept = false;
      if (row.gone !== undefined) row.gone = now;
    }
    if (isLoss) for (const row of missing) row.kept = true;
    this.rows = this.rows.filter(
      (row) => row.gone === undefined || !this.rows.some((other) => other.gone === undefined && overlap(row, other)),
    );
  }
}

function overlap(a: Row, b: Row): boolean {
  const [one, two] = [a.lease.subnets, b.lease.subnets];
  if (prefixesOverlap(one.ipv4, two.ipv4)) return true;
  return one.ipv6 !== undefined && two.ipv6 !== undefined && prefixesOverlap(one.ipv6, two.ipv6);
}
