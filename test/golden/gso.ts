import { addWords, finishIpv4Header, finishTransport, slowPseudoSum, slowSum } from './checksum.ts';
import { get16, get32, put16, put32 } from './octets.ts';
import { checkPacket, family, findTransport, type Transport } from './packet.ts';
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CSUM,
  readVnetHeader,
  VNET_HEADER,
  type VnetHeader,
} from './vnet-header.ts';

const TCP = 6;
const UDP = 17;
const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;

/** 64 KiB at Linux's smallest MSS, 48 bytes, and a few: no sender asks for more (net.ipv4.tcp_min_snd_mss). */
const MAX_GSO_SEGS = 1400;

/**
 * The plain packets that a frame from the device stands for, checksums finished. `packet` has passed checkPacket.
 * The offload header is refused when it does not fit the packet; its hdrLen is never looked at.
 */
export function cut(vnet: VnetHeader, packet: Uint8Array): Uint8Array[] | 'bad-offload-header' {
  if (vnet.gsoType === GSO_NONE) return vnet.flags & NEEDS_CSUM ? finishPartial(vnet, packet) : [packet.slice()];
  const plan = planCuts(vnet, packet);
  if (plan === undefined) return 'bad-offload-header';
  const payload = packet.subarray(plan.payloadOffset);
  const count = Math.max(1, Math.ceil(payload.length / vnet.gsoSize));
  if (count > MAX_GSO_SEGS) return 'bad-offload-header';
  const cuts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) cuts.push(cutOne(vnet, packet, plan, index, count));
  return cuts;
}

/** A single packet whose checksum field holds the sum of the pseudo-header: sum from csumStart, store the complement. */
function finishPartial(vnet: VnetHeader, packet: Uint8Array): Uint8Array[] | 'bad-offload-header' {
  const field = vnet.csumStart + vnet.csumOffset;
  const headerLength = family(packet) === 4 ? (packet[0]! % 16) * 4 : 40;
  if (vnet.csumStart < headerLength || field + 2 > packet.length) return 'bad-offload-header';
  const finished = packet.slice();
  const checksum = 65535 - slowSum(finished, vnet.csumStart, finished.length);
  // UDP is known by the place of its field; for it, 0 would mean "no checksum".
  put16(finished, field, checksum === 0 && vnet.csumOffset === 6 ? 65535 : checksum);
  return [finished];
}

interface Plan {
  readonly protocol: typeof TCP | typeof UDP;
  readonly transport: number;
  readonly payloadOffset: number;
}

/** Undefined when the header and the packet do not belong together. */
function planCuts(vnet: VnetHeader, packet: Uint8Array): Plan | undefined {
  const type = vnet.gsoType & ~GSO_ECN;
  const found = findTransport(packet);
  if (vnet.gsoSize === 0 || found === undefined || found.fragmented) return undefined;
  if (type === GSO_TCPV4 && family(packet) !== 4) return undefined;
  if (type === GSO_TCPV6 && family(packet) !== 6) return undefined;
  const plan = type === GSO_TCPV4 || type === GSO_TCPV6 ? planTcp(packet, found) : planUdp(type, packet, found);
  if (plan === undefined) return undefined;
  const field = plan.protocol === TCP ? 16 : 6;
  if (vnet.flags & NEEDS_CSUM && (vnet.csumStart !== plan.transport || vnet.csumOffset !== field)) return undefined;
  return plan;
}

function planTcp(packet: Uint8Array, found: Transport): Plan | undefined {
  if (found.protocol !== TCP || packet.length < found.offset + 20) return undefined;
  const headerLength = (packet[found.offset + 12]! >> 4) * 4;
  if (headerLength < 20 || packet.length < found.offset + headerLength) return undefined;
  return { protocol: TCP, transport: found.offset, payloadOffset: found.offset + headerLength };
}

function planUdp(type: number, packet: Uint8Array, found: Transport): Plan | undefined {
  if (type !== GSO_UDP_L4 || found.protocol !== UDP || packet.length < found.offset + 8) return undefined;
  return { protocol: UDP, transport: found.offset, payloadOffset: found.offset + 8 };
}

