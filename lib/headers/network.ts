/** Ethernet, ARP, IPv4 and IPv6 headers drawn field by field. Each returns where the next begins, -1: it does not fit in. */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatIpv6 } from '../addr/ipv6.ts';
import { formatMac } from '../addr/mac.ts';
import { checkArp, parseArp } from '../wire/arp.ts';
import { ethernetDestination, ethernetSource, ethernetType } from '../wire/ethernet.ts';
import {
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  parseIpv4Header,
} from '../wire/ipv4.ts';
import { ipv6Destination, ipv6NextHeader, ipv6Source, parseIpv6Header, walkIpv6 } from '../wire/ipv6.ts';
import {
  ARP_HARDWARE_LENGTH,
  ARP_HARDWARE_TYPE,
  ARP_OPERATION,
  ARP_PACKET,
  ARP_PROTOCOL_LENGTH,
  ARP_PROTOCOL_TYPE,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  ARP_TARGET_MAC,
} from '../wire/layout/arp.ts';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER,
  ETHERNET_SOURCE,
  ETHERNET_TYPE,
  ETHERTYPE_PROVIDER_VLAN,
  ETHERTYPE_VLAN,
  VLAN_NEXT_TYPE,
  VLAN_TAG,
} from '../wire/layout/ethernet.ts';
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_FLAGS_FRAGMENT,
  IPV4_HEADER_MIN,
  IPV4_ID,
  IPV4_OPTIONS,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV4_VERSION_IHL,
} from '../wire/layout/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
} from '../wire/layout/ipv6.ts';
import { Fields, hex16, type WireHeader } from './fields.ts';

/** What comes next, and where; at -1 nothing that can be drawn. */
export interface Next {
  readonly at: number;
  /** Of Ethernet its type, of IP its protocol. */
  readonly kind: number;
}

const NOTHING: Next = { at: -1, kind: -1 };

/** With its VLAN tags. */
export function drawEthernet(view: DataView, at: number, name: string, headers: WireHeader[]): Next {
  if (at < 0 || at + ETHERNET_HEADER > view.byteLength) return NOTHING;
  const fields = new Fields(view, at)
    .text('destination', formatMac(ethernetDestination(view, at)), ETHERNET_DESTINATION, 6)
    .text('source', formatMac(ethernetSource(view, at)), ETHERNET_SOURCE, 6)
    .hex('type', ETHERNET_TYPE, 2);
  headers.push({ name, fields: fields.list });
  let kind = ethernetType(view, at);
  let next = at + ETHERNET_HEADER;
  while ((kind === ETHERTYPE_VLAN || kind === ETHERTYPE_PROVIDER_VLAN) && next + VLAN_TAG <= view.byteLength) {
    const tag = view.getUint16(next);
    const tagFields = new Fields(view, next)
      .text('priority', String(tag >> 13), 0, 1)
      .text('VLAN', String(tag & 0xfff), 0, 2)
      .hex('type', VLAN_NEXT_TYPE, 2);
    headers.push({ name: 'VLAN tag', fields: tagFields.list });
    kind = view.getUint16(next + VLAN_NEXT_TYPE);
    next += VLAN_TAG;
  }
  return { at: next, kind };
}

export function drawArp(view: DataView, at: number, headers: WireHeader[]): void {
  if (at < 0 || checkArp(view, at, view.byteLength) !== undefined) return;
  const { operation, senderMac, senderAddress, targetMac, targetAddress } = parseArp(view, at);
  const word = operation === ARP_REQUEST ? 'request' : operation === ARP_REPLY ? 'reply' : String(operation);
  const fields = new Fields(view, at)
    .number('hardware type', ARP_HARDWARE_TYPE, 2)
    .hex('protocol type', ARP_PROTOCOL_TYPE, 2)
    .number('hardware length', ARP_HARDWARE_LENGTH, 1)
    .number('protocol length', ARP_PROTOCOL_LENGTH, 1)
    .text('operation', word, ARP_OPERATION, 2)
    .text('sender MAC', formatMac(senderMac), ARP_SENDER_MAC, 6)
    .text('sender', formatIpv4(senderAddress), ARP_SENDER_ADDRESS, 4)
    .text('target MAC', formatMac(targetMac), ARP_TARGET_MAC, 6)
    .text('target', formatIpv4(targetAddress), ARP_TARGET_ADDRESS, ARP_PACKET - ARP_TARGET_ADDRESS);
  headers.push({ name: 'ARP', fields: fields.list });
}

