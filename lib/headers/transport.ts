/** TCP, UDP and ICMP headers drawn field by field. */
import { formatIpv6 } from '../addr/ipv6.ts';
import { readIpv6 } from '../wire/ipv6.ts';
import {
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HEADER,
  ICMP_REST,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PACKET_TOO_BIG,
} from '../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { NDP_ADVERTISEMENT, NDP_MESSAGE_MIN, NDP_SOLICITATION, NDP_TARGET } from '../wire/layout/ndp.ts';
import {
  TCP_ACKNOWLEDGMENT,
  TCP_CHECKSUM,
  TCP_DATA_OFFSET,
  TCP_DESTINATION_PORT,
  TCP_FLAGS,
  TCP_HEADER_MIN,
  TCP_OPTIONS,
  TCP_SEQUENCE,
  TCP_SOURCE_PORT,
  TCP_URGENT_POINTER,
  TCP_WINDOW,
} from '../wire/layout/tcp.ts';
import { UDP_CHECKSUM, UDP_DESTINATION_PORT, UDP_HEADER, UDP_LENGTH, UDP_SOURCE_PORT } from '../wire/layout/udp.ts';
import { tcpHeaderLength } from '../wire/tcp.ts';
import { udpSourcePort } from '../wire/udp.ts';
import { Fields, type WireHeader } from './fields.ts';

export function drawTransport(
  view: DataView,
  at: number,
  protocol: number,
  prefix: string,
  headers: WireHeader[],
): void {
  if (at < 0) return;
  if (protocol === IPPROTO_UDP) drawUdp(view, at, `${prefix}UDP`, headers);
  if (protocol === IPPROTO_TCP) drawTcp(view, at, headers);
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) drawIcmp(view, at, protocol, headers);
}

/** Returns where its payload begins, -1: it does not fit in. */
export function drawUdp(view: DataView, at: number, name: string, headers: WireHeader[]): number {
  if (at < 0 || at + UDP_HEADER > view.byteLength) return -1;
  const source = udpSourcePort(view, at);
  const fields = new Fields(view, at)
    .text('source port', source === 0 ? 'by the flow' : String(source), UDP_SOURCE_PORT, 2)
    .number('destination port', UDP_DESTINATION_PORT, 2)
    .number('length', UDP_LENGTH, 2)
    .hex('checksum', UDP_CHECKSUM, 2);
  headers.push({ name, fields: fields.list });
  return at + UDP_HEADER;
}

function drawTcp(view: DataView, at: number, headers: WireHeader[]): void {
  if (at + TCP_HEADER_MIN > view.byteLength) return;
  const length = tcpHeaderLength(view, at);
  const fields = new Fields(view, at)
    .number('source port', TCP_SOURCE_PORT, 2)
    .number('destination port', TCP_DESTINATION_PORT, 2)
    .number('sequence', TCP_SEQUENCE, 4)
    .number('acknowledgment', TCP_ACKNOWLEDGMENT, 4)
    .text('header', `${length} bytes`, TCP_DATA_OFFSET, 1)
    .text('flags', tcpFlagsOf(view.getUint8(at + TCP_FLAGS)), TCP_FLAGS, 1)
    .number('window', TCP_WINDOW, 2)
    .hex('checksum', TCP_CHECKSUM, 2)
    .number('urgent', TCP_URGENT_POINTER, 2);
  if (length > TCP_HEADER_MIN && at + length <= view.byteLength)
    fields.hex('options', TCP_OPTIONS, length - TCP_OPTIONS);
  headers.push({ name: 'TCP', fields: fields.list });
}

/** RFC 9293 §3.1, from the lowest bit. */
const TCP_FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

function tcpFlagsOf(flags: number): string {
  return TCP_FLAG_NAMES.filter((_, bit) => (flags & (1 << bit)) !== 0).join(' ') || 'none';
}

function drawIcmp(view: DataView, at: number, protocol: number, headers: WireHeader[]): void {
  if (at + ICMP_HEADER > view.byteLength) return;
  const fields = new Fields(view, at)
    .number('type', ICMP_TYPE, 1)
    .number('code', ICMP_CODE, 1)
    .hex('checksum', ICMP_CHECKSUM, 2);
  const [type, code] = [view.getUint8(at + ICMP_TYPE), view.getUint8(at + ICMP_CODE)];
  const isV6 = protocol === IPPROTO_ICMPV6;
  const echoes = isV6 ? [ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY] : [ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY];
  if (echoes.includes(type)) fields.number('identifier', ICMP_REST, 2).number('sequence', ICMP_REST + 2, 2);
  else if (isV6 && type === ICMPV6_PACKET_TOO_BIG) fields.number('MTU', ICMP_REST, 4);
  else if (!isV6 && type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED)
    fields.hex('unused', ICMP_REST, 2).number('MTU', ICMP_REST + 2, 2);
  else fields.hex('rest', ICMP_REST, 4);
  if (isV6 && (type === NDP_SOLICITATION || type === NDP_ADVERTISEMENT) && at + NDP_MESSAGE_MIN <= view.byteLength)
    fields.text('target', formatIpv6(readIpv6(view, at + NDP_TARGET)), NDP_TARGET, 16);
  headers.push({ name: isV6 ? 'ICMPv6' : 'ICMP', fields: fields.list });
}
