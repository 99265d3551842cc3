// Longest-prefix match: a trie with 8-bit steps (lib/fib/trie.ts builds it and is the twin).

import { FIB_CHUNK_ENTRIES, FIB_CHUNK_FLAG } from '../../../fib/layout';
import {
  CHUNKS,
  CHUNKS_SIZE,
  CONFIG_TABLES_IN_USE,
  FIB_INNER4,
  FIB_INNER6,
  FIB_KINDS,
  FIB_OUTER4,
  FIB_OUTER6,
  TABLES,
  TABLES_ROOTS,
  TABLES_SIZE,
} from '../../abi';
import { Segment, Tables } from '../context';

/** Reads the tables of `generation` from now on, and says so in CONFIG_TABLES_IN_USE. */
export function useTables(generation: u32): void {
  Tables.at = TABLES + (generation & 1) * TABLES_SIZE;
  Tables.chunks = CHUNKS + (generation & 1) * CHUNKS_SIZE;
  atomic.store<u32>(CONFIG_TABLES_IN_USE, generation);
}

@inline
function rootOf(kind: u32): u32 {
  return <u32>load<u16>(Tables.at + TABLES_ROOTS + ((Segment.number * FIB_KINDS + kind) << 1));
}

@inline
function step(chunk: u32, octet: u32): u32 {
  return <u32>load<u16>(Tables.chunks + ((chunk * FIB_CHUNK_ENTRIES + octet) << 1));
}

@inline
function descend4(chunk: u32, address: u32): u32 {
  let entry = step(chunk, address >> 24);
  if (!(entry & FIB_CHUNK_FLAG)) return entry;
  entry = step(entry & ~FIB_CHUNK_FLAG, (address >> 16) & 255);
  if (!(entry & FIB_CHUNK_FLAG)) return entry;
  entry = step(entry & ~FIB_CHUNK_FLAG, (address >> 8) & 255);
  if (!(entry & FIB_CHUNK_FLAG)) return entry;
  return step(entry & ~FIB_CHUNK_FLAG, address & 255);
}

function descend6(chunk: u32, at: usize): u32 {
  let entry = step(chunk, load<u8>(at));
  for (let i: u32 = 1; entry & FIB_CHUNK_FLAG; i++) entry = step(entry & ~FIB_CHUNK_FLAG, load<u8>(at + i));
  return entry;
}

/** The peer for an inner IPv4 address in host order; 0: no route. */
export function lookup4(address: u32): u32 {
  return descend4(rootOf(FIB_INNER4), address);
}

/** The peer for the inner IPv6 address whose 16 bytes lie at `at`; 0: no route. */
export function lookup6(at: usize): u32 {
  return descend6(rootOf(FIB_INNER6), at);
}

/** A peer of the segment with the underlay address `address` (host order); 0: none. */
export function lookupOuter4(address: u32): u32 {
  return descend4(rootOf(FIB_OUTER4), address);
}

/** As lookupOuter4 for the IPv6 address at `at`. */
export function lookupOuter6(at: usize): u32 {
  return descend6(rootOf(FIB_OUTER6), at);
}

/** Looks up `count` addresses (u32 each) at `at` and returns the sum of the answers: what the benchmark times. */
export function lookupMany4(at: usize, count: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += lookup4(load<u32>(at + (i << 2)));
  return sum;
}
