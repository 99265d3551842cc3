/**
 * The Internet checksum, RFC 1071, in its plain form: for tests, tools and the control path. The fast
 * path (lib/fastpath) has a fast one; this is the definition they are held to.
 *
 * A *sum* is the ones' complement sum of 16-bit big-endian words folded into 16 bits; a *checksum* is its complement.
 */
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';

/** Adds the words of view[start, end) to the sum `initial`; an odd last byte is the high half of a word. */
export function internetSum(view: DataView, start: number, end: number, initial = 0): number {
  let sum = initial;
  let at = start;
  for (; at + 1 < end; at += 2) sum += view.getUint16(at);
  if (at < end) sum += view.getUint8(at) << 8;
  return foldSum(sum);
}

/** Folds carries back in until 16 bits are left. `sum` below 2^53. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/** The checksum that belongs to a sum. */
export function complementSum(sum: number): number {
  return ~sum & 0xffff;
}

/** The sum of the pseudo-header of TCP and UDP over IPv4: addresses, protocol, length of header and payload. RFC 9293 §3.1. */
export function pseudoHeaderSum4(source: Ipv4, destination: Ipv4, protocol: number, length: number): number {
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return foldSum(addresses + protocol + length);
}

/** The sum of the pseudo-header of upper-layer protocols over IPv6. RFC 8200 §8.1. */
export function pseudoHeaderSum6(source: Ipv6, destination: Ipv6, protocol: number, length: number): number {
  let sum = protocol + length;
  for (let shift = 0n; shift < 128n; shift += 16n)
    sum += Number((source >> shift) & 0xffffn) + Number((destination >> shift) & 0xffffn);
  return foldSum(sum);
}
