/**
 * The FIB: longest-prefix match as a trie with 8-bit steps.
 *
 * All FIBs of a data plane (IPv4 and IPv6 of every network, and the peers' underlay addresses) share one pool of chunks; a
 * FIB is the number of its root chunk. A chunk has 256 entries of 16 bits: 0 is "no route"; with the top bit clear it is the
 * next hop (a peer number); with the top bit set it names the chunk for the next 8 bits of the address. A lookup reads at
 * most 4 entries for IPv4 and 16 for IPv6 (3 for a /24, 8 for a /64), whatever the number of routes; 10,000 /24 routes take
 * 20 KB of chunks, so they stay in the first cache level (docs/adr/0005).
 *
 * A FIB is built here, by the main thread, in memory nobody reads yet, and then replaced as a whole
 * (lib/dataplane/main/tables.ts). The fast path reads the same memory (lib/fastpath/assembly/tables/fib.ts).
 */
import { addressBytes, type IpAddress } from '../addr/ip.ts';
import type { Prefix } from '../addr/prefix.ts';
import { FIB_CHUNK_ENTRIES, FIB_CHUNK_FLAG } from './layout.ts';

export interface FibRoute {
  readonly prefix: Prefix;
  /** 1..32767. */
  readonly next: number;
}

/** The chunks of one generation of tables; all FIBs in it share them. */
export interface ChunkPool {
  /** 256 entries a chunk, at most 32,768 chunks. Chunk 0 has no routes: it is the root of every empty FIB. */
  readonly chunks: Uint16Array;
  /** Chunks in use. */
  used: number;
}

/** Begins a pool anew, with nothing but the empty chunk 0. */
export function clearPool(pool: ChunkPool): void {
  pool.chunks.fill(0, 0, FIB_CHUNK_ENTRIES);
  pool.used = 1;
}

/**
 * Builds a FIB of routes of one family. Of two routes to one prefix the first wins. Returns its root chunk and the routes
 * that found no room; those are not in the FIB, all others are.
 */
export function buildFib(pool: ChunkPool, routes: readonly FibRoute[]): { root: number; rejected: FibRoute[] } {
  if (routes.length === 0) return { root: 0, rejected: [] };
  const root = takeChunk(pool, 0);
  if (root === undefined) return { root: 0, rejected: [...routes] };
  // Shorter prefixes first: a longer one then only ever refines what stands there.
  const ordered = firstOfEach(routes).sort((a, b) => a.prefix.length - b.prefix.length);
  return { root, rejected: ordered.filter((route) => !addRoute(pool, root, route)) };
}

/** Of routes to one prefix the first. */
function firstOfEach(routes: readonly FibRoute[]): FibRoute[] {
  const seen = new Set<number | bigint>();
  return routes.filter(({ prefix: { family, address, length } }) => {
    const key = family === 4 ? address * 64 + length : (address << 8n) | BigInt(length);
    return seen.size < seen.add(key).size;
  });
}

/** A new chunk whose entries are all `entry`; undefined if the pool is full. */
function takeChunk(pool: ChunkPool, entry: number): number | undefined {
  if ((pool.used + 1) * FIB_CHUNK_ENTRIES > pool.chunks.length) return undefined;
  const chunk = pool.used++;
  pool.chunks.fill(entry, chunk * FIB_CHUNK_ENTRIES, (chunk + 1) * FIB_CHUNK_ENTRIES);
  return chunk;
}

function addRoute(pool: ChunkPool, root: number, route: FibRoute): boolean {
  const bytes = addressBytes(route.prefix.address);
  const length = route.prefix.length;
  let base = root * FIB_CHUNK_ENTRIES;
  let depth = 8;
  for (; length > depth; depth += 8) {
    const at = base + bytes[depth / 8 - 1]!;
    const entry = pool.chunks[at]!;
    const chunk = (entry & FIB_CHUNK_FLAG) === 0 ? takeChunk(pool, entry) : entry & ~FIB_CHUNK_FLAG;
    if (chunk === undefined) return false;
    pool.chunks[at] = FIB_CHUNK_FLAG | chunk;
    base = chunk * FIB_CHUNK_ENTRIES;
  }
  const first = base + bytes[depth / 8 - 1]!;
  pool.chunks.fill(route.next, first, first + (1 << (depth - length)));
  return true;
}

/** The next hop for an address, 0 if there is none. The fast path's twin. */
export function lookup(chunks: Uint16Array, root: number, address: IpAddress): number {
  const bytes = addressBytes(address);
  let entry = FIB_CHUNK_FLAG | root;
  for (let i = 0; (entry & FIB_CHUNK_FLAG) !== 0; i++) {
    entry = chunks[(entry & ~FIB_CHUNK_FLAG) * FIB_CHUNK_ENTRIES + bytes[i]!]!;
  }
  return entry;
}
