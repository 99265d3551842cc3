import { slowSum } from './checksum.ts';
import { get16, get32, get128 } from './octets.ts';

/** Why an inner packet is not looked at any further; each is a DropReason. */
export type PacketFault = 'truncated' | 'not-ip' | 'bad-header' | 'bad-header-checksum';

/**
 * The inner packet at the start of `bytes`, as a copy without what trails behind its own length; or why it is none.
 * RFC 1812 §5.2.2 for IPv4. IPv6 has no header checksum.
 */
export function checkPacket(bytes: Uint8Array): Uint8Array | PacketFault {
  if (bytes.length === 0) return 'truncated';
  const version = bytes[0]! >> 4;
  if (version === 4) return checkPacket4(bytes);
  if (version === 6) return checkPacket6(bytes);
  return 'not-ip';
}

function checkPacket4(bytes: Uint8Array): Uint8Array | PacketFault {
  if (bytes.length < 20) return 'truncated';
  const headerLength = (bytes[0]! % 16) * 4;
  if (headerLength < 20) return 'bad-header';
  const totalLength = get16(bytes, 2);
  if (totalLength < headerLength) return 'bad-header';
  if (totalLength > bytes.length) return 'truncated';
  if (slowSum(bytes, 0, headerLength) !== 65535) return 'bad-header-checksum';
  return bytes.slice(0, totalLength);
}

function checkPacket6(bytes: Uint8Array): Uint8Array | PacketFault {
  if (bytes.length < 40) return 'truncated';
  // A jumbogram (RFC 2675) says 0 and brings its length in a hop-by-hop option; none fits a datagram.
  if (get16(bytes, 4) === 0 && bytes[6] === 0) return 'bad-header';
  const totalLength = 40 + get16(bytes, 4);
  if (totalLength > bytes.length) return 'truncated';
  return bytes.slice(0, totalLength);
}

// What follows takes a packet that checkPacket has passed.

export function family(packet: Uint8Array): 4 | 6 {
  return packet[0]! >> 4 === 4 ? 4 : 6;
}

export function sourceOf(packet: Uint8Array): number | bigint {
  return family(packet) === 4 ? get32(packet, 12) : get128(packet, 8);
}

export function destinationOf(packet: Uint8Array): number | bigint {
  return family(packet) === 4 ? get32(packet, 16) : get128(packet, 24);
}

export function ttlOf(packet: Uint8Array): number {
  return family(packet) === 4 ? packet[8]! : packet[7]!;
}

/** 224/4 and the limited broadcast address; ff00::/8. */
export function isMulticast(family: 4 | 6, address: number | bigint): boolean {
  if (family === 6) return BigInt(address) >> 120n === 0xffn;
  const first = Math.floor(Number(address) / 2 ** 24);
  return (first >= 224 && first <= 239) || address === 0xffffffff;
}

/**
 * Addresses that cannot be one host's: multicast and broadcast, 0/8, 127/8, 240/4; unspecified and loopback in IPv6. An error is
 * never sent to one. RFC 1812 §4.3.2.7, §5.3.7; RFC 4443 §2.4 (e.6).
 */
export function isNotOneHost(family: 4 | 6, address: number | bigint): boolean {
  if (isMulticast(family, address)) return true;
  if (family === 6) return address === 0n || address === 1n;
  const first = Math.floor(Number(address) / 2 ** 24);
  return first === 0 || first === 127 || first >= 240;
}

export interface Transport {
  readonly protocol: number;
  readonly offset: number;
  /** Part of a larger packet: "more fragments" set, an offset, or an IPv6 fragment header of any kind. */
  readonly fragmented: boolean;
  /** Not the first part: there is no transport header at `offset`. */
  readonly laterFragment: boolean;
}

/** Where the transport header is. Undefined when the IPv6 extension headers lead past the end or go on for more than eight. */
export function findTransport(packet: Uint8Array): Transport | undefined {
  if (family(packet) === 6) return findTransport6(packet);
  const word = get16(packet, 6);
  const laterFragment = word % 0x2000 !== 0;
  const moreFragments = Math.floor(word / 0x2000) % 2 === 1;
  return {
    protocol: packet[9]!,
    offset: (packet[0]! % 16) * 4,
    fragmented: laterFragment || moreFragments,
    laterFragment,
  };
}

function findTransport6(packet: Uint8Array): Transport | undefined {
  let protocol = packet[6]!;
  let offset = 40;
  let fragmented = false;
  for (let count = 0; ; count++) {
    const hopByHop = protocol === 0;
    const routing = protocol === 43;
    const fragment = protocol === 44;
    const destinationOptions = protocol === 60;
    if (!hopByHop && !routing && !fragment && !destinationOptions)
      return { protocol, offset, fragmented, laterFragment: false };
    if (count === 8 || offset + 8 > packet.length) return undefined;
    const length = fragment ? 8 : 8 + packet[offset + 1]! * 8;
    if (offset + length > packet.length) return undefined;
    fragmented ||= fragment;
    const laterFragment = fragment && Math.floor(get16(packet, offset + 2) / 8) !== 0;
    protocol = packet[offset]!;
    offset += length;
    if (laterFragment) return { protocol, offset, fragmented, laterFragment };
  }
}
