/** The comment of a packet in a capture file: whose it is, and what was done to it. Encoded once for each that occurs. */
import { Layers } from '../capture/layers.ts';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { WirePacket } from '../capture/wire-packet.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../wire/layout/ip.ts';
import { IPV4_DESTINATION, IPV4_SOURCE } from '../wire/layout/ipv4.ts';
import { isProbe } from '../wire/probe.ts';
import type { EdgePacket } from './edge-capture.ts';
import type { Edge } from './edges.ts';

const NONE = new Uint8Array(0);
const UNFINISHED = 1;
const ID_REBUILT = 2;
const NOT_CUT = 4;
const PROBE = 8;

/** A peer by its addresses as numbers: IPv4 of the underlay, and its IPv4 subnet. */
export interface NamedPeer {
  /** '' for the only one of a daemon without --network. */
  readonly network: string;
  readonly name: string;
  readonly underlay: number;
  readonly subnet: number;
  readonly subnetMask: number;
}

export class PacketNotes {
  readonly #peers: readonly NamedPeer[];
  readonly #layers = new Layers();
  readonly #comments = new Map<number, Uint8Array>();
  /** Index of the peer + 1 by address; 0: nobody's. Bounded by whom the capture sees. */
  readonly #byUnderlay = new Map<number, number>();
  readonly #byInner = new Map<Edge, Map<number, number>>();

  constructor(peers: readonly NamedPeer[]) {
    this.#peers = peers;
    for (const [index, { underlay }] of peers.entries()) this.#byUnderlay.set(underlay, index + 1);
  }

  comment({ edge, linkType, tunnels, frame, packet, note }: EdgePacket): Uint8Array {
    if (note !== undefined) return new TextEncoder().encode(note);
    const { memory, start, end } = packet;
    const count = this.#layers.read(memory, start, end, linkType === LINKTYPE_ETHERNET, tunnels);
    let bits = 0;
    if (packet.checksumUnfinished) bits |= UNFINISHED;
    if (packet.idRebuilt) bits |= ID_REBUILT;
    if (packet.notCut) bits |= NOT_CUT;
    if (count > 0 && this.#mayProbe(packet, count - 1)) bits |= PROBE;
    const peer = count === 0 || this.#layers.isIpv6[0] === true ? 0 : this.#peerOf(memory, frame.outgoing, edge);
    const key = peer * 16 + bits;
    let comment = this.#comments.get(key);
    if (comment === undefined) {
      comment = this.#compose(peer, bits);
      this.#comments.set(key, comment);
    }
    return comment;
  }

  #mayProbe({ memory, end }: WirePacket, level: number): boolean {
    const protocol = this.#layers.protocol[level];
    if (protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) return false;
    return isProbe(memory.subarray(this.#layers.ip[level]!, end));
  }

  #peerOf(memory: Uint8Array, outgoing: boolean, edge: Edge): number {
    const at = this.#layers.ip[0]! + (outgoing ? IPV4_DESTINATION : IPV4_SOURCE);
    const address = ((memory[at]! << 24) | (memory[at + 1]! << 16) | (memory[at + 2]! << 8) | memory[at + 3]!) >>> 0;
    // What host-gw sends has the pods' addresses, on the underlay too.
    if (edge.kind === 'underlay' && edge.networks.every(({ wire }) => wire.encapsulation !== 'none'))
      return this.#byUnderlay.get(address) ?? 0;
    let byInner = this.#byInner.get(edge);
    if (byInner === undefined) {
      byInner = new Map();
      this.#byInner.set(edge, byInner);
    }
    let known = byInner.get(address);
    if (known === undefined) {
      known = this.#holder(address, edge) + 1;
      if (byInner.size < 65_536) byInner.set(address, known);
    }
    return known;
  }

  /** Index of the peer that has it; other networks may have the same addresses. -1: nobody's. */
  #holder(address: number, { networks }: Edge): number {
    return this.#peers.findIndex(
      ({ network, subnet, subnetMask }) =>
        (address & subnetMask) >>> 0 === subnet && networks.some(({ name }) => name === network),
    );
  }

  #compose(peer: number, bits: number): Uint8Array {
    const parts = peer === 0 ? [] : [`peer ${this.#peers[peer - 1]!.name}`];
    if ((bits & PROBE) !== 0) parts.push("weftd's own probe");
    if ((bits & NOT_CUT) !== 0) parts.push('super-packet, not cut');
    if ((bits & ID_REBUILT) !== 0) parts.push('ID rebuilt');
    if ((bits & UNFINISHED) !== 0) parts.push('checksum unfinished');
    return parts.length === 0 ? NONE : new TextEncoder().encode(parts.join(', '));
  }
}
