/**
 * The packets that are on the wire, from what a packet socket sees of a host with offloads: super-packets of TCP, trains of UDP
 * datagrams and checksums that are not finished. What is still to be done is in the virtio_net_hdr before the frame, as for a
 * network card: VIRTIO 1.2 §5.1.6. Each piece gets the headers that Linux's own segmentation gives it (net/ipv4/tcp_offload.c,
 * udp_offload.c, af_inet.c).
 *
 * Pieces are made in the frame's own memory: the headers move along the payload, each over what the piece before has ended with.
 */
import { GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM } from '../linux/virtio-net.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import {
  IPV4_CHECKSUM,
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_ID,
  IPV4_TOTAL_LENGTH,
} from '../wire/layout/ipv4.ts';
import { IPV6_HEADER, IPV6_PAYLOAD_LENGTH } from '../wire/layout/ipv6.ts';
import {
  TCP_CHECKSUM,
  TCP_CWR,
  TCP_DATA_OFFSET,
  TCP_FIN,
  TCP_FLAGS,
  TCP_HEADER_MIN,
  TCP_PSH,
  TCP_SEQUENCE,
} from '../wire/layout/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER, UDP_LENGTH } from '../wire/layout/udp.ts';
import { Layers, putWord, type TunnelPorts, word } from './layers.ts';
import { LINKTYPE_ETHERNET } from './link-type.ts';
import { fold, MemorySum, pseudoSum, sumBytes } from './memory-sum.ts';
import { type FrameToCut, Piece, type WirePacket } from './wire-packet.ts';

/** No header chain that is cut is longer: outer and inner Ethernet, IPv6 with extensions, UDP, VXLAN, TCP with options. */
const SCRATCH = 4096;

export class WireCutter {
  readonly #hasEthernet: boolean;
  readonly #snapLength: number;
  readonly #tunnels: TunnelPorts;
  readonly #layers = new Layers();
  readonly #piece = new Piece();
  /** Headers of pieces whose payload was not captured. */
  readonly #scratch = new Uint8Array(SCRATCH);
  readonly #sum = new MemorySum();

  /**
   * `linkType`: 1 Ethernet, 101 IP. Of each packet at most `snapLength` bytes are handed on. `tunnels`: for super-packets inside
   * kernel VXLAN.
   */
  constructor(linkType: number, snapLength: number, tunnels: TunnelPorts = DEFAULT_TUNNELS) {
    this.#hasEthernet = linkType === LINKTYPE_ETHERNET;
    this.#snapLength = snapLength;
    this.#tunnels = tunnels;
  }

