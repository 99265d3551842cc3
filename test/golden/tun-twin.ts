import type { Ipv4 } from '../../lib/addr/ipv4.ts';
import type { Prefix } from '../../lib/addr/prefix.ts';
import { prefixContains } from '../../lib/addr/prefix.ts';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import { type OuterDscp, outerTos } from '../../lib/wire/ecn.ts';
import { finishIpv4Header } from './checksum.ts';
import { afterTunnel, tosOf } from './ecn.ts';
import { cut } from './gso.ts';
import { type IcmpErrorKind, type IcmpSources, icmpError } from './icmp-error.ts';
import { type SlowRoute, slowLookup } from './lpm.ts';
import { checkPacket, destinationOf, family, isMulticast, sourceOf, ttlOf } from './packet.ts';
import { withFinishedChecksum } from './partial.ts';
import { readVnetHeader, VNET_HEADER } from './vnet-header.ts';

/** A node as the engine sees it. */
export interface TwinConfig {
  /** A peer's number is its place in this list. */
  readonly peers: readonly TwinPeer[];
  /** The own lease: what inbound packets may be for. */
  readonly own: readonly Prefix[];
  readonly icmpSources: IcmpSources;
  /** Off: any outer source and any inner source is taken. The inner destination is checked all the same. */
  readonly sourceCheck: boolean;
  /** Outer DSCP; 0 unless given. */
  readonly dscp?: OuterDscp;
  /**
   * Whether the TTL is looked at and lowered, at each end; true unless given. IP in UDP is a hop, as flanneld's proxy is one;
   * IP in IP is a link (RFC 2003 §3.1).
   */
  readonly isHop?: boolean;
}

export interface TwinPeer {
  readonly publicIp: Ipv4;
  readonly subnets: readonly Prefix[];
}

export interface TwinOutbound {
  /** Payloads of the outer datagrams with their outer TOS octet, in order. */
  readonly datagrams: readonly { readonly peer: number; readonly bytes: Uint8Array; readonly tos: number }[];
  /** Errors written back to the device: plain IP packets. */
  readonly tunWrites: readonly Uint8Array[];
  /** One for each frame that did not leave, a super-packet counting once. */
  readonly drops: readonly DropReason[];
}

export interface TwinInbound {
  /** What the device must receive, in order, one by one. */
  readonly packets: readonly Uint8Array[];
  /** One for each datagram that was not delivered. */
  readonly drops: readonly DropReason[];
}

export interface Datagram {
  readonly outerSource: Ipv4;
  /** TOS octet of the outer header; 0 unless given. */
  readonly outerTos?: number;
  readonly bytes: Uint8Array;
}

/** The most that fits a UDP datagram over IPv4: 65,535 - 20 - 8. */
const DATAGRAM_MAX = 65507;

/**
 * From frames of the device (virtio_net_hdr and packet) to datagrams. The order of the tests is part of the rules, since it
 * decides which reason is counted: packet, multicast, route, TTL, offload header, size. Errors are not rate limited here, and the
 * path MTU is not known: "fragmentation needed" starts with the kernel's EMSGSIZE.
 */
export function twinOutbound(config: TwinConfig, frames: readonly Uint8Array[]): TwinOutbound {
  const datagrams: { peer: number; bytes: Uint8Array; tos: number }[] = [];
  const tunWrites: Uint8Array[] = [];
  const drops: DropReason[] = [];
  const routes = routesOf(config);
  for (const frame of frames) {
    const verdict = outboundVerdict(config, routes, frame);
    if ('drop' in verdict) {
      drops.push(verdict.drop);
      const answer = verdict.about && icmpError(verdict.about.kind, verdict.about.packet, config.icmpSources);
      if (answer) tunWrites.push(answer);
    } else {
      for (const bytes of verdict.packets) datagrams.push({ peer: verdict.peer, bytes, tos: verdict.tos });
    }
  }
  return { datagrams, tunWrites, drops };
}

type OutboundVerdict =
  | { readonly drop: DropReason; readonly about?: { readonly kind: IcmpErrorKind; readonly packet: Uint8Array } }
  | { readonly peer: number; readonly packets: readonly Uint8Array[]; readonly tos: number };

function outboundVerdict(config: TwinConfig, routes: readonly SlowRoute[], frame: Uint8Array): OutboundVerdict {
  const isHop = config.isHop ?? true;
  if (frame.length < VNET_HEADER) return { drop: 'truncated' };
  const packet = checkPacket(frame.slice(VNET_HEADER));
  if (typeof packet === 'string') return { drop: packet };
  const destination = destinationOf(packet);
  if (isMulticast(family(packet), destination)) return { drop: 'multicast' };
  const peer = slowLookup(routes, family(packet), destination);
  if (peer === undefined) return { drop: 'no-route', about: { kind: 'no-route', packet } };
  if (isHop && ttlOf(packet) <= 1) return { drop: 'ttl-expired', about: { kind: 'time-exceeded', packet } };
  const packets = cut(readVnetHeader(frame), isHop ? oneHopOn(packet) : packet);
  if (packets === 'bad-offload-header') return { drop: packets };
  if (packets.some((bytes) => bytes.length > DATAGRAM_MAX)) return { drop: 'too-big' };
  return { peer, packets, tos: outerTos(config.dscp ?? 0, tosOf(packet)) };
}

/**
 * From datagrams to packets for the device. Order of the tests: outer source, packet, inner source, inner destination, TTL, congestion.
 * A wrong TCP or UDP checksum is the receiving host's to find, an unfinished one is finished. Nothing is ever answered.
 */
export function twinInbound(config: TwinConfig, datagrams: readonly Datagram[]): TwinInbound {
  const packets: Uint8Array[] = [];
  const drops: DropReason[] = [];
  for (const datagram of datagrams) {
    const verdict = inboundVerdict(config, datagram);
    if (typeof verdict === 'string') drops.push(verdict);
    else packets.push(verdict);
  }
  return { packets, drops };
}

function inboundVerdict(config: TwinConfig, datagram: Datagram): Uint8Array | DropReason {
  const peer = config.peers.findIndex(({ publicIp }) => publicIp === datagram.outerSource);
  if (config.sourceCheck && peer < 0) return 'unknown-peer';
  const packet = checkPacket(datagram.bytes);
  if (typeof packet === 'string') return packet;
  // An address that two leases cover belongs to the more specific one, as it does when it is a destination.
  const owner = slowLookup(routesOf(config), family(packet), sourceOf(packet));
  if (config.sourceCheck && owner !== peer) return 'spoofed-source';
  const destination = hostPrefix(packet);
  if (!config.own.some((prefix) => prefixContains(prefix, destination))) return 'foreign-destination';
  const isHop = config.isHop ?? true;
  if (isHop && ttlOf(packet) <= 1) return 'ttl-expired';
  const marked = afterTunnel(packet, datagram.outerTos ?? 0);
  if (typeof marked === 'string') return marked;
  return withFinishedChecksum(isHop ? oneHopOn(marked) : marked);
}

function routesOf(config: TwinConfig): SlowRoute[] {
  return config.peers.flatMap(({ subnets }, peer) => subnets.map((prefix) => ({ prefix, peer })));
}

function hostPrefix(packet: Uint8Array): Prefix {
  const destination = destinationOf(packet);
  return typeof destination === 'bigint'
    ? { family: 6, address: destination, length: 128 }
    : { family: 4, address: destination, length: 32 };
}

/** One off the TTL, as every router does. */
function oneHopOn(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  if (family(copy) === 6) {
    copy[7]! -= 1;
  } else {
    copy[8]! -= 1;
    finishIpv4Header(copy);
  }
  return copy;
}
