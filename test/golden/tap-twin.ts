/**
 * A VXLAN node, slow and obvious: what the fast path does on a TAP (RFC 7348). Where the RFC leaves it open, this file says
 * what is right:
 *
 * - A frame is never changed but for its ECN field. Padding behind the IP packet stays; of a super-packet, which has none, only
 *   the packet is cut up.
 * - A super-packet whose IP header is not sound is one whose length and header checksum were left to hardware, as they may be, and
 *   which Linux's GSO fills in without a look (inet_gso_segment, ipv6_gso_segment): it reaches to the frame's end. Not so an
 *   IPv6 jumbogram.
 * - Offload headers can be honoured for sound IPv4 and IPv6 packets behind at most two tags only; on any other frame a header that
 *   asks for work is 'bad-offload-header'.
 * - Frames from a group address or from 00:00:00:00:00:00 are nobody's: both would end up in the FDB, where they mean something
 *   else. Linux's VXLAN device drops both when it learns.
 * - Flooding in a segment without peers sends nothing: 'no-fdb-entry'.
 * - A segment that does not learn joins routers, so it takes only untagged IP, as they send it.
 * - A lease's VtepMAC is never learned, and with the source check on no other peer may use it.
 * - Without the source check, an outer address that is no peer's teaches nothing: there is no peer to send answers to.
 */
import type { Ipv4 } from '../../lib/addr/ipv4.ts';
import type { Ipv6 } from '../../lib/addr/ipv6.ts';
import type { Mac } from '../../lib/addr/mac.ts';
import { type Prefix, prefixContains } from '../../lib/addr/prefix.ts';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import { answer, type NeighborLookup } from '../../lib/dataplane/worker/neighbor/answer.ts';
import { type OuterDscp, outerTos } from '../../lib/wire/ecn.ts';
import { finishIpv4Header } from './checksum.ts';
import { afterTunnel, tosOf } from './ecn.ts';
import { type Frame, isGroupMac, isHostMac, packetIn, readFrame } from './ethernet.ts';
import { cut } from './gso.ts';
import { slowLookup } from './lpm.ts';
import { get16, get32, put16, put32 } from './octets.ts';
import { destinationOf, family, type PacketFault, sourceOf } from './packet.ts';
import { withFinishedChecksum } from './partial.ts';
import { GSO_NONE, NEEDS_CSUM, readVnetHeader, VNET_HEADER } from './vnet-header.ts';
import type { SlowFdb } from './vxlan-fdb.ts';

export interface TwinVxlanConfig {
  readonly segments: readonly TwinSegment[];
  readonly sourceCheck: boolean;
  readonly dscp: OuterDscp;
}

export interface TwinSegment {
  readonly vni: number;
  /** Of the underlay. */
  readonly family: 4 | 6;
  /** The device's own, the VtepMAC of our lease. */
  readonly mac: Mac;
  readonly learning: boolean;
  /** The own lease. */
  readonly own: readonly Prefix[];
  /** A peer's number is its place in this list. */
  readonly peers: readonly TwinVtep[];
}

export interface TwinVtep {
  /** On the underlay. */
  readonly address: Ipv4 | Ipv6;
  /** Its leased VtepMAC. */
  readonly mac: Mac;
  readonly prefixes: readonly Prefix[];
}

/** What an engine remembers and asks while it works. */
export interface TwinVxlanState {
  readonly fdb: SlowFdb;
  /** Seconds. */
  readonly now: number;
  /** The storm limiter, asked once for each frame that is to be flooded. */
  readonly mayFlood: () => boolean;
  readonly neighbors: NeighborLookup;
}

export interface TwinVxlanOutbound {
  /** UDP payloads with their outer TOS octet, in order; a flooded frame goes to the peers in their order. */
  readonly datagrams: readonly { readonly peer: number; readonly bytes: Uint8Array; readonly tos: number }[];
  /** Answers to ARP and neighbour discovery: plain frames. */
  readonly tapWrites: readonly Uint8Array[];
  /** One for each frame that did not leave, a super-packet counting once, and a flooded frame too. */
  readonly drops: readonly DropReason[];
}

const VXLAN_HEADER = 8;
const ETHERNET_HEADER = 14;
/** The most that fits a UDP datagram over IPv4; over IPv6, where 20 bytes more would fit, the same. */
const DATAGRAM_MAX = 65507;

/** From frames of a segment's TAP (virtio_net_hdr and Ethernet frame) to datagrams. TTLs are the routers' business. */
export function twinVxlanOutbound(
  config: TwinVxlanConfig,
  segment: TwinSegment,
  state: TwinVxlanState,
  frames: readonly Uint8Array[],
): TwinVxlanOutbound {
  const datagrams: { peer: number; bytes: Uint8Array; tos: number }[] = [];
  const tapWrites: Uint8Array[] = [];
  const drops: DropReason[] = [];
  for (const frame of frames) {
    const verdict = outboundVerdict(config, segment, state, frame);
    if (typeof verdict === 'string') drops.push(verdict);
    else if (verdict instanceof Uint8Array) tapWrites.push(verdict);
    else datagrams.push(...verdict.peers.flatMap((peer) => verdict.payloads.map((payload) => ({ peer, ...payload }))));
  }
  return { datagrams, tapWrites, drops };
}

