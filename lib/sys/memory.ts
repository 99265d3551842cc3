import { madvise } from './ffi.ts';

const MADV_HUGEPAGE = 14;
const HUGE_PAGE = 2 << 20;
const SMALL_PAGE = 4096;

/**
 * Asks for huge pages behind `length` bytes at `address`; what lies outside whole 2 MiB pages stays as it is. A wish: kernels
 * without transparent huge pages ignore it. madvise(2).
 */
export function adviseHugePages(address: number, length: number): void {
  const start = Math.ceil(address / HUGE_PAGE) * HUGE_PAGE;
  const end = Math.floor((address + length) / HUGE_PAGE) * HUGE_PAGE;
  if (end > start) madvise(start, end - start, MADV_HUGEPAGE);
}

/** Makes the kernel back `[from, to)` of `words` with memory now, so that no packet waits for it. Offsets in bytes. */
export function touchMemory(words: Int32Array, from: number, to: number): void {
  for (let at = from; at < to; at += SMALL_PAGE) Atomics.or(words, at / 4, 0);
}
