/**
 * The FDB of leases: which peer a VtepMAC belongs to, for all networks of a data plane in one hash table.
 *
 * A slot is 64 bits: MAC address << 16 | peer number, 0 when free; collisions go to the next slot. The network is not in the
 * slot: the peer's record names it, and the hash is taken of both, so that one address may be in several networks. Built by
 * the main thread, read by the packet kernels (lib/fastpath/assembly/fdb.ts); learned addresses are theirs alone.
 */
import type { Mac } from '../addr/mac.ts';

export interface FdbRecord {
  readonly segment: number;
  readonly mac: Mac;
  /** 1..16383. */
  readonly peer: number;
}

/** Half of the slots stay free, so that a search ends after a step or two. */
export function fdbSlotsFor(records: number): number {
  let slots = 16;
  while (slots < records * 2) slots *= 2;
  return slots;
}

/** Where the search for an address begins, before it is cut to the number of slots. 32 bits. */
export function fdbHash(mac: Mac, segment: number): number {
  const low = mac >>> 0;
  const high = Math.floor(mac / 0x1_0000_0000) | (segment << 16);
  let hash = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  hash ^= hash >>> 15;
  return hash >>> 0;
}

/** Fills `slots` (a power of two of them, see fdbSlotsFor) anew. Of two records for one address the first wins. */
export function buildFdb(slots: BigUint64Array, records: readonly FdbRecord[]): void {
  slots.fill(0n);
  const mask = slots.length - 1;
  const seen = new Set<string>();
  for (const { segment, mac, peer } of records) {
    const key = `${segment} ${mac}`;
    if (seen.has(key)) continue;
    seen.add(key);
    let at = fdbHash(mac, segment) & mask;
    while (slots[at] !== 0n) at = (at + 1) & mask;
    slots[at] = (BigInt(mac) << 16n) | BigInt(peer);
  }
}
