/**
 * ARP and neighbour discovery on a TAP: the questions that can be answered here, and what passing messages teach. A slow
 * path: the worker calls it for the few such frames. Frames begin with their Ethernet header, may hold anything, are only
 * read, and nothing throws.
 *
 * Only the plain question of one host, sent to all, is answered. Everything else must reach the other hosts:
 * - Claims (gratuitous ARP, replies, advertisements) exist to change their tables.
 * - Probes for a duplicate (RFC 4862 §5.4, sent from ::; RFC 5227 §2.1.1, from 0.0.0.0) ask the holder itself. An answer out
 *   of a table would take the address away from a host that has just moved here; silence would let two hosts have it.
 * - Questions to the one MAC address that is already known (RFC 4861 §7.3, RFC 1122 §2.3.2.1) ask whether that host is
 *   still alive, which no table knows.
 */
import { type Ipv4, isHostAddress4 } from '../../../addr/ipv4.ts';
import { type Ipv6, isMulticast6 } from '../../../addr/ipv6.ts';
import { isGroupMac, isStationMac, type Mac } from '../../../addr/mac.ts';
import { type ArpPacket, checkArp, emitArp, parseArp } from '../../../wire/arp.ts';
import { pseudoHeaderSum6 } from '../../../wire/checksum.ts';
import {
  checkEthernet,
  emitEthernetHeader,
  ethernetDestination,
  ethernetSource,
  ethernetType,
} from '../../../wire/ethernet.ts';
import { fillIcmpChecksum, icmpType } from '../../../wire/icmp.ts';
import { checkIpv6, emitIpv6Header, ipv6NextHeader, ipv6PayloadLength, ipv6Source } from '../../../wire/ipv6.ts';
import { ARP_PACKET, ARP_REPLY, ARP_REQUEST } from '../../../wire/layout/arp.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV6 } from '../../../wire/layout/ethernet.ts';
import { IPPROTO_ICMPV6 } from '../../../wire/layout/ip.ts';
import { IPV6_HEADER } from '../../../wire/layout/ipv6.ts';
import {
  NDP_ADVERTISEMENT,
  NDP_HOP_LIMIT,
  NDP_MESSAGE_MIN,
  NDP_OPTION_UNIT,
  NDP_SOLICITATION,
} from '../../../wire/layout/ndp.ts';
import { checkNdpPacket, emitNdp, type NdpMessage, parseNdp } from '../../../wire/ndp.ts';

/** What the neighbour table knows of an address. */
export interface KnownNeighbor {
  readonly mac: Mac;
  /** IPv6: the router flag of the advertisement. Undefined: not known, and then nothing is answered. */
  readonly router: boolean | undefined;
}

/** By an IPv4 address (a number) or an IPv6 address (a bigint). */
export type NeighborLookup = (address: Ipv4 | Ipv6) => KnownNeighbor | undefined;

/** What a message teaches. */
export interface NeighborClaim {
  readonly address: Ipv4 | Ipv6;
  readonly mac: Mac;
  /** IPv6: as an advertisement says; a solicitation does not. */
  readonly router: boolean | undefined;
}

/**
 * The frame that answers `frame`, to be written to the TAP it came from. 'flood': no answer, forward it as any other frame: to
 * all peers, or, if it is for one MAC address, to that. 'bad': no host sends such a thing; drop it.
 */
export function answer(frame: Uint8Array, lookup: NeighborLookup): Uint8Array | 'flood' | 'bad' {
  const message = readMessage(frame);
  if (typeof message === 'string') return message === 'other' ? 'flood' : 'bad';
  // A known MAC address is asked whether it still answers, or it is an announcement to one host.
  if (!isGroupMac(message.to)) return 'flood';
  return message.kind === 'arp' ? answerArp(message, lookup) : answerNdp(message, lookup);
}

/**
 * What `frame` says of its sender: ARP requests, replies and announcements, solicitations that hold a MAC address, and
 * advertisements that do. Undefined for everything else, also for messages that `answer` calls bad.
 */
export function snoop(frame: Uint8Array): NeighborClaim | undefined {
  const message = readMessage(frame);
  if (typeof message === 'string') return undefined;
  if (message.kind === 'arp') {
    const { senderAddress, senderMac } = message.arp;
    return isHostAddress4(senderAddress) ? { address: senderAddress, mac: senderMac, router: undefined } : undefined;
  }
  const { ndp, source } = message;
  if (ndp.mac === undefined) return undefined;
  const advertised = ndp.type === NDP_ADVERTISEMENT;
  const address = advertised ? ndp.target : source;
  if (!isOneHost6(address)) return undefined;
  return { address, mac: ndp.mac, router: advertised ? ndp.router : undefined };
}

interface ArpMessage {
  readonly kind: 'arp';
  readonly from: Mac;
  readonly to: Mac;
  readonly arp: ArpPacket;
}

interface NeighborDiscoveryMessage {
  readonly kind: 'ndp';
  readonly from: Mac;
  readonly to: Mac;
  readonly source: Ipv6;
  readonly ndp: NdpMessage;
}

