/**
 * The echoes with which a node's peer monitor asks another node: ICMP or ICMPv6 between the nodes' own device addresses. A
 * kernel answers them as any ping; to those who look at packets the data say that nobody's traffic is in them.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |             type, code, checksum of the echo                  |
 * |       identifier 0x7766       |        sequence number        |
 * |                    "weftecho", 64 bits                        |
 * |                                                               |
 * |           token, 64 bits: whose probe it is                   |
 * |                                                               |
 * |           zeros, as many as the size to be tried asks for     |
 */
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import { pseudoHeaderSum6 } from './checksum.ts';
import { echoRest, emitIcmpHeader, fillIcmpChecksum, icmpType } from './icmp.ts';
import { emitIpv4Header, ipv4FragmentOffset, ipv4HeaderLength, ipv4Protocol } from './ipv4.ts';
import { emitIpv6Header, ipv6NextHeader } from './ipv6.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
} from './layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from './layout/ip.ts';
import { IPV4_HEADER_MIN } from './layout/ipv4.ts';
import { IPV6_HEADER } from './layout/ipv6.ts';
import {
  PROBE_DATA,
  PROBE_IDENTIFIER,
  PROBE_MAGIC,
  PROBE_MAGIC_HIGH,
  PROBE_MAGIC_LOW,
  PROBE_TOKEN,
} from './layout/probe.ts';

const TTL = 64;

/**
 * Whether an IP packet (the inner one) is a probe or the answer to one. It may be cut short behind the first 8 bytes of the
 * echo's data, and its checksums are not looked at.
 */
export function isProbe(packet: Uint8Array): boolean {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const icmp = echoOffset(view);
  if (icmp === undefined) return false;
  const magic = icmp + ICMP_HEADER + PROBE_MAGIC;
  if (magic + 8 > view.byteLength) return false;
  return view.getUint32(magic) === PROBE_MAGIC_HIGH && view.getUint32(magic + 4) === PROBE_MAGIC_LOW;
}

/** Where the echo's header begins; undefined where the packet is none, or a later fragment of one. */
function echoOffset(view: DataView): number | undefined {
  const version = view.byteLength < IPV4_HEADER_MIN ? 0 : view.getUint8(0) >>> 4;
  if (version === 4) {
    if (ipv4Protocol(view, 0) !== IPPROTO_ICMP || ipv4FragmentOffset(view, 0) !== 0) return undefined;
    const at = ipv4HeaderLength(view, 0);
    const isEcho = at >= IPV4_HEADER_MIN && at < view.byteLength && ECHOES4.has(icmpType(view, at));
    return isEcho ? at : undefined;
  }
  // With an extension header in between it is not one that we have sent.
  if (version !== 6 || view.byteLength <= IPV6_HEADER || ipv6NextHeader(view, 0) !== IPPROTO_ICMPV6) return undefined;
  return ECHOES6.has(icmpType(view, IPV6_HEADER)) ? IPV6_HEADER : undefined;
}

const ECHOES4: ReadonlySet<number> = new Set([ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY]);
const ECHOES6: ReadonlySet<number> = new Set([ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY]);

/** Bytes of the shortest probe, with its IP header. */
export const PROBE4_MIN = IPV4_HEADER_MIN + ICMP_HEADER + PROBE_DATA;
export const PROBE6_MIN = IPV6_HEADER + ICMP_HEADER + PROBE_DATA;

export interface ProbeFields {
  /** 16 bits. */
  readonly sequence: number;
  /** 64 bits. */
  readonly token: bigint;
  /** Bytes of the IP packet, PROBE4_MIN or PROBE6_MIN to 65,535. */
  readonly size: number;
}

/** The packet of a probe without the zeros at its end, which no checksum sees: its first PROBE4_MIN bytes. With DF. */
export function probe4(source: Ipv4, destination: Ipv4, fields: ProbeFields): Uint8Array {
  const bytes = new Uint8Array(PROBE4_MIN);
  const view = new DataView(bytes.buffer);
  emitIpv4Header(view, 0, {
    tos: 0,
    totalLength: fields.size,
    id: 0,
    reservedFlag: false,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: TTL,
    protocol: IPPROTO_ICMP,
    source,
    destination,
    options: new Uint8Array(0),
  });
  emitEcho(view, IPV4_HEADER_MIN, ICMP_ECHO_REQUEST, fields, 0);
  return bytes;
}

/** The same over IPv6: its first PROBE6_MIN bytes. */
export function probe6(source: Ipv6, destination: Ipv6, fields: ProbeFields): Uint8Array {
  const bytes = new Uint8Array(PROBE6_MIN);
  const view = new DataView(bytes.buffer);
  const payloadLength = fields.size - IPV6_HEADER;
  const header = { trafficClass: 0, flowLabel: 0, nextHeader: IPPROTO_ICMPV6, hopLimit: TTL };
  emitIpv6Header(view, 0, { ...header, payloadLength, source, destination });
  const pseudoSum = pseudoHeaderSum6(source, destination, IPPROTO_ICMPV6, payloadLength);
  emitEcho(view, IPV6_HEADER, ICMPV6_ECHO_REQUEST, fields, pseudoSum);
  return bytes;
}

function emitEcho(view: DataView, at: number, type: number, { sequence, token }: ProbeFields, pseudoSum: number): void {
  emitIcmpHeader(view, at, { type, code: 0, rest: echoRest(PROBE_IDENTIFIER, sequence) });
  const data = at + ICMP_HEADER;
  view.setUint32(data + PROBE_MAGIC, PROBE_MAGIC_HIGH);
  view.setUint32(data + PROBE_MAGIC + 4, PROBE_MAGIC_LOW);
  view.setBigUint64(data + PROBE_TOKEN, token);
  fillIcmpChecksum(view, at, view.byteLength, pseudoSum);
}
