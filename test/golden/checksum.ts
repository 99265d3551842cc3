import { get16, put16 } from './octets.ts';

/** The ones' complement sum of the 16-bit words in bytes[start, end), RFC 1071: even bytes are high halves. */
export function slowSum(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum = addWords(sum, (at - start) % 2 === 0 ? bytes[at]! * 256 : bytes[at]!);
  return sum;
}

/** Adds two 16-bit words with the carry brought round to the low end. */
export function addWords(a: number, b: number): number {
  const sum = a + b;
  return sum > 65535 ? sum - 65535 : sum;
}

/** Computes the header checksum of the IPv4 packet in `packet` and stores it. */
export function finishIpv4Header(packet: Uint8Array): void {
  put16(packet, 10, 0);
  put16(packet, 10, 65535 - slowSum(packet, 0, (packet[0]! % 16) * 4));
}

/**
 * The sum of the pseudo-header of the packet's own addresses, for a transport header and payload of `length` bytes.
 * RFC 9293 §3.1; RFC 8200 §8.1 (the two differ in where zeros stand, which adds nothing).
 */
export function slowPseudoSum(packet: Uint8Array, protocol: number, length: number): number {
  const addresses = packet[0]! >> 4 === 4 ? slowSum(packet, 12, 20) : slowSum(packet, 8, 40);
  return addWords(addWords(addresses, protocol), length);
}

/** Computes the whole checksum of the transport header at `offset`, whose field is at offset + fieldOffset, and stores it. */
export function finishTransport(packet: Uint8Array, protocol: number, offset: number, fieldOffset: number): void {
  put16(packet, offset + fieldOffset, 0);
  const data = slowSum(packet, offset, packet.length);
  const sum = addWords(data, slowPseudoSum(packet, protocol, packet.length - offset));
  const checksum = 65535 - sum;
  // RFC 768: a computed 0 is sent as all ones, since 0 means "no checksum".
  put16(packet, offset + fieldOffset, protocol === 17 && checksum === 0 ? 65535 : checksum);
}

/** Whether the transport checksum of a whole packet is right. */
export function transportChecksumIsRight(
  packet: Uint8Array,
  protocol: number,
  offset: number,
  fieldOffset: number,
): boolean {
  if (protocol === 17 && get16(packet, offset + fieldOffset) === 0) return true;
  const data = slowSum(packet, offset, packet.length);
  return addWords(data, slowPseudoSum(packet, protocol, packet.length - offset)) === 65535;
}
