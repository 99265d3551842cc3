import { decapEcn, ecnOf } from '../../lib/wire/ecn.ts';
import { finishIpv4Header } from './checksum.ts';
import { family } from './packet.ts';

// What follows takes a packet that checkPacket has passed.

/** TOS octet or traffic class. */
export function tosOf(packet: Uint8Array): number {
  return family(packet) === 4 ? packet[1]! : (packet[0]! % 16) * 16 + Math.floor(packet[1]! / 16);
}

/** A copy with another TOS octet or traffic class. */
export function withTos(packet: Uint8Array, tos: number): Uint8Array {
  const copy = packet.slice();
  if (family(copy) === 4) {
    copy[1] = tos;
    finishIpv4Header(copy);
  } else {
    copy[0] = 6 * 16 + Math.floor(tos / 16);
    copy[1] = (tos % 16) * 16 + (copy[1]! % 16);
  }
  return copy;
}

/** The packet with the ECN that the outer header leaves it: lib/wire/ecn.ts. */
export function afterTunnel(packet: Uint8Array, outerTos: number): Uint8Array | 'ecn-not-capable' {
  const tos = tosOf(packet);
  const inner = ecnOf(tos);
  const ecn = decapEcn(inner, ecnOf(outerTos));
  if (ecn === 'drop') return 'ecn-not-capable';
  // Untouched where nothing changes: a checksum that is right in another way stays as it is.
  return ecn === inner ? packet.slice() : withTos(packet, tos - inner + ecn);
}
