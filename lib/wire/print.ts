/**
 * A packet on one line, for failures, the demo and the command line:
 *
 *   IPv4 192.0.2.1 > 192.0.2.2 ttl 64 id 23200 DF | UDP 8285 > 8285 length 92 | IPv4 10.244.30.2 > 10.244.99.2 ttl 62 id 10055 DF |
 *   ICMP echo request id 21546 seq 1 | 56 bytes
 *
 * Any bytes may be given: what cannot be read is named ("TCP truncated (12 bytes)"), nothing throws. A wrong checksum is shown
 * behind the header it belongs to.
 */
import { checkArp, formatArp, parseArp } from './arp.ts';
import { pseudoHeaderSum4, pseudoHeaderSum6 } from './checksum.ts';
import { checkEthernet, ethernetType, formatEthernetHeader, parseEthernetHeader } from './ethernet.ts';
import {
  checkIcmp,
  formatIcmpHeader,
  formatIcmpv6Header,
  icmpChecksumIsValid,
  isIcmpError,
  isIcmpv6Error,
  parseIcmpHeader,
} from './icmp.ts';
import { checkIpv4, formatIpv4Header, ipv4ChecksumIsValid, ipv4HeaderLength, parseIpv4Header } from './ipv4.ts';
import { checkIpv6, formatIpv6Header, parseIpv6Header, walkIpv6 } from './ipv6.ts';
import { ARP_PACKET } from './layout/arp.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from './layout/ethernet.ts';
import { ICMP_HEADER, ICMPV6_REDIRECT } from './layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP } from './layout/ip.ts';
import { IPV4_HEADER_MIN } from './layout/ipv4.ts';
import { IPV6_HEADER } from './layout/ipv6.ts';
import { UDP_HEADER } from './layout/udp.ts';
import { VXLAN_HEADER } from './layout/vxlan.ts';
import { checkNdp, formatNdp, parseNdp } from './ndp.ts';
import type { WireProblem } from './problem.ts';
import { checkTcp, formatTcpHeader, parseTcpHeader, tcpChecksumIsValid, tcpHeaderLength } from './tcp.ts';
import { checkUdp, formatUdpHeader, parseUdpHeader, type UdpHeader, udpChecksum, udpChecksumIsValid } from './udp.ts';
import { checkVxlan, formatVxlanHeader, parseVxlanHeader } from './vxlan.ts';

/** What a UDP port carries: `ip` is a bare inner packet (flannel's udp backend), `vxlan` a VXLAN header and a frame. */
export type Tunnels = ReadonlyMap<number, 'ip' | 'vxlan'>;

/** flannel's default ports, and the one IANA gave to VXLAN. */
const DEFAULT_TUNNELS: Tunnels = new Map([
  [8285, 'ip'],
  [8472, 'vxlan'],
  [4789, 'vxlan'],
]);

// Our choice: a tunnel in a tunnel in a tunnel is an attack on the reader of the line.
const TUNNELS_MAX = 3;

/** Prints a packet that begins with its IPv4 or IPv6 header. */
export function printPacket(bytes: Uint8Array, tunnels: Tunnels = DEFAULT_TUNNELS): string {
  return ipLayers(source(bytes, tunnels), 0, bytes.length).join(' | ');
}

/** Prints a frame that begins with its Ethernet header. */
export function printFrame(bytes: Uint8Array, tunnels: Tunnels = DEFAULT_TUNNELS): string {
  return ethernetLayers(source(bytes, tunnels), 0, bytes.length).join(' | ');
}

/** The bytes being printed, and how many tunnels we are inside of. */
interface Source {
  readonly view: DataView;
  readonly tunnels: Tunnels;
  readonly depth: number;
}

/** What the layers above IP need of it. */
interface Carrier {
  readonly pseudoSum: (protocol: number, length: number) => number;
  /** Only part of the payload is here, so its checksum and inner layers cannot be judged. */
  readonly fragmented: boolean;
}

/** One text per layer, outermost first. */
type Layers = string[];

function source(bytes: Uint8Array, tunnels: Tunnels): Source {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), tunnels, depth: 0 };
}

