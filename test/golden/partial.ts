import { finishTransport, slowPseudoSum, transportChecksumIsRight } from './checksum.ts';
import { get16 } from './octets.ts';
import { findTransport } from './packet.ts';

const FIELDS = new Map([
  [6, { field: 16, header: 20 }],
  [17, { field: 6, header: 8 }],
]);

/**
 * A TCP or UDP checksum that is just the pseudo-header's sum was left to a network card that the packet never met, as it is
 * between hosts joined by a veth. It is completed on the way in, since the sender's outer checksum vouches for the bytes.
 */
export function withFinishedChecksum(packet: Uint8Array): Uint8Array {
  const transport = findTransport(packet);
  const layout = transport === undefined ? undefined : FIELDS.get(transport.protocol);
  if (transport === undefined || layout === undefined || transport.fragmented) return packet;
  const { protocol, offset } = transport;
  if (offset + layout.header > packet.length) return packet;
  const field = get16(packet, offset + layout.field);
  if (field !== slowPseudoSum(packet, protocol, packet.length - offset)) return packet;
  if (transportChecksumIsRight(packet, protocol, offset, layout.field)) return packet;
  const copy = packet.slice();
  finishTransport(copy, protocol, offset, layout.field);
  return copy;
}