interface Sent {
  readonly peers: readonly number[];
  readonly payloads: readonly { readonly bytes: Uint8Array; readonly tos: number }[];
}

function outboundVerdict(
  config: TwinVxlanConfig,
  segment: TwinSegment,
  state: TwinVxlanState,
  read: Uint8Array,
): DropReason | Uint8Array | Sent {
  if (read.length < VNET_HEADER + ETHERNET_HEADER) return 'truncated';
  const bytes = read.slice(VNET_HEADER);
  const frame = readFrame(bytes);
  if (!isHostMac(frame.source)) return 'bad-source-mac';
  const peers = outboundPeers(segment, state, bytes, frame);
  if (typeof peers === 'string' || peers instanceof Uint8Array) return peers;
  const frames = wholeFrames(read, bytes, frame);
  if (typeof frames === 'string') return frames;
  const payloads = frames.map((whole) => ({
    bytes: withVxlanHeader(segment.vni, whole),
    tos: outerTosOf(config.dscp, whole),
  }));
  return payloads.some((payload) => payload.bytes.length > DATAGRAM_MAX) ? 'too-big' : { peers, payloads };
}

/** The peers a frame goes to; or the answer to its question; or why it goes nowhere. */
function outboundPeers(
  segment: TwinSegment,
  state: TwinVxlanState,
  bytes: Uint8Array,
  { destination }: Frame,
): readonly number[] | Uint8Array | DropReason {
  if (!isGroupMac(destination)) {
    const peer = state.fdb.lookup(segment, destination, state.now);
    return peer === undefined ? floodOr('no-fdb-entry', segment, state) : [peer];
  }
  // Known VTEPs are answered for even where nothing is learned.
  const verdict = answer(bytes, state.neighbors);
  if (verdict === 'bad') return 'bad-neighbor-message';
  return verdict === 'flood' ? floodOr('multicast', segment, state) : verdict;
}

function floodOr(
  reason: DropReason,
  { learning, peers }: TwinSegment,
  state: TwinVxlanState,
): readonly number[] | DropReason {
  if (!learning) return reason;
  if (peers.length === 0) return 'no-fdb-entry';
  return state.mayFlood() ? peers.map((_, peer) => peer) : 'storm-limited';
}

/** The frames that one read stands for: cut, with finished checksums. */
function wholeFrames(read: Uint8Array, bytes: Uint8Array, frame: Frame): Uint8Array[] | 'bad-offload-header' {
  const vnet = readVnetHeader(read);
  if (vnet.gsoType === GSO_NONE && (vnet.flags & NEEDS_CSUM) === 0) return [bytes];
  const sound = packetIn(bytes);
  const packet = typeof sound === 'string' && vnet.gsoType !== GSO_NONE ? completedPacketIn(bytes) : sound;
  if (typeof packet === 'string') return 'bad-offload-header';
  // The header counts from the start of the frame.
  const packets = cut({ ...vnet, csumStart: vnet.csumStart - frame.payload }, packet);
  if (packets === 'bad-offload-header') return packets;
  const ethernet = bytes.subarray(0, frame.payload);
  const padding = vnet.gsoType === GSO_NONE ? bytes.subarray(frame.payload + packet.length) : [];
  return packets.map((one) => Uint8Array.of(...ethernet, ...one, ...padding));
}

/** The packet in a frame as it is once its lengths and IPv4's header checksum are filled in; or why that cannot be. */
function completedPacketIn(bytes: Uint8Array): Uint8Array | PacketFault {
  const { payload } = readFrame(bytes);
  const packet = bytes.slice(payload);
  if (packet.length > 0 && packet[0]! >> 4 === 4) {
    if (packet.length < 20 || packet.length > 65_535 || (packet[0]! % 16) * 4 > packet.length) return 'bad-header';
    // What the frame's type does not call IPv4, or what has a header of less than 20 bytes, packetIn refuses in any case.
    put16(packet, 2, packet.length);
    if (packet[0]! % 16 >= 5) finishIpv4Header(packet);
  } else if (packet.length > 0 && packet[0]! >> 4 === 6) {
    if (packet.length < 40 || packet.length > 40 + 65_535) return 'bad-header';
    if (packet[6] === 0 && get16(packet, 4) === 0) return 'bad-header';
    put16(packet, 4, packet.length - 40);
  }
  return packetIn(Uint8Array.of(...bytes.subarray(0, payload), ...packet));
}

/** RFC 7348 §5: the I flag, the VNI, everything else zero. */
function withVxlanHeader(vni: number, frame: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(VXLAN_HEADER + frame.length);
  datagram[0] = 0x08;
  put32(datagram, 4, vni * 256);
  datagram.set(frame, VXLAN_HEADER);
  return datagram;
}