function ethernetLayers(from: Source, offset: number, end: number): Layers {
  const problem = checkEthernet(from.view, offset, end);
  if (problem !== undefined) return unreadable('Ethernet', problem, end - offset);
  const header = formatEthernetHeader(parseEthernetHeader(from.view, offset));
  const type = ethernetType(from.view, offset);
  const payload = offset + ETHERNET_HEADER;
  if (type === ETHERTYPE_IPV4) return [header, ...ipv4Layers(from, payload, end)];
  if (type === ETHERTYPE_IPV6) return [header, ...ipv6Layers(from, payload, end)];
  if (type === ETHERTYPE_ARP) return [header, ...arpLayers(from.view, payload, end)];
  return [header, ...rest(payload, end)];
}

function arpLayers(view: DataView, offset: number, end: number): Layers {
  const problem = checkArp(view, offset, end);
  if (problem !== undefined) return unreadable('ARP', problem, end - offset);
  return [formatArp(parseArp(view, offset)), ...rest(offset + ARP_PACKET, end)];
}

function ipLayers(from: Source, offset: number, end: number): Layers {
  if (end === offset) return unreadable('IP', 'truncated', 0);
  const version = from.view.getUint8(offset) >>> 4;
  if (version === 4) return ipv4Layers(from, offset, end);
  if (version === 6) return ipv6Layers(from, offset, end);
  return unreadable(`IP version ${version}`, 'wrong-version', end - offset);
}

function ipv4Layers(from: Source, offset: number, end: number): Layers {
  const { view } = from;
  const problem = checkIpv4(view, offset, end);
  if (problem !== undefined) return unreadable('IPv4', problem, end - offset);
  const header = parseIpv4Header(view, offset);
  const text = withChecksum(formatIpv4Header(header), ipv4ChecksumIsValid(view, offset));
  const payload = offset + ipv4HeaderLength(view, offset);
  const payloadEnd = offset + header.totalLength;
  if (header.fragmentOffset !== 0) return [text, ...rest(payload, payloadEnd)];
  const carrier = {
    pseudoSum: (protocol: number, length: number) =>
      pseudoHeaderSum4(header.source, header.destination, protocol, length),
    fragmented: header.moreFragments,
  };
  return [text, ...transportLayers(from, carrier, header.protocol, payload, payloadEnd)];
}

function ipv6Layers(from: Source, offset: number, end: number): Layers {
  const { view } = from;
  const problem = checkIpv6(view, offset, end);
  if (problem !== undefined) return unreadable('IPv6', problem, end - offset);
  const header = parseIpv6Header(view, offset);
  const layers = [formatIpv6Header(header)];
  const payload = offset + IPV6_HEADER;
  const payloadEnd = payload + header.payloadLength;
  const chain = walkIpv6(view, offset, payloadEnd);
  if (typeof chain === 'string') return [...layers, ...unreadable('extension headers', chain, header.payloadLength)];
  if (chain.count > 0) layers.push(`extension headers ${chain.offset - payload}`);
  const { fragment } = chain;
  if (fragment !== undefined)
    layers.push(`fragment id ${fragment.id} at ${fragment.offset}${fragment.more ? ' MF' : ''}`);
  if (fragment !== undefined && fragment.offset !== 0) return [...layers, ...rest(chain.offset, payloadEnd)];
  const carrier = {
    pseudoSum: (protocol: number, length: number) =>
      pseudoHeaderSum6(header.source, header.destination, protocol, length),
    fragmented: fragment?.more ?? false,
  };
  return [...layers, ...transportLayers(from, carrier, chain.protocol, chain.offset, payloadEnd)];
}

function transportLayers(from: Source, carrier: Carrier, protocol: number, offset: number, end: number): Layers {
  if (protocol === IPPROTO_TCP) return tcpLayers(from, carrier, offset, end);
  if (protocol === IPPROTO_UDP) return udpLayers(from, carrier, offset, end);
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) return icmpLayers(from, carrier, protocol, offset, end);
  if ((protocol === IPPROTO_IPIP || protocol === IPPROTO_IPV6) && !carrier.fragmented && from.depth < TUNNELS_MAX)
    return ipLayers({ ...from, depth: from.depth + 1 }, offset, end);
  return [`protocol ${protocol}`, ...rest(offset, end)];
}