/** IPv4 or IPv6, by its version. */
export function drawIp(view: DataView, at: number, prefix: string, headers: WireHeader[]): Next {
  if (at < 0 || at >= view.byteLength) return NOTHING;
  const version = view.getUint8(at) >> 4;
  if (version === 4) return drawIpv4(view, at, `${prefix}IPv4`, headers);
  return version === 6 ? drawIpv6(view, at, `${prefix}IPv6`, headers) : NOTHING;
}

function drawIpv4(view: DataView, at: number, name: string, headers: WireHeader[]): Next {
  if (at + IPV4_HEADER_MIN > view.byteLength) return NOTHING;
  const length = ipv4HeaderLength(view, at);
  const isWhole = length >= IPV4_HEADER_MIN && at + length <= view.byteLength;
  const fragment = ipv4FragmentOffset(view, at);
  const fields = new Fields(view, at)
    .text('version', String(view.getUint8(at) >> 4), IPV4_VERSION_IHL, 1)
    .text('header', `${length} bytes`, IPV4_VERSION_IHL, 1)
    .number('TOS', IPV4_TOS, 1)
    .number('length', IPV4_TOTAL_LENGTH, 2)
    .number('ID', IPV4_ID, 2)
    .text('flags', flagsOf(view, at, length), IPV4_FLAGS_FRAGMENT, 2);
  if (fragment > 0) fields.text('fragment offset', `${fragment} bytes`, IPV4_FLAGS_FRAGMENT, 2);
  fields
    .number('TTL', IPV4_TTL, 1)
    .number('protocol', IPV4_PROTOCOL, 1)
    .text('checksum', hex16(view, at + IPV4_CHECKSUM), IPV4_CHECKSUM, 2)
    .text('source', formatIpv4(ipv4Source(view, at)), IPV4_SOURCE, 4)
    .text('destination', formatIpv4(ipv4Destination(view, at)), IPV4_DESTINATION, 4);
  if (isWhole && length > IPV4_HEADER_MIN) fields.hex('options', IPV4_OPTIONS, length - IPV4_OPTIONS);
  headers.push({ name, fields: fields.list });
  // A later fragment has the middle of something behind its header.
  return isWhole && fragment === 0 ? { at: at + length, kind: ipv4Protocol(view, at) } : NOTHING;
}

function flagsOf(view: DataView, at: number, length: number): string {
  // Of a header whose length cannot be, options cannot be read.
  if (length < IPV4_HEADER_MIN || at + length > view.byteLength) return hex16(view, at + IPV4_FLAGS_FRAGMENT);
  const { dontFragment, moreFragments } = parseIpv4Header(view, at);
  return [dontFragment ? 'DF' : '', moreFragments ? 'MF' : ''].filter((flag) => flag !== '').join(' ') || 'none';
}

function drawIpv6(view: DataView, at: number, name: string, headers: WireHeader[]): Next {
  if (at + IPV6_HEADER > view.byteLength) return NOTHING;
  const { trafficClass, flowLabel } = parseIpv6Header(view, at);
  const fields = new Fields(view, at)
    .text('version', '6', 0, 1)
    .text('traffic class', String(trafficClass), 0, 2)
    .text('flow label', `0x${flowLabel.toString(16).padStart(5, '0')}`, 1, 3)
    .number('payload length', IPV6_PAYLOAD_LENGTH, 2)
    .number('next header', IPV6_NEXT_HEADER, 1)
    .number('hop limit', IPV6_HOP_LIMIT, 1)
    .text('source', formatIpv6(ipv6Source(view, at)), IPV6_SOURCE, 16)
    .text('destination', formatIpv6(ipv6Destination(view, at)), IPV6_DESTINATION, 16);
  headers.push({ name, fields: fields.list });
  const chain = walkIpv6(view, at, view.byteLength);
  if (typeof chain === 'string') return NOTHING;
  const extensions = chain.offset - at - IPV6_HEADER;
  if (extensions > 0) {
    const more = new Fields(view, at + IPV6_HEADER).hex(`from ${ipv6NextHeader(view, at)} on`, 0, extensions);
    headers.push({ name: 'extension headers', fields: more.list });
  }
  return chain.fragment !== undefined && chain.fragment.offset > 0
    ? NOTHING
    : { at: chain.offset, kind: chain.protocol };
}
