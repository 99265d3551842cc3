/** The frame that the probe becomes on the underlay: built by our own writers, and any such frame drawn field by field. */
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { formatMac, type Mac } from '../../addr/mac.ts';
import type { Wire } from '../../capture/checks.ts';
import { pseudoHeaderSum4 } from '../../wire/checksum.ts';
import { emitEthernetHeader, ethernetDestination, ethernetSource, ethernetType } from '../../wire/ethernet.ts';
import {
  emitIpv4Header,
  ipv4Destination,
  ipv4HeaderLength,
  ipv4Id,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
  parseIpv4Header,
} from '../../wire/ipv4.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4 } from '../../wire/layout/ethernet.ts';
import { ICMP_HEADER } from '../../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_TCP, IPPROTO_UDP } from '../../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { TCP_FLAGS, TCP_HEADER_MIN } from '../../wire/layout/tcp.ts';
import { UDP_HEADER } from '../../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../../wire/layout/vxlan.ts';
import {
  emitUdpHeader,
  fillUdpChecksum,
  udpChecksum,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../../wire/udp.ts';
import { emitVxlanHeader, parseVxlanHeader } from '../../wire/vxlan.ts';
import type { WireField, WireHeader } from './model.ts';

export interface FramePlan {
  readonly wire: Wire;
  readonly sourceMac: Mac;
  readonly destinationMac: Mac;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly sourcePort: number;
  /** Of the VTEPs; not used by others. */
  readonly innerSourceMac: Mac;
  readonly innerDestinationMac: Mac;
  /** DF of the outer header. */
  readonly dontFragment: boolean;
  readonly outerId: number;
  readonly tos: number;
}

/** Bytes that a backend puts before the inner IP packet, Ethernet header of the underlay not included. */
export function overheadOf(wire: Wire): number {
  switch (wire.encapsulation) {
    case 'ip-in-udp':
      return IPV4_HEADER_MIN + UDP_HEADER;
    case 'vxlan':
      return IPV4_HEADER_MIN + UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER;
    case 'ipip':
      return IPV4_HEADER_MIN;
    case 'none':
      return 0;
  }
}

/** What the backend and the kernel send for an inner packet that has its TTL on the wire. */
export function buildFrame(plan: FramePlan, inner: Uint8Array): Uint8Array {
  const { wire } = plan;
  const bytes = new Uint8Array(ETHERNET_HEADER + overheadOf(wire) + inner.length);
  const view = new DataView(bytes.buffer);
  const ethernet = { source: plan.sourceMac, destination: plan.destinationMac, type: ETHERTYPE_IPV4 };
  let at = emitEthernetHeader(view, 0, ethernet);
  bytes.set(inner, bytes.length - inner.length);
  if (wire.encapsulation === 'none') return bytes;
  at += emitIpv4Header(view, at, {
    tos: plan.tos,
    totalLength: bytes.length - at,
    id: plan.outerId,
    reservedFlag: false,
    dontFragment: plan.dontFragment,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: wire.encapsulation === 'ipip' ? IPPROTO_IPIP : IPPROTO_UDP,
    source: plan.source,
    destination: plan.destination,
    options: new Uint8Array(0),
  });
  if (wire.encapsulation === 'ipip') return bytes;
  const udp = at;
  const length = bytes.length - udp;
  at += emitUdpHeader(view, at, { sourcePort: plan.sourcePort, destinationPort: wire.port, length });
  if (wire.encapsulation === 'vxlan') {
    at += emitVxlanHeader(view, at, { vni: wire.vni });
    emitEthernetHeader(view, at, {
      source: plan.innerSourceMac,
      destination: plan.innerDestinationMac,
      type: ETHERTYPE_IPV4,
    });
  }
  // VXLAN over IPv4 sends none by choice of the kernel's sockets; ours lets the kernel compute one.
  fillUdpChecksum(view, udp, pseudoHeaderSum4(plan.source, plan.destination, IPPROTO_UDP, length));
  return bytes;
}

/** The headers of a frame with the bytes of each field. `wire` says what the backend's port carries. */
export function drawFrame(bytes: Uint8Array, wire: Wire): WireHeader[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headers: WireHeader[] = [];
  let at = drawEthernet(view, 0, 'Ethernet', headers);
  if (wire.encapsulation !== 'none') {
    at = drawIpv4(view, at, 'IPv4', headers);
    if (wire.encapsulation === 'ip-in-udp' || wire.encapsulation === 'vxlan') at = drawUdp(view, at, 'UDP', headers);
    if (wire.encapsulation === 'vxlan') {
      if (at + VXLAN_HEADER + ETHERNET_HEADER > bytes.length) return headers;
      const { vni } = parseVxlanHeader(view, at);
      headers.push({
        name: 'VXLAN',
        fields: [
          { name: 'flags', value: `0x${view.getUint8(at).toString(16).padStart(2, '0')}`, at, length: 1 },
          { name: 'reserved', value: hexOf(view, at + 1, 3), at: at + 1, length: 3 },
          { name: 'VNI', value: String(vni), at: at + 4, length: 3 },
          { name: 'reserved', value: hexOf(view, at + 7, 1), at: at + 7, length: 1 },
        ],
      });
      at = drawEthernet(view, at + VXLAN_HEADER, 'inner Ethernet', headers);
    }
  }
  const ip = at;
  at = drawIpv4(view, at, wire.encapsulation === 'none' ? 'IPv4' : 'inner IPv4', headers);
  if (at > 0) drawTransport(view, at, ipv4Protocol(view, ip), headers);
  return headers;
}

function drawEthernet(view: DataView, at: number, name: string, headers: WireHeader[]): number {
  if (at < 0 || at + ETHERNET_HEADER > view.byteLength) return -1;
  const fields: WireField[] = [
    { name: 'destination', value: formatMac(ethernetDestination(view, at)), at, length: 6 },
    { name: 'source', value: formatMac(ethernetSource(view, at)), at: at + 6, length: 6 },
    { name: 'type', value: `0x${ethernetType(view, at).toString(16).padStart(4, '0')}`, at: at + 12, length: 2 },
  ];
  headers.push({ name, fields });
  return at + ETHERNET_HEADER;
}

function drawIpv4(view: DataView, at: number, name: string, headers: WireHeader[]): number {
  if (at < 0 || at + IPV4_HEADER_MIN > view.byteLength) return -1;
  const { dontFragment, moreFragments } = parseIpv4Header(view, at);
  const flags = [dontFragment ? 'DF' : '', moreFragments ? 'MF' : ''].filter((flag) => flag !== '').join(' ');
  headers.push({
    name,
    fields: [
      { name: 'version', value: String(view.getUint8(at) >> 4), at, length: 1 },
      { name: 'header', value: `${ipv4HeaderLength(view, at)} bytes`, at, length: 1 },
      { name: 'TOS', value: String(ipv4Tos(view, at)), at: at + 1, length: 1 },
      { name: 'length', value: String(ipv4TotalLength(view, at)), at: at + 2, length: 2 },
      { name: 'ID', value: String(ipv4Id(view, at)), at: at + 4, length: 2 },
      { name: 'flags', value: flags === '' ? 'none' : flags, at: at + 6, length: 2 },
      { name: 'TTL', value: String(ipv4Ttl(view, at)), at: at + 8, length: 1 },
      { name: 'protocol', value: String(ipv4Protocol(view, at)), at: at + 9, length: 1 },
      { name: 'checksum', value: hex16(view, at + 10), at: at + 10, length: 2 },
      { name: 'source', value: formatIpv4(ipv4Source(view, at)), at: at + 12, length: 4 },
      { name: 'destination', value: formatIpv4(ipv4Destination(view, at)), at: at + 16, length: 4 },
    ],
  });
  return at + ipv4HeaderLength(view, at);
}

function drawUdp(view: DataView, at: number, name: string, headers: WireHeader[]): number {
  if (at < 0 || at + UDP_HEADER > view.byteLength) return -1;
  headers.push({
    name,
    fields: [
      {
        name: 'source port',
        value: udpSourcePort(view, at) === 0 ? 'by the flow' : String(udpSourcePort(view, at)),
        at,
        length: 2,
      },
      { name: 'destination port', value: String(udpDestinationPort(view, at)), at: at + 2, length: 2 },
      { name: 'length', value: String(udpLength(view, at)), at: at + 4, length: 2 },
      { name: 'checksum', value: `0x${udpChecksum(view, at).toString(16).padStart(4, '0')}`, at: at + 6, length: 2 },
    ],
  });
  return at + UDP_HEADER;
}

function drawTransport(view: DataView, at: number, protocol: number, headers: WireHeader[]): void {
  if (protocol === IPPROTO_UDP) drawUdp(view, at, 'inner UDP', headers);
  if (at + ICMP_HEADER > view.byteLength) return;
  if (protocol === IPPROTO_ICMP)
    headers.push({
      name: 'ICMP',
      fields: [
        { name: 'type', value: String(view.getUint8(at)), at, length: 1 },
        { name: 'code', value: String(view.getUint8(at + 1)), at: at + 1, length: 1 },
        { name: 'checksum', value: hex16(view, at + 2), at: at + 2, length: 2 },
        { name: 'identifier', value: String(view.getUint16(at + 4)), at: at + 4, length: 2 },
        { name: 'sequence', value: String(view.getUint16(at + 6)), at: at + 6, length: 2 },
      ],
    });
  if (protocol === IPPROTO_TCP && at + TCP_HEADER_MIN <= view.byteLength)
    headers.push({
      name: 'TCP',
      fields: [
        { name: 'source port', value: String(view.getUint16(at)), at, length: 2 },
        { name: 'destination port', value: String(view.getUint16(at + 2)), at: at + 2, length: 2 },
        { name: 'sequence', value: String(view.getUint32(at + 4)), at: at + 4, length: 4 },
        { name: 'acknowledgment', value: String(view.getUint32(at + 8)), at: at + 8, length: 4 },
        { name: 'header', value: `${(view.getUint8(at + 12) >> 4) * 4} bytes`, at: at + 12, length: 1 },
        { name: 'flags', value: tcpFlagsOf(view.getUint8(at + TCP_FLAGS)), at: at + 13, length: 1 },
        { name: 'window', value: String(view.getUint16(at + 14)), at: at + 14, length: 2 },
        { name: 'checksum', value: hex16(view, at + 16), at: at + 16, length: 2 },
        { name: 'urgent', value: String(view.getUint16(at + 18)), at: at + 18, length: 2 },
      ],
    });
}

/** RFC 9293 §3.1, from the lowest bit. */
const TCP_FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

function tcpFlagsOf(flags: number): string {
  return TCP_FLAG_NAMES.filter((_, bit) => (flags & (1 << bit)) !== 0).join(' ') || 'none';
}

/** "0x000000" */
function hexOf(view: DataView, at: number, length: number): string {
  return `0x${Buffer.from(view.buffer, view.byteOffset + at, length).toString('hex')}`;
}

function hex16(view: DataView, at: number): string {
  return `0x${view.getUint16(at).toString(16).padStart(4, '0')}`;
}