  /** Hands over each packet of the frame, in order, and returns how many they are. */
  cut(frame: FrameToCut, onPacket: (packet: WirePacket) => void): number {
    const type = frame.vnetGsoType & ~GSO_ECN;
    if (type !== GSO_NONE && frame.vnetGsoSize > 0 && this.#cutSuper(frame, type, onPacket)) return this.#piece.of;
    this.#single(frame, onPacket);
    return 1;
  }

  /** The frame as the kernel has it, but for the snap length. */
  whole(frame: FrameToCut): WirePacket {
    const piece = this.#piece;
    const { memory, start, length } = frame;
    piece.memory = memory;
    piece.start = start;
    piece.end = Math.min(frame.end, start + this.#snapLength);
    piece.length = length;
    piece.index = 0;
    piece.of = 1;
    piece.idRebuilt = false;
    piece.notCut = frame.vnetGsoType !== 0;
    piece.checksumUnfinished = (frame.vnetFlags & NEEDS_CSUM) !== 0;
    return piece;
  }

  /** A packet like any other, whose checksum may have to be finished. */
  #single(frame: FrameToCut, onPacket: (packet: WirePacket) => void): void {
    const piece = this.#piece;
    this.whole(frame);
    const { memory, start, length } = frame;
    if ((frame.vnetFlags & NEEDS_CSUM) !== 0) {
      const from = start + frame.vnetCsumStart;
      const field = from + frame.vnetCsumOffset;
      const isKept = !piece.notCut && piece.end - start === length && field + 2 <= piece.end;
      if (isKept) this.#finish(memory, from, piece.end, field, frame.vnetCsumOffset === UDP_CHECKSUM);
      piece.checksumUnfinished = !isKept;
    }
    onPacket(piece);
  }

  /** False, and nothing is handed over, when the headers are not those that the type speaks of. */
  #cutSuper(frame: FrameToCut, type: number, onPacket: (packet: WirePacket) => void): boolean {
    const { memory, start, end, length, vnetGsoSize: size } = frame;
    const level = this.#levelToCut(frame, type);
    if (level < 0) return false;
    const layers = this.#layers;
    const isTcp = layers.protocol[level] === IPPROTO_TCP;
    const transport = layers.transport[level]! - start;
    if (start + transport + (isTcp ? TCP_HEADER_MIN : UDP_HEADER) > end) return false;
    const header = transport + (isTcp ? (memory[start + transport + TCP_DATA_OFFSET]! >> 4) * 4 : UDP_HEADER);
    const payload = length - header;
    if (payload <= 0 || start + header > end || header > SCRATCH) return false;
    this.#cutPayload(
      { frame, level, isTcp, transport, header, payload, size, count: Math.ceil(payload / size) },
      onPacket,
    );
    return true;
  }

  /** Which of the packets in each other the sizes are about; -1: none fits. */
  #levelToCut(frame: FrameToCut, type: number): number {
    const { memory, start, end } = frame;
    const layers = this.#layers;
    const count = layers.read(memory, start, end, this.#hasEthernet, this.#tunnels);
    const wanted = type === GSO_TCPV4 || type === GSO_TCPV6 ? IPPROTO_TCP : type === GSO_UDP_L4 ? IPPROTO_UDP : -1;
    const known = (frame.vnetFlags & NEEDS_CSUM) !== 0 ? start + frame.vnetCsumStart : -1;
    for (let level = 0; level < count; level++) {
      if (layers.protocol[level] !== wanted || layers.transport[level]! < 0) continue;
      if (known < 0 || layers.transport[level] === known) return level;
    }
    return -1;
  }

  #cutPayload(plan: CutPlan, onPacket: (packet: WirePacket) => void): void {
    const { frame, header, payload, size, count } = plan;
    const piece = this.#piece;
    const { memory, start, end } = frame;
    piece.of = count;
    piece.notCut = false;
    piece.idRebuilt = !frame.outgoing && count > 1 && this.#mayNotFragment(memory, plan.level);
    let from = start;
    let own = memory;
    for (let index = 0; index < count; index++) {
      const before = index * size;
      const carried = Math.min(size, payload - before);
      const at = start + before;
      if (own === memory && at + header <= end) {
        if (index > 0) memory.copyWithin(at, from, from + header);
        from = at;
      } else if (own === memory) {
        // The payload from here on was not captured.
        for (let i = 0; i < header; i++) this.#scratch[i] = memory[from + i]!;
        own = this.#scratch;
        from = 0;
      }
      const there = own === memory ? Math.max(0, Math.min(carried, end - at - header)) : 0;
      const kept = Math.min(header + there, this.#snapLength);
      piece.memory = own;
      piece.start = from;
      piece.end = from + kept;
      piece.length = header + carried;
      piece.index = index;
      this.#patch(plan, from, index, kept === header + carried);
      onPacket(piece);
    }
  }

  /** Writes the headers of a piece whose own are those of the piece before. `whole`: all its bytes are there. */
  #patch(plan: CutPlan, from: number, index: number, whole: boolean): void {
    const { frame, level, isTcp, transport, size, count } = plan;
    const piece = this.#piece;
    const { memory } = piece;
    const end = from + piece.length;
    const shift = from - frame.start;
    const layers = this.#layers;
    for (let each = 0; each <= level; each++) {
      const ip = layers.ip[each]! + shift;
      if (layers.isIpv6[each] === true) putWord(memory, ip + IPV6_PAYLOAD_LENGTH, end - ip - IPV6_HEADER);
      else this.#patchIpv4(memory, ip, end, layers.transport[each]! + shift, index > 0);
      if (layers.protocol[each] === IPPROTO_UDP) {
        const udp = layers.transport[each]! + shift;
        putWord(memory, udp + UDP_LENGTH, end - udp);
      }
    }
    if (isTcp) patchTcp(memory, from + transport, index, count, size, plan);
    piece.checksumUnfinished = false;
    // The inner one first: the outer one is over it.
    for (let each = level; each >= 0; each--) this.#patchChecksum(plan, each, shift, end, whole);
  }

  #patchIpv4(memory: Uint8Array, ip: number, end: number, headerEnd: number, isLater: boolean): void {
    putWord(memory, ip + IPV4_TOTAL_LENGTH, end - ip);
    if (isLater) putWord(memory, ip + IPV4_ID, (word(memory, ip + IPV4_ID) + 1) & 0xffff);
    putWord(memory, ip + IPV4_CHECKSUM, 0);
    putWord(memory, ip + IPV4_CHECKSUM, ~fold(sumBytes(memory, ip, headerEnd)) & 0xffff);
  }

  #patchChecksum({ frame, level }: CutPlan, each: number, shift: number, end: number, whole: boolean): void {
    const layers = this.#layers;
    const { memory } = this.#piece;
    const protocol = layers.protocol[each]!;
    if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return;
    const from = layers.transport[each]! + shift;
    const field = from + (protocol === IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
    // 0: the sender computes none. With NEEDS_CSUM the field of what is cut is never that.
    const isAsked = each === level && (frame.vnetFlags & NEEDS_CSUM) !== 0;
    if (protocol === IPPROTO_UDP && !isAsked && word(memory, field) === 0) return;
    putWord(
      memory,
      field,
      fold(pseudoSum(memory, layers.ip[each]! + shift, layers.isIpv6[each]!, protocol, end - from)),
    );
    if (whole) this.#finish(memory, from, end, field, protocol === IPPROTO_UDP);
    else this.#piece.checksumUnfinished = true;
  }

  /** Completes a checksum whose field holds the sum of the pseudo-header. */
  #finish(memory: Uint8Array, from: number, end: number, field: number, isUdp: boolean): void {
    const sum = ~fold(this.#sum.of(memory, from, end)) & 0xffff;
    putWord(memory, field, isUdp && sum === 0 ? 0xffff : sum);
  }

  #mayNotFragment(memory: Uint8Array, level: number): boolean {
    const layers = this.#layers;
    for (let each = 0; each <= level; each++) {
      if (layers.isIpv6[each] === true) continue;
      if ((word(memory, layers.ip[each]! + IPV4_FLAGS_FRAGMENT) & IPV4_DONT_FRAGMENT) !== 0) return true;
    }
    return false;
  }
}

