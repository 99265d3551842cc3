import { finishIpv4Header, finishTransport, slowSum } from './checksum.ts';
import { get32, put16, put32, put128 } from './octets.ts';
import { destinationOf, family, findTransport, isMulticast, isNotOneHost, sourceOf } from './packet.ts';

/** What an error message says of the packet that it is sent about. */
export type IcmpErrorKind = 'no-route' | 'time-exceeded' | { readonly mtu: number };

/** The addresses that we are reached at as a router; without one, no error of that family is sent. */
export interface IcmpSources {
  readonly ipv4: number;
  readonly ipv6: bigint | undefined;
}

/** RFC 1812 §4.3.2.3: as much as fits 576 bytes. RFC 4443 §2.4 (c): as much as fits the minimum MTU of IPv6. */
const LONGEST_4 = 576;
const LONGEST_6 = 1280;
/** RFC 1812 §4.3.2.5: precedence 6, "internetwork control". */
const TOS = 0xc0;
/** RFC 1812 §4.3.2.2, §4.2.2.9. */
const TTL = 64;

/**
 * The error message about `packet` (which has passed checkPacket), or undefined where none may be sent. "Time exceeded" says which
 * router the packet has come to; all others say something of the way to the destination, and come from there: the sender takes
 * packets from that address by the card by which it reaches it.
 */
export function icmpError(kind: IcmpErrorKind, packet: Uint8Array, sources: IcmpSources): Uint8Array | undefined {
  if (!mayBeAnswered(packet)) return undefined;
  const isFromRouter = kind === 'time-exceeded';
  if (family(packet) === 4) return icmpError4(kind, packet, isFromRouter ? sources.ipv4 : get32(packet, 16));
  if (sources.ipv6 === undefined) return undefined;
  return icmpError6(kind, packet, isFromRouter ? sources.ipv6 : (destinationOf(packet) as bigint));
}

/** RFC 1812 §4.3.2.7 and RFC 4443 §2.4 (e): no errors about errors, later fragments, or packets from or to many. */
function mayBeAnswered(packet: Uint8Array): boolean {
  if (isNotOneHost(family(packet), sourceOf(packet))) return false;
  if (isMulticast(family(packet), destinationOf(packet))) return false;
  const found = findTransport(packet);
  // Where the extension headers lead nowhere, it might be an error: silence is safe.
  if (found === undefined || found.laterFragment) return false;
  const icmp = found.protocol === (family(packet) === 4 ? 1 : 58);
  if (!icmp) return true;
  // An ICMP message so short that its type is missing might be an error too.
  if (packet.length <= found.offset) return false;
  const type = packet[found.offset]!;
  if (family(packet) === 6) return type >= 128 && type !== 137;
  return ![3, 4, 5, 11, 12].includes(type);
}

function icmpError4(kind: IcmpErrorKind, packet: Uint8Array, source: number): Uint8Array {
  const quoted = packet.subarray(0, LONGEST_4 - 28);
  const error = new Uint8Array(28 + quoted.length);
  error[0] = 0x45;
  error[1] = TOS;
  put16(error, 2, error.length);
  put16(error, 4, 0); // RFC 6864: with DF set, ids mean nothing
  put16(error, 6, 0x4000);
  error[8] = TTL;
  error[9] = 1;
  put32(error, 12, source);
  put32(error, 16, get32(packet, 12));
  finishIpv4Header(error);
  const [type, code, rest] = kind === 'no-route' ? [3, 0, 0] : kind === 'time-exceeded' ? [11, 0, 0] : [3, 4, kind.mtu];
  error[20] = type;
  error[21] = code;
  put32(error, 24, rest);
  error.set(quoted, 28);
  put16(error, 22, 65535 - slowSum(error, 20, error.length));
  return error;
}

function icmpError6(kind: IcmpErrorKind, packet: Uint8Array, source: bigint): Uint8Array {
  const quoted = packet.subarray(0, LONGEST_6 - 48);
  const error = new Uint8Array(48 + quoted.length);
  error[0] = 0x60;
  put16(error, 4, 8 + quoted.length);
  error[6] = 58;
  error[7] = TTL;
  put128(error, 8, source);
  error.set(packet.subarray(8, 24), 24);
  const [type, code, rest] = kind === 'no-route' ? [1, 0, 0] : kind === 'time-exceeded' ? [3, 0, 0] : [2, 0, kind.mtu];
  error[40] = type;
  error[41] = code;
  put32(error, 44, rest);
  error.set(quoted, 48);
  finishTransport(error, 58, 40, 2);
  return error;
}
