/**
 * The FDB of leases of one network: which peer a VtepMAC belongs to, as a hash table of buckets.
 *
 * A slot is 64 bits: MAC address << 16 | peer number, 0 when free. The four slots of a bucket are filled from the front and
 * compared at once, half a cache line with two SIMD registers; an address that finds its bucket full goes to the next. So a
 * lookup takes one step without a branch that depends on the address, whatever the number of leases: of 10,000, 1 in 100
 * buckets is full. Built by the main thread, read by the fast path (lib/fastpath/assembly/tables/fdb.ts); learned addresses
 * are theirs alone.
 */
import type { Mac } from '../addr/mac.ts';
import { FDB_BUCKET_SLOTS, FDB_MAC_SHIFT } from './layout.ts';

export interface FdbRecord {
  readonly mac: Mac;
  /** 1..16383. */
  readonly peer: number;
}

/** A power of two; on average a bucket holds two addresses at most. */
export function fdbBucketsFor(records: number): number {
  let buckets = 1;
  while (buckets * 2 < records) buckets *= 2;
  return buckets;
}

/** Where the search for an address begins, before it is cut to the number of buckets. 32 bits. */
export function fdbHash(mac: Mac): number {
  const low = mac >>> 0;
  const high = Math.floor(mac / 0x1_0000_0000);
  let hash = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  hash ^= hash >>> 15;
  return hash >>> 0;
}

/** Fills `slots` anew (FDB_BUCKET_SLOTS for each bucket, see fdbBucketsFor). Of two records for one address the first wins. */
export function buildFdb(slots: BigUint64Array, records: readonly FdbRecord[]): void {
  slots.fill(0n);
  const mask = slots.length / FDB_BUCKET_SLOTS - 1;
  const seen = new Set<Mac>();
  for (const { mac, peer } of records) {
    if (seen.has(mac)) continue;
    seen.add(mac);
    // Buckets are filled from the front, so the free slots of the next come right behind a full one.
    let at = (fdbHash(mac) & mask) * FDB_BUCKET_SLOTS;
    while (slots[at] !== 0n) at = (at + 1) % slots.length;
    slots[at] = (BigInt(mac) << BigInt(FDB_MAC_SHIFT)) | BigInt(peer);
  }
}