function cutOne(vnet: VnetHeader, packet: Uint8Array, plan: Plan, index: number, count: number): Uint8Array {
  const { transport, payloadOffset } = plan;
  const from = payloadOffset + index * vnet.gsoSize;
  const payload = packet.subarray(from, Math.min(from + vnet.gsoSize, packet.length));
  const part = new Uint8Array(payloadOffset + payload.length);
  part.set(packet.subarray(0, payloadOffset));
  part.set(payload, payloadOffset);
  if (family(part) === 4) {
    put16(part, 2, part.length);
    put16(part, 4, (get16(packet, 4) + index) % 65536);
    finishIpv4Header(part);
  } else {
    put16(part, 4, part.length - 40);
  }
  if (plan.protocol === TCP) {
    put32(part, transport + 4, (get32(packet, transport + 4) + index * vnet.gsoSize) % 2 ** 32);
    if (index !== 0) part[transport + 13]! &= ~CWR;
    if (index !== count - 1) part[transport + 13]! &= ~(FIN | PSH);
    finishTransport(part, TCP, transport, 16);
  } else {
    put16(part, transport + 4, part.length - transport);
    finishTransport(part, UDP, transport, 6);
  }
  return part;
}

/**
 * The plain packets that one write to the device stands for, as the receiving kernel will see them. Throws when the kernel would be
 * right to refuse or misread the write: what we write must be right in every field, not just good enough.
 *
 * Packets get ids that count up from the first one's, so a coalescer may join packets whose ids do not count up only if they
 * have DF set and their ids mean nothing (RFC 6864 §4.1); compare such packets by `withoutAtomicId`.
 */
export function recut(frame: Uint8Array): Uint8Array[] {
  const vnet = readVnetHeader(frame);
  const bytes = frame.slice(VNET_HEADER);
  const packet = checkPacket(bytes);
  if (typeof packet === 'string') throw new Error(`the packet of a write is ${packet}`);
  if (packet.length !== bytes.length) throw new Error(`${bytes.length - packet.length} bytes trail behind the packet`);
  if (vnet.flags !== 0 && vnet.flags !== NEEDS_CSUM) throw new Error(`flags ${vnet.flags}`);
  if (vnet.gsoType === GSO_NONE && vnet.flags === 0) return [packet];
  if (vnet.gsoType !== GSO_NONE) checkSuperPacket(vnet, packet);
  const packets = cut(vnet, packet);
  if (packets === 'bad-offload-header')
    throw new Error(`the offload header does not fit the packet: ${JSON.stringify(vnet)}`);
  return packets;
}

function checkSuperPacket(vnet: VnetHeader, packet: Uint8Array): void {
  if (vnet.flags !== NEEDS_CSUM) throw new Error('a super-packet without NEEDS_CSUM');
  const plan = planCuts(vnet, packet);
  if (plan === undefined) throw new Error(`the offload header does not fit the packet: ${JSON.stringify(vnet)}`);
  if (vnet.hdrLen !== plan.payloadOffset)
    throw new Error(`hdrLen ${vnet.hdrLen}, headers end at ${plan.payloadOffset}`);
  const length = packet.length - plan.transport;
  if (packet.length - plan.payloadOffset <= vnet.gsoSize) throw new Error('a super-packet with a single packet');
  const pseudo = slowPseudoSum(packet, plan.protocol, length);
  const field = get16(packet, plan.transport + vnet.csumOffset);
  // Two ways to write zero in ones' complement.
  if (addWords(field, 65535 - pseudo) !== 65535)
    throw new Error(`partial checksum ${field}, pseudo-header sum ${pseudo}`);
  if (plan.protocol === UDP && get16(packet, plan.transport + 4) !== length)
    throw new Error(`UDP length ${get16(packet, plan.transport + 4)}, really ${length}`);
}

/**
 * A packet with its IPv4 id set to 0 where ids mean nothing: DF set and not a fragment (RFC 6864 §4.1). Others as they are.
 */
export function withoutAtomicId(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  if (family(copy) === 6 || (get16(copy, 6) & 0x7fff) !== 0x4000) return copy;
  put16(copy, 4, 0);
  finishIpv4Header(copy);
  return copy;
}
