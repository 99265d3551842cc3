// Longest-prefix match: a trie with a 16-bit root and 8-bit steps (lib/fib/trie.ts builds it and is the twin).
// An IPv4 lookup reads at most three entries, whatever the number of routes.
import {
  CHUNKS,
  CHUNKS_SIZE,
  CONFIG_FIB_IN_USE,
  FIB,
  FIB_CHUNK_FLAG,
  FIB_CHUNK_SIZE,
  FIB_ROOT_SOURCES,
  FIB_ROOT4,
  FIB_ROOT6,
  FIB_SIZE,
} from '../abi';
import { get16 } from './bytes';

let roots: usize = FIB;
let chunks: usize = CHUNKS;

/** Reads from the FIB of `generation` from now on, and says so in CONFIG_FIB_IN_USE. */
export function useFib(generation: u32): void {
  roots = FIB + (generation & 1) * FIB_SIZE;
  chunks = CHUNKS + (generation & 1) * CHUNKS_SIZE;
  atomic.store<u32>(CONFIG_FIB_IN_USE, generation);
}

// @ts-ignore: decorator
@inline
function descend4(root: usize, address: u32): u32 {
  let entry = <u32>load<u16>(root + ((address >> 16) << 1));
  if (!(entry & FIB_CHUNK_FLAG)) return entry;
  entry = <u32>load<u16>(chunks + (entry & ~FIB_CHUNK_FLAG) * FIB_CHUNK_SIZE + ((address >> 7) & 0x1fe));
  if (!(entry & FIB_CHUNK_FLAG)) return entry;
  return <u32>load<u16>(chunks + (entry & ~FIB_CHUNK_FLAG) * FIB_CHUNK_SIZE + ((address << 1) & 0x1fe));
}

/** The peer for an inner IPv4 address in host order; 0: no route. */
export function lookup4(address: u32): u32 {
  return descend4(roots + FIB_ROOT4, address);
}

/** Not 0 if `address` (host order) is some peer's PublicIP. */
export function lookupSource(address: u32): u32 {
  return descend4(roots + FIB_ROOT_SOURCES, address);
}

/** The peer for the inner IPv6 address whose 16 bytes lie at `at`; 0: no route. */
export function lookup6(at: usize): u32 {
  let entry = <u32>load<u16>(roots + FIB_ROOT6 + (get16(at) << 1));
  for (let i: u32 = 2; entry & FIB_CHUNK_FLAG; i++) {
    entry = <u32>load<u16>(chunks + (entry & ~FIB_CHUNK_FLAG) * FIB_CHUNK_SIZE + (<u32>load<u8>(at + i) << 1));
  }
  return entry;
}

/** Looks up `count` addresses (u32 each) at `at` and returns the sum of the answers: what the benchmark times. */
export function lookupMany4(at: usize, count: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += lookup4(load<u32>(at + (i << 2)));
  return sum;
}
