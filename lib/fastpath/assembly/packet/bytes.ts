// Loads and stores in network byte order, and copies that may run over their end.

@inline
export function get16(at: usize): u32 {
  return <u32>bswap<u16>(load<u16>(at));
}

@inline
export function put16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

@inline
export function get32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

@inline
export function put32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

@inline
export function get64(at: usize): u64 {
  return bswap<u64>(load<u64>(at));
}

/** Copies `length` bytes in steps of 16: up to 15 bytes behind both ranges are read and overwritten. */
@inline
export function copyOver(to: usize, from: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}