function tcpLayers(from: Source, carrier: Carrier, offset: number, end: number): Layers {
  const { view } = from;
  const problem = checkTcp(view, offset, end);
  if (problem !== undefined) return unreadable('TCP', problem, end - offset);
  const valid =
    carrier.fragmented || tcpChecksumIsValid(view, offset, end, carrier.pseudoSum(IPPROTO_TCP, end - offset));
  const text = withChecksum(formatTcpHeader(parseTcpHeader(view, offset)), valid);
  return [text, ...rest(offset + tcpHeaderLength(view, offset), end)];
}

function udpLayers(from: Source, carrier: Carrier, offset: number, end: number): Layers {
  const { view } = from;
  const problem = checkUdp(view, offset, end);
  // The length field of a first fragment speaks of the whole datagram.
  if (carrier.fragmented && problem === 'truncated' && end - offset >= UDP_HEADER)
    return [formatUdpHeader(parseUdpHeader(view, offset)), ...rest(offset + UDP_HEADER, end)];
  if (problem !== undefined) return unreadable('UDP', problem, end - offset);
  const header = parseUdpHeader(view, offset);
  const valid = carrier.fragmented || udpChecksumIsValid(view, offset, carrier.pseudoSum(IPPROTO_UDP, header.length));
  const none = udpChecksum(view, offset) === 0 ? ' no-checksum' : '';
  const text = withChecksum(formatUdpHeader(header) + none, valid);
  return [text, ...udpPayloadLayers(from, header, offset + UDP_HEADER, offset + header.length)];
}

function udpPayloadLayers(from: Source, header: UdpHeader, offset: number, end: number): Layers {
  const tunnel = from.tunnels.get(header.destinationPort);
  if (tunnel === undefined || offset === end || from.depth === TUNNELS_MAX) return rest(offset, end);
  const inner = { ...from, depth: from.depth + 1 };
  if (tunnel === 'ip') return ipLayers(inner, offset, end);
  const problem = checkVxlan(from.view, offset, end);
  if (problem !== undefined) return unreadable('VXLAN', problem, end - offset);
  const text = formatVxlanHeader(parseVxlanHeader(from.view, offset));
  return [text, ...ethernetLayers(inner, offset + VXLAN_HEADER, end)];
}

function icmpLayers(from: Source, carrier: Carrier, protocol: number, offset: number, end: number): Layers {
  const { view } = from;
  const six = protocol === IPPROTO_ICMPV6;
  const problem = checkIcmp(view, offset, end);
  if (problem !== undefined) return unreadable(six ? 'ICMPv6' : 'ICMP', problem, end - offset);
  const header = parseIcmpHeader(view, offset);
  const pseudoSum = six ? carrier.pseudoSum(protocol, end - offset) : 0;
  const valid = carrier.fragmented || icmpChecksumIsValid(view, offset, end, pseudoSum);
  if (six && checkNdp(view, offset, end) === undefined)
    return [withChecksum(formatNdp(parseNdp(view, offset, end)), valid)];
  const text = withChecksum(six ? formatIcmpv6Header(header) : formatIcmpHeader(header), valid);
  const body = offset + ICMP_HEADER;
  // A redirect counts as an error, but what follows it is an address, not a packet.
  const quotes = six ? isIcmpv6Error(header.type) && header.type !== ICMPV6_REDIRECT : isIcmpError(header.type);
  return [text, ...(quotes ? quotedHeader(view, body, end) : []), ...rest(body, end)];
}

/** The header of the packet an ICMP error is about. That packet is usually cut short, so its lengths are not checked. */
function quotedHeader(view: DataView, offset: number, end: number): Layers {
  const length = end - offset;
  const version = length > 0 ? view.getUint8(offset) >>> 4 : 0;
  if (version === 6 && length >= IPV6_HEADER) return [`about ${formatIpv6Header(parseIpv6Header(view, offset))}`];
  if (version !== 4) return [];
  const headerLength = ipv4HeaderLength(view, offset);
  if (headerLength < IPV4_HEADER_MIN || headerLength > length) return [];
  return [`about ${formatIpv4Header(parseIpv4Header(view, offset))}`];
}

/** What is left and not looked into. */
function rest(offset: number, end: number): Layers {
  return end > offset ? [`${end - offset} bytes`] : [];
}

function unreadable(layer: string, problem: WireProblem, length: number): Layers {
  return [`${layer} ${problem} (${length} bytes)`];
}

function withChecksum(text: string, valid: boolean): string {
  return valid ? text : `${text} bad-checksum`;
}
