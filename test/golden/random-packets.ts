// Inner packets for tests, seeded. The headers are written by lib/wire, whose codecs are held against captures of other programs.
import { pseudoHeaderSum4, pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { emitIcmpHeader, fillIcmpChecksum } from '../../lib/wire/icmp.ts';
import { emitIpv4Header } from '../../lib/wire/ipv4.ts';
import { emitIpv6Header } from '../../lib/wire/ipv6.ts';
import { ICMP_HEADER } from '../../lib/wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../lib/wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../../lib/wire/layout/ipv6.ts';
import { TCP_ACK, TCP_CHECKSUM, TCP_HEADER_MIN } from '../../lib/wire/layout/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER } from '../../lib/wire/layout/udp.ts';
import { emitTcpHeader, fillTcpChecksum } from '../../lib/wire/tcp.ts';
import { emitUdpHeader, fillUdpChecksum } from '../../lib/wire/udp.ts';
import type { Dice } from './dice.ts';

/** Everything below the transport header that packets of one flow have in common, or not. */
export interface IpFields {
  readonly source: number | bigint;
  readonly destination: number | bigint;
  readonly ttl: number;
  /** TOS or traffic class. */
  readonly tos: number;
  /** IPv4 only. */
  readonly id: number;
  readonly dontFragment: boolean;
  /** IPv4 only: 0..40 bytes in steps of 4. */
  readonly options: Uint8Array;
  /** IPv6 only. */
  readonly flowLabel: number;
  /** IPv6 only: whole extension headers; see randomExtensions. */
  readonly extensions: Extensions;
}

/** Extension headers: the first one's protocol, and their bytes, in which the last one names the transport. */
export interface Extensions {
  readonly first: number | undefined;
  readonly bytes: (transport: number) => Uint8Array;
  readonly length: number;
}

export const NO_EXTENSIONS: Extensions = { first: undefined, bytes: () => new Uint8Array(0), length: 0 };

/** `partial` leaves the sum of the pseudo-header in the checksum field, as the kernel does above an offloading device. */
export type ChecksumState = 'finished' | 'partial';

/** Where the parts of a built packet are. */
export interface BuiltPacket {
  readonly packet: Uint8Array<ArrayBuffer>;
  readonly transport: number;
  readonly payload: number;
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly options: Uint8Array;
}

export function buildTcp(ip: IpFields, tcp: TcpFields, payload: Uint8Array, state: ChecksumState): BuiltPacket {
  const headerLength = TCP_HEADER_MIN + tcp.options.length;
  const built = buildIp(ip, IPPROTO_TCP, headerLength + payload.length);
  const view = new DataView(built.packet.buffer);
  emitTcpHeader(view, built.transport, { ...tcp, reserved: 0, urgentPointer: 0 });
  built.packet.set(payload, built.transport + headerLength);
  const end = built.packet.length;
  const pseudo = pseudoSum(ip, IPPROTO_TCP, end - built.transport);
  if (state === 'partial') view.setUint16(built.transport + TCP_CHECKSUM, pseudo);
  else fillTcpChecksum(view, built.transport, end, pseudo);
  return { ...built, payload: built.transport + headerLength };
}

export function buildUdp(
  ip: IpFields,
  ports: { readonly sourcePort: number; readonly destinationPort: number },
  payload: Uint8Array,
  state: ChecksumState,
): BuiltPacket {
  const length = UDP_HEADER + payload.length;
  const built = buildIp(ip, IPPROTO_UDP, length);
  const view = new DataView(built.packet.buffer);
  emitUdpHeader(view, built.transport, { ...ports, length });
  built.packet.set(payload, built.transport + UDP_HEADER);
  const pseudo = pseudoSum(ip, IPPROTO_UDP, length);
  if (state === 'partial') view.setUint16(built.transport + UDP_CHECKSUM, pseudo);
  else fillUdpChecksum(view, built.transport, pseudo);
  return { ...built, payload: built.transport + UDP_HEADER };
}

/** An ICMP or ICMPv6 message of any type; the family is that of the addresses. */
export function buildIcmp(ip: IpFields, type: number, code: number, body: Uint8Array): BuiltPacket {
  const protocol = typeof ip.source === 'bigint' ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  const built = buildIp(ip, protocol, ICMP_HEADER + body.length);
  const view = new DataView(built.packet.buffer);
  emitIcmpHeader(view, built.transport, { type, code, rest: 0x00010001 });
  built.packet.set(body, built.transport + ICMP_HEADER);
  const length = built.packet.length - built.transport;
  const pseudo = protocol === IPPROTO_ICMP ? 0 : pseudoSum(ip, protocol, length);
  fillIcmpChecksum(view, built.transport, built.packet.length, pseudo);
  return { ...built, payload: built.transport + ICMP_HEADER };
}

/** A part of some larger datagram, `offset` bytes into it. */
export function buildFragment(
  ip: IpFields,
  offset: number,
  more: boolean,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (typeof ip.source === 'bigint') {
    const header = Uint8Array.of(
      IPPROTO_UDP,
      0,
      offset >>> 8,
      (offset & 0xf8) | (more ? 1 : 0),
      0,
      0,
      ip.id >>> 8,
      ip.id & 255,
    );
    const extensions = { first: 44, bytes: () => header, length: 8 };
    const built = buildIp({ ...ip, extensions }, IPPROTO_UDP, payload.length);
    built.packet.set(payload, built.transport);
    return built.packet;
  }
  const built = buildIp(ip, IPPROTO_UDP, payload.length, { offset, more });
  built.packet.set(payload, built.transport);
  return built.packet;
}

function buildIp(
  ip: IpFields,
  protocol: number,
  length: number,
  fragment: { readonly offset: number; readonly more: boolean } = { offset: 0, more: false },
): Omit<BuiltPacket, 'payload'> {
  if (typeof ip.source === 'bigint' && typeof ip.destination === 'bigint') {
    const transport = IPV6_HEADER + ip.extensions.length;
    const packet = new Uint8Array(transport + length);
    emitIpv6Header(new DataView(packet.buffer), 0, {
      trafficClass: ip.tos,
      flowLabel: ip.flowLabel,
      payloadLength: packet.length - IPV6_HEADER,
      nextHeader: ip.extensions.first ?? protocol,
      hopLimit: ip.ttl,
      source: ip.source,
      destination: ip.destination,
    });
    packet.set(ip.extensions.bytes(protocol), IPV6_HEADER);
    return { packet, transport };
  }
  const transport = IPV4_HEADER_MIN + ip.options.length;
  const packet = new Uint8Array(transport + length);
  emitIpv4Header(new DataView(packet.buffer), 0, {
    tos: ip.tos,
    totalLength: packet.length,
    id: ip.id,
    reservedFlag: false,
    dontFragment: ip.dontFragment,
    moreFragments: fragment.more,
    fragmentOffset: fragment.offset,
    ttl: ip.ttl,
    protocol,
    source: Number(ip.source),
    destination: Number(ip.destination),
    options: ip.options,
  });
  return { packet, transport };
}

function pseudoSum(ip: IpFields, protocol: number, length: number): number {
  if (typeof ip.source === 'bigint' && typeof ip.destination === 'bigint')
    return pseudoHeaderSum6(ip.source, ip.destination, protocol, length);
  return pseudoHeaderSum4(Number(ip.source), Number(ip.destination), protocol, length);
}

/** Ordinary IP fields between two addresses of one family; one packet in twenty has options or extension headers. */
export function randomIp(dice: Dice, source: number | bigint, destination: number | bigint): IpFields {
  return {
    source,
    destination,
    ttl: dice.oneIn(4) ? dice.between(2, 255) : 63,
    tos: dice.oneIn(3) ? dice.below(256) : 0,
    id: dice.below(65536),
    dontFragment: !dice.oneIn(4),
    options: dice.oneIn(20) ? dice.bytes(4 * dice.between(1, 10)) : new Uint8Array(0),
    flowLabel: dice.oneIn(2) ? dice.below(0x100000) : 0,
    extensions: dice.oneIn(20) ? randomExtensions(dice, dice.between(1, 4)) : NO_EXTENSIONS,
  };
}

/** A chain of hop-by-hop, routing and destination options headers with random content. */
export function randomExtensions(dice: Dice, count: number): Extensions {
  const protocols = Array.from({ length: count }, (_, index) =>
    index === 0 ? dice.pick([0, 43, 60]) : dice.pick([43, 60]),
  );
  const headers = protocols.map(() => {
    const header = dice.bytes(8 * dice.between(1, 3));
    header[1] = header.length / 8 - 1;
    return header;
  });
  const length = headers.reduce((sum, header) => sum + header.length, 0);
  const bytes = (transport: number) => {
    const chain = new Uint8Array(length);
    let at = 0;
    for (const [index, header] of headers.entries()) {
      chain.set(header, at);
      chain[at] = protocols[index + 1] ?? transport;
      at += header.length;
    }
    return chain;
  };
  return { first: protocols[0], bytes, length };
}

/** None, timestamps as Linux writes them, or anything of a legal length. */
export function randomTcpOptions(dice: Dice): Uint8Array {
  const kind = dice.below(4);
  if (kind === 0) return new Uint8Array(0);
  if (kind === 1) return dice.bytes(4 * dice.between(1, 10));
  return Uint8Array.of(1, 1, 8, 10, ...dice.bytes(8));
}

export function randomTcp(dice: Dice, flags = TCP_ACK): TcpFields {
  return {
    sourcePort: dice.between(1, 65535),
    destinationPort: dice.pick([80, 443, 5201, dice.between(1, 65535)]),
    // Near the wrap-around as often as not.
    sequence: dice.oneIn(2) ? 2 ** 32 - dice.between(1, 100_000) : dice.next(),
    acknowledgment: dice.next(),
    flags,
    window: dice.below(65536),
    options: randomTcpOptions(dice),
  };
}
