/** The Internet checksum of bytes in memory, for every packet of a capture. lib/wire/checksum.ts is the definition. RFC 1071. */
import { IPV4_SOURCE } from '../wire/layout/ipv4.ts';
import { IPV6_SOURCE } from '../wire/layout/ipv6.ts';

/** Below this many bytes the two steps for words cost more than they save. */
const WORDS_FROM = 64;

export class MemorySum {
  /** The memory that was summed last, in 16-bit words. */
  #words: Uint16Array = new Uint16Array(0);
  #wordsOf: ArrayBufferLike | undefined;

  /** As sumBytes, in words where they are aligned: two bytes a step. RFC 1071 §2 (B): their order does not matter. */
  of(memory: Uint8Array, start: number, end: number): number {
    const first = memory.byteOffset + start;
    if ((first & 1) !== 0 || end - start < WORDS_FROM) return sumBytes(memory, start, end);
    if (this.#wordsOf !== memory.buffer) {
      this.#wordsOf = memory.buffer;
      this.#words = new Uint16Array(memory.buffer, 0, memory.buffer.byteLength >> 1);
    }
    const words = this.#words;
    const last = (memory.byteOffset + end) >> 1;
    let sum = 0;
    for (let at = first >> 1; at < last; at++) sum += words[at]!;
    sum = fold(sum);
    const swapped = ((sum & 0xff) << 8) | (sum >> 8);
    return ((end - start) & 1) === 0 ? swapped : swapped + (memory[end - 1]! << 8);
  }
}

/** The sum of the pseudo-header for the IP header at `ip`, not folded. `length`: of what the packet carries. */
export function pseudoSum(memory: Uint8Array, ip: number, isIpv6: boolean, protocol: number, length: number): number {
  const addresses = isIpv6
    ? sumBytes(memory, ip + IPV6_SOURCE, ip + IPV6_SOURCE + 32)
    : sumBytes(memory, ip + IPV4_SOURCE, ip + IPV4_SOURCE + 8);
  return addresses + protocol + (length >> 16) + (length & 0xffff);
}

/** The sum of big-endian words, not folded; an odd last byte is the high half of one. */
export function sumBytes(memory: Uint8Array, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += (memory[at]! << 8) | memory[at + 1]!;
  return at < end ? sum + (memory[at]! << 8) : sum;
}

/** foldSum of what is below 2^32. */
export function fold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
