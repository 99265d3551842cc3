/**
 * The FIB: longest-prefix match as a trie with a 16-bit root and 8-bit steps.
 *
 * Entries are 16 bits: 0 is "no route"; with the top bit clear it is the next hop (a peer number); with the top bit set it
 * names a chunk of 256 entries for the next 8 bits of the address. A lookup reads at most 3 entries for IPv4 and 15 for
 * IPv6 (7 for a /64), whatever the number of routes; 10,000 /24 routes take 20 KB of chunks, so they stay in the first
 * cache level (docs/adr/0005).
 *
 * A FIB is built here, by the main thread, in memory nobody reads yet, and then replaced as a whole
 * (lib/dataplane/client.ts). The packet kernels read the same memory (lib/fastpath/assembly/fib.ts).
 */
import type { Prefix } from '../addr/prefix.ts';

export const CHUNK_ENTRIES = 256;
const CHUNK_FLAG = 0x8000;

export interface FibRoute {
  readonly prefix: Prefix;
  /** 1..32767. */
  readonly next: number;
}

/** The chunks of one FIB's memory; its roots share them. */
export interface ChunkPool {
  /** 256 entries a chunk, at most 32,768 chunks. */
  readonly chunks: Uint16Array;
  /** Chunks in use; set to 0 before a FIB is built anew. */
  used: number;
}

/**
 * Adds routes to an empty root (65,536 zeros). Of two routes to one prefix the later wins.
 * Returns the routes that found no room; those are not in the FIB, all others are.
 */
export function addRoutes(root: Uint16Array, pool: ChunkPool, routes: readonly FibRoute[]): FibRoute[] {
  // Shorter prefixes first: a longer one then only ever refines what stands there.
  const ordered = [...routes].sort((a, b) => a.prefix.length - b.prefix.length);
  return ordered.filter((route) => !addRoute(root, pool, route));
}

function addRoute(root: Uint16Array, pool: ChunkPool, route: FibRoute): boolean {
  const bytes = addressBytes(route.prefix);
  const length = route.prefix.length;
  let table = root;
  let index = (bytes[0]! << 8) | bytes[1]!;
  let depth = 16;
  while (length > depth) {
    const entry = table[index]!;
    let chunk = entry & ~CHUNK_FLAG;
    if ((entry & CHUNK_FLAG) === 0) {
      if ((pool.used + 1) * CHUNK_ENTRIES > pool.chunks.length) return false;
      chunk = pool.used++;
      pool.chunks.fill(entry, chunk * CHUNK_ENTRIES, (chunk + 1) * CHUNK_ENTRIES);
      table[index] = CHUNK_FLAG | chunk;
    }
    table = pool.chunks.subarray(chunk * CHUNK_ENTRIES, (chunk + 1) * CHUNK_ENTRIES);
    index = bytes[depth / 8]!;
    depth += 8;
  }
  table.fill(route.next, index, index + (1 << (depth - length)));
  return true;
}

/** The next hop for an address, 0 if there is none. The packet kernels' twin. */
export function lookup(root: Uint16Array, chunks: Uint16Array, address: Prefix): number {
  const bytes = addressBytes(address);
  let entry = root[(bytes[0]! << 8) | bytes[1]!]!;
  for (let i = 2; (entry & CHUNK_FLAG) !== 0; i++) {
    entry = chunks[(entry & ~CHUNK_FLAG) * CHUNK_ENTRIES + bytes[i]!]!;
  }
  return entry;
}

/** The address in network order: 4 or 16 bytes. */
export function addressBytes(prefix: Prefix): Uint8Array {
  if (prefix.family === 4) {
    const a = prefix.address;
    return Uint8Array.of(a >>> 24, (a >>> 16) & 255, (a >>> 8) & 255, a & 255);
  }
  const bytes = new Uint8Array(16);
  let rest = prefix.address;
  for (let i = 15; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}