/** 'other': neither ARP nor one of the two messages, or inside a VLAN, of whose addresses we know nothing. */
function readMessage(frame: Uint8Array): ArpMessage | NeighborDiscoveryMessage | 'other' | 'bad' {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (checkEthernet(view, 0, frame.length) !== undefined) return 'bad';
  const from = ethernetSource(view, 0);
  if (!isStationMac(from)) return 'bad';
  const type = ethernetType(view, 0);
  if (type === ETHERTYPE_ARP) return readArp(view, from);
  if (type === ETHERTYPE_IPV6) return readNdp(view, from);
  return 'other';
}

function readArp(view: DataView, from: Mac): ArpMessage | 'other' | 'bad' {
  if (checkArp(view, ETHERNET_HEADER, view.byteLength) !== undefined) return 'bad';
  const arp = parseArp(view, ETHERNET_HEADER);
  if (arp.senderMac !== from) return 'bad';
  if (arp.operation !== ARP_REQUEST && arp.operation !== ARP_REPLY) return 'other';
  return { kind: 'arp', from, to: ethernetDestination(view, 0), arp };
}

function readNdp(view: DataView, from: Mac): NeighborDiscoveryMessage | 'other' | 'bad' {
  const packet = ETHERNET_HEADER;
  const end = view.byteLength;
  if (!looksLikeNdp(view, packet, end)) return 'other';
  if (checkNdpPacket(view, packet, end) !== undefined) return 'bad';
  const message = packet + IPV6_HEADER;
  const ndp = parseNdp(view, message, message + ipv6PayloadLength(view, packet));
  if (ndp.mac !== undefined && ndp.mac !== from) return 'bad';
  return { kind: 'ndp', from, to: ethernetDestination(view, 0), source: ipv6Source(view, packet), ndp };
}

/** By its type alone: whether it is a good one is checkNdpPacket's question. */
function looksLikeNdp(view: DataView, packet: number, end: number): boolean {
  if (checkIpv6(view, packet, end) !== undefined) return false;
  if (ipv6NextHeader(view, packet) !== IPPROTO_ICMPV6 || ipv6PayloadLength(view, packet) === 0) return false;
  const type = icmpType(view, packet + IPV6_HEADER);
  return type === NDP_SOLICITATION || type === NDP_ADVERTISEMENT;
}

function answerArp({ from, arp }: ArpMessage, lookup: NeighborLookup): Uint8Array | 'flood' {
  if (arp.operation !== ARP_REQUEST) return 'flood';
  if (!isHostAddress4(arp.senderAddress) || arp.senderAddress === arp.targetAddress) return 'flood';
  const known = lookup(arp.targetAddress);
  if (known === undefined || known.mac === from) return 'flood';
  const frame = new Uint8Array(ETHERNET_HEADER + ARP_PACKET);
  const view = new DataView(frame.buffer);
  emitEthernetHeader(view, 0, { destination: from, source: known.mac, type: ETHERTYPE_ARP });
  emitArp(view, ETHERNET_HEADER, {
    operation: ARP_REPLY,
    senderMac: known.mac,
    senderAddress: arp.targetAddress,
    targetMac: from,
    targetAddress: arp.senderAddress,
  });
  return frame;
}

/** RFC 4861 §7.2.4, in the holder's name. */
function answerNdp({ from, source, ndp }: NeighborDiscoveryMessage, lookup: NeighborLookup): Uint8Array | 'flood' {
  if (ndp.type !== NDP_SOLICITATION) return 'flood';
  if (!isOneHost6(source) || source === ndp.target) return 'flood';
  const known = lookup(ndp.target);
  // A router that is said not to be one loses all hosts that have their default route over it (§7.2.5).
  if (known?.router === undefined || known.mac === from) return 'flood';
  const messageLength = NDP_MESSAGE_MIN + NDP_OPTION_UNIT;
  const message = ETHERNET_HEADER + IPV6_HEADER;
  const frame = new Uint8Array(message + messageLength);
  const view = new DataView(frame.buffer);
  emitEthernetHeader(view, 0, { destination: from, source: known.mac, type: ETHERTYPE_IPV6 });
  emitIpv6Header(view, ETHERNET_HEADER, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: messageLength,
    nextHeader: IPPROTO_ICMPV6,
    hopLimit: NDP_HOP_LIMIT,
    source: ndp.target,
    destination: source,
  });
  emitNdp(view, message, {
    type: NDP_ADVERTISEMENT,
    router: known.router,
    solicited: true,
    override: true,
    target: ndp.target,
    mac: known.mac,
  });
  fillIcmpChecksum(view, message, frame.length, pseudoHeaderSum6(ndp.target, source, IPPROTO_ICMPV6, messageLength));
  return frame;
}

/** Not ::, ::1 or multicast. */
const isOneHost6 = (address: Ipv6): boolean => address > 1n && !isMulticast6(address);