interface CutPlan {
  readonly frame: FrameToCut;
  /** Which of the packets in each other is cut. */
  readonly level: number;
  readonly isTcp: boolean;
  /** Of its TCP or UDP header, from the frame's first byte on. */
  readonly transport: number;
  /** Bytes of all headers of a piece. */
  readonly header: number;
  readonly payload: number;
  readonly size: number;
  readonly count: number;
  /** TCP flags that only the last piece has, and the one that only the first has. */
  flags?: number;
}

const DEFAULT_TUNNELS: TunnelPorts = new Map([
  [8472, 'vxlan'],
  [4789, 'vxlan'],
]);

/** The sequence number goes on; FIN and PSH are the last piece's, CWR the first one's. RFC 9293 §3.1, RFC 3168 §6.1.2. */
function patchTcp(memory: Uint8Array, tcp: number, index: number, count: number, size: number, plan: CutPlan): void {
  if (index === 0) plan.flags = memory[tcp + TCP_FLAGS]!;
  else {
    const sequence = word(memory, tcp + TCP_SEQUENCE) * 0x10000 + word(memory, tcp + TCP_SEQUENCE + 2) + size;
    putWord(memory, tcp + TCP_SEQUENCE, Math.floor(sequence / 0x10000) & 0xffff);
    putWord(memory, tcp + TCP_SEQUENCE + 2, sequence & 0xffff);
  }
  const flags = plan.flags ?? 0;
  const first = index === 0 ? flags : flags & ~TCP_CWR;
  memory[tcp + TCP_FLAGS] = index === count - 1 ? first : first & ~(TCP_FIN | TCP_PSH);
}