function outerTosOf(dscp: OuterDscp, frame: Uint8Array): number {
  const packet = packetIn(frame);
  return outerTos(dscp, typeof packet === 'string' ? undefined : tosOf(packet));
}

export interface VxlanDatagram {
  readonly outerFamily: 4 | 6;
  readonly outerSource: Ipv4 | Ipv6;
  readonly outerTos: number;
  readonly bytes: Uint8Array;
}

export interface TwinVxlanInbound {
  /** What the TAPs must receive, in order, one by one; `segment` is a place in the configuration's list. */
  readonly frames: readonly { readonly segment: number; readonly bytes: Uint8Array }[];
  /** One for each datagram that was not delivered. */
  readonly drops: readonly DropReason[];
}

/** From datagrams to frames for the TAPs. What a frame teaches is learned even if congestion then drops it. */
export function twinVxlanInbound(
  config: TwinVxlanConfig,
  state: TwinVxlanState,
  datagrams: readonly VxlanDatagram[],
): TwinVxlanInbound {
  const frames: { segment: number; bytes: Uint8Array }[] = [];
  const drops: DropReason[] = [];
  for (const datagram of datagrams) {
    const verdict = inboundVerdict(config, state, datagram);
    if (typeof verdict === 'string') drops.push(verdict);
    else frames.push(verdict);
  }
  return { frames, drops };
}

function inboundVerdict(
  config: TwinVxlanConfig,
  state: TwinVxlanState,
  datagram: VxlanDatagram,
): { segment: number; bytes: Uint8Array } | DropReason {
  const { bytes } = datagram;
  if (bytes.length < VXLAN_HEADER + ETHERNET_HEADER) return 'truncated';
  if ((bytes[0]! & 0x08) === 0) return 'bad-vxlan-header';
  const vni = Math.floor(get32(bytes, 4) / 256);
  const index = config.segments.findIndex((one) => one.vni === vni && one.family === datagram.outerFamily);
  const segment = config.segments[index];
  if (segment === undefined) return 'unknown-vni';
  const inner = bytes.slice(VXLAN_HEADER);
  const frame = readFrame(inner);
  if (!isHostMac(frame.source) || frame.source === segment.mac) return 'bad-source-mac';
  const fault = (segment.learning ? bridgedFault : routedFault)(config, segment, state, datagram, inner, frame);
  if (fault !== undefined) return fault;
  const packet = packetIn(inner);
  if (typeof packet === 'string') return { segment: index, bytes: inner };
  const marked = afterTunnel(packet, datagram.outerTos);
  if (typeof marked === 'string') return marked;
  inner.set(withFinishedChecksum(marked), frame.payload);
  return { segment: index, bytes: inner };
}

/** Hosts that route between their subnets: from one VTEP's device to ours, a packet from its lease to our own. */
function routedFault(
  config: TwinVxlanConfig,
  segment: TwinSegment,
  state: TwinVxlanState,
  { outerSource }: VxlanDatagram,
  inner: Uint8Array,
  frame: Frame,
): DropReason | undefined {
  const sender = state.fdb.leased(segment, frame.source);
  if (config.sourceCheck) {
    if (peerAt(segment, outerSource) === undefined) return 'unknown-peer';
    if (sender === undefined || segment.peers[sender]!.address !== outerSource) return 'spoofed-source';
  }
  if (frame.destination !== segment.mac) return 'foreign-destination';
  if (frame.tags > 0) return 'not-ip';
  const packet = packetIn(inner);
  if (typeof packet === 'string') return packet;
  const routes = segment.peers.flatMap(({ prefixes }, peer) => prefixes.map((prefix) => ({ prefix, peer })));
  const owner = slowLookup(routes, family(packet), sourceOf(packet));
  if (config.sourceCheck && owner !== sender) return 'spoofed-source';
  const destination = hostPrefix(destinationOf(packet));
  return segment.own.some((prefix) => prefixContains(prefix, destination)) ? undefined : 'foreign-destination';
}

/** One Ethernet over all hosts: any frame may pass, from any MAC address that is not another peer's VTEP. */
function bridgedFault(
  config: TwinVxlanConfig,
  segment: TwinSegment,
  state: TwinVxlanState,
  { outerSource }: VxlanDatagram,
  _inner: Uint8Array,
  frame: Frame,
): DropReason | undefined {
  const sender = peerAt(segment, outerSource);
  const holder = state.fdb.leased(segment, frame.source);
  if (config.sourceCheck) {
    if (sender === undefined) return 'unknown-peer';
    if (holder !== undefined && segment.peers[holder]!.address !== outerSource) return 'spoofed-source';
  }
  if (sender !== undefined) state.fdb.learn(segment, frame.source, sender, state.now);
  return undefined;
}

function peerAt(segment: TwinSegment, address: Ipv4 | Ipv6): number | undefined {
  const peer = segment.peers.findIndex((one) => one.address === address);
  return peer < 0 ? undefined : peer;
}

function hostPrefix(address: number | bigint): Prefix {
  return typeof address === 'bigint' ? { family: 6, address, length: 128 } : { family: 4, address, length: 32 };
}
