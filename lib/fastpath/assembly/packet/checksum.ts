// The Internet checksum (RFC 1071), summed in the machine's byte order: RFC 1071 §2(B) lets the swap wait until the end.
// Twin: test/golden/checksum.ts.

/** Adds the 16-bit words of `length` bytes at `at` (an odd last byte counts as the high half of a word) to `sum`. */
export function sumBytes(at: usize, length: u32, sum: u64): u64 {
  let i: u32 = 0;
  if (length >= 64) {
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    const end = length & ~63;
    // Each step adds at most 4 * 65,535 to a lane: 64 KiB stay far from 2^32.
    for (; i < end; i += 64) {
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(at + i)));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(v128.load(at + i, 16)));
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(at + i, 32)));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(v128.load(at + i, 48)));
    }
    sum += lanes(i32x4.add(a, b));
  }
  return sumTail(at + i, length - i, sum);
}

/** As sumBytes, and copies the bytes to `to` on the way. Writes exactly `length` bytes. */
export function copySumBytes(to: usize, from: usize, length: u32, sum: u64): u64 {
  let i: u32 = 0;
  if (length >= 64) {
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    const end = length & ~63;
    for (; i < end; i += 64) {
      const p = v128.load(from + i);
      const q = v128.load(from + i, 16);
      const r = v128.load(from + i, 32);
      const s = v128.load(from + i, 48);
      v128.store(to + i, p);
      v128.store(to + i, q, 16);
      v128.store(to + i, r, 32);
      v128.store(to + i, s, 48);
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(p));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(q));
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(r));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(s));
    }
    sum += lanes(i32x4.add(a, b));
  }
  memory.copy(to + i, from + i, length - i);
  return sumTail(from + i, length - i, sum);
}

@inline
function lanes(v: v128): u64 {
  return (
    <u64>(<u32>i32x4.extract_lane(v, 0)) +
    <u64>(<u32>i32x4.extract_lane(v, 1)) +
    <u64>(<u32>i32x4.extract_lane(v, 2)) +
    <u64>(<u32>i32x4.extract_lane(v, 3))
  );
}

function sumTail(at: usize, length: u32, sum: u64): u64 {
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) sum += <u64>load<u32>(at + i);
  if (i + 2 <= length) {
    sum += <u64>load<u16>(at + i);
    i += 2;
  }
  if (i < length) sum += <u64>load<u8>(at + i);
  return sum;
}

/** Folds a sum to 16 bits, still in machine order. */
@inline
export function fold(sum: u64): u32 {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  let s = <u32>(sum & 0xffff) + <u32>((sum >> 16) & 0xffff);
  s = (s & 0xffff) + (s >> 16);
  return (s & 0xffff) + (s >> 16);
}

/** A 16-bit number as it must be added to a sum in machine order. */
@inline
export function word(value: u32): u64 {
  return <u64>bswap<u16>(<u16>value);
}

/** Sum of the pseudo-header's addresses and protocol, without the length. RFC 793 §3.1, RFC 8200 §8.1. */
export function pseudoSum(ip: usize, version: u32, protocol: u32): u64 {
  if (version == 4) return <u64>load<u32>(ip, 12) + <u64>load<u32>(ip, 16) + word(protocol);
  let sum = word(protocol);
  for (let i: u32 = 8; i < 40; i += 4) sum += <u64>load<u32>(ip + i);
  return sum;
}
