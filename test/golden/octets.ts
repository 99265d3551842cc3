/** Big-endian numbers in bytes, one byte at a time. */

export function get16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

export function get32(bytes: Uint8Array, at: number): number {
  return get16(bytes, at) * 65536 + get16(bytes, at + 2);
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = Math.floor(value / 256) % 256;
  bytes[at + 1] = value % 256;
}

export function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, Math.floor(value / 65536));
  put16(bytes, at + 2, value % 65536);
}

/** A 128-bit address. */
export function get128(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  for (let index = 0; index < 16; index++) value = value * 256n + BigInt(bytes[at + index]!);
  return value;
}

export function put128(bytes: Uint8Array, at: number, value: bigint): void {
  for (let index = 0; index < 16; index++) bytes[at + index] = Number((value >> BigInt(8 * (15 - index))) & 255n);
}
