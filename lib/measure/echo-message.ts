/** ICMP echo requests to send, and what a raw socket receives: replies, and errors about our requests. */
import type { Ipv4 } from '../addr/ipv4.ts';
import {
  checkIcmp,
  echoRest,
  emitIcmpHeader,
  fillIcmpChecksum,
  formatIcmpHeader,
  icmpChecksumIsValid,
  icmpEcho,
  isIcmpError,
  parseIcmpHeader,
} from '../wire/icmp.ts';
import {
  checkIpv4,
  ipv4Destination,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from '../wire/ipv4.ts';
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_HEADER } from '../wire/layout/icmp.ts';
import { IPPROTO_ICMP } from '../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../wire/layout/ipv4.ts';

/** What comes back for one echo request. */
export type EchoAnswer =
  | { readonly kind: 'reply'; readonly from: Ipv4; readonly identifier: number; readonly sequence: number }
  | {
      readonly kind: 'error';
      /** The router or host that could not deliver it. */
      readonly from: Ipv4;
      /** Where the request was going. */
      readonly to: Ipv4;
      readonly identifier: number;
      readonly sequence: number;
      /** "ICMP unreachable (host)" */
      readonly text: string;
    };

/** An echo request with `payloadSize` zero bytes: ICMP header and payload, no IP header. Numbers are 16 bits. */
export function echoRequest(identifier: number, sequence: number, payloadSize: number): Uint8Array {
  const bytes = new Uint8Array(ICMP_HEADER + payloadSize);
  const view = new DataView(bytes.buffer);
  emitIcmpHeader(view, 0, { type: ICMP_ECHO_REQUEST, code: 0, rest: echoRest(identifier, sequence) });
  fillIcmpChecksum(view, 0, bytes.length, 0);
  return bytes;
}

/** Reads an IPv4 packet as a raw socket delivers it; undefined for whatever is no answer to an echo request. */
export function readEchoAnswer(packet: Uint8Array): EchoAnswer | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (checkIpv4(view, 0, packet.length) !== undefined || ipv4Protocol(view, 0) !== IPPROTO_ICMP) return undefined;
  const end = ipv4TotalLength(view, 0);
  const at = ipv4HeaderLength(view, 0);
  if (checkIcmp(view, at, end) !== undefined || !icmpChecksumIsValid(view, at, end, 0)) return undefined;
  const header = parseIcmpHeader(view, at);
  const from = ipv4Source(view, 0);
  if (header.type === ICMP_ECHO_REPLY) return { kind: 'reply', from, ...icmpEcho(header) };
  if (!isIcmpError(header.type)) return undefined;
  const quoted = readQuotedRequest(view, at + ICMP_HEADER, end);
  return quoted && { kind: 'error', from, ...quoted, text: formatIcmpHeader(header) };
}

/** An error quotes the IP header it is about and at least 8 bytes of what followed. RFC 792. */
function readQuotedRequest(
  view: DataView,
  at: number,
  end: number,
): { readonly to: Ipv4; readonly identifier: number; readonly sequence: number } | undefined {
  if (end - at < IPV4_HEADER_MIN || ipv4Protocol(view, at) !== IPPROTO_ICMP) return undefined;
  const icmp = at + ipv4HeaderLength(view, at);
  if (checkIcmp(view, icmp, end) !== undefined) return undefined;
  const header = parseIcmpHeader(view, icmp);
  if (header.type !== ICMP_ECHO_REQUEST) return undefined;
  return { to: ipv4Destination(view, at), ...icmpEcho(header) };
}
