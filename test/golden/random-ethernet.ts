// Ethernet frames for tests, seeded. The headers are written by lib/wire, whose codecs are held against captures of other programs.
import { emitArp } from '../../lib/wire/arp.ts';
import { pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { emitEthernetHeader } from '../../lib/wire/ethernet.ts';
import { fillIcmpChecksum } from '../../lib/wire/icmp.ts';
import { emitIpv6Header } from '../../lib/wire/ipv6.ts';
import { ARP_PACKET } from '../../lib/wire/layout/arp.ts';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_PROVIDER_VLAN,
  ETHERTYPE_VLAN,
} from '../../lib/wire/layout/ethernet.ts';
import { IPPROTO_ICMPV6 } from '../../lib/wire/layout/ip.ts';
import { IPV6_HEADER } from '../../lib/wire/layout/ipv6.ts';
import { NDP_ADVERTISEMENT, NDP_MESSAGE_MIN, NDP_OPTION_UNIT, NDP_SOLICITATION } from '../../lib/wire/layout/ndp.ts';
import { emitNdp, type NdpMessage } from '../../lib/wire/ndp.ts';
import type { Dice } from './dice.ts';
import { put16 } from './octets.ts';

export const BROADCAST = 0xffffffffffff;

export interface Link {
  readonly destination: number;
  readonly source: number;
}

/** A frame with `tags`, outermost first: 802.1ad if there are two. */
export function buildFrame(link: Link, type: number, payload: Uint8Array, tags: readonly number[] = []): Uint8Array {
  const header = ETHERNET_HEADER + 4 * tags.length;
  const frame = new Uint8Array(header + payload.length);
  emitEthernetHeader(new DataView(frame.buffer), 0, { ...link, type: 0 });
  for (const [index, tag] of tags.entries()) {
    put16(frame, 12 + 4 * index, tags.length === 2 && index === 0 ? ETHERTYPE_PROVIDER_VLAN : ETHERTYPE_VLAN);
    put16(frame, 14 + 4 * index, tag);
  }
  put16(frame, header - 2, type);
  frame.set(payload, header);
  return frame;
}

/** The type that goes with a packet, by its version; anything for what is none. */
export function typeOf(dice: Dice, packet: Uint8Array): number {
  const version = packet.length === 0 ? 0 : packet[0]! >> 4;
  if (version === 4) return ETHERTYPE_IPV4;
  return version === 6 ? ETHERTYPE_IPV6 : dice.pick([ETHERTYPE_IPV4, ETHERTYPE_IPV6]);
}

/** Tags as frames have them: mostly none. */
export function randomTags(dice: Dice): number[] {
  return Array.from({ length: dice.pick([0, 0, 0, 0, 0, 1, 1, 2]) }, () => dice.below(65536));
}

export function buildArp(
  link: Link,
  operation: number,
  senderAddress: number,
  targetAddress: number,
  targetMac = 0,
): Uint8Array {
  const packet = new Uint8Array(ARP_PACKET);
  emitArp(new DataView(packet.buffer), 0, {
    operation,
    senderMac: link.source,
    senderAddress,
    targetMac,
    targetAddress,
  });
  return buildFrame(link, ETHERTYPE_ARP, packet);
}

export function buildNdp(link: Link, source: bigint, destination: bigint, message: NdpMessage): Uint8Array {
  const length = NDP_MESSAGE_MIN + (message.mac === undefined ? 0 : NDP_OPTION_UNIT);
  const packet = new Uint8Array(IPV6_HEADER + length);
  const view = new DataView(packet.buffer);
  emitIpv6Header(view, 0, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: length,
    nextHeader: IPPROTO_ICMPV6,
    hopLimit: 255,
    source,
    destination,
  });
  emitNdp(view, IPV6_HEADER, message);
  fillIcmpChecksum(view, IPV6_HEADER, packet.length, pseudoHeaderSum6(source, destination, IPPROTO_ICMPV6, length));
  return buildFrame(link, ETHERTYPE_IPV6, packet);
}

/** ff02::1:ff00:0/104 and the MAC address that goes with it. RFC 4291 §2.7.1, RFC 2464 §7. */
export const solicitedNode = (target: bigint): bigint =>
  0xff02n * 2n ** 112n + 0x1_ffn * 2n ** 24n + (target & 0xffffffn);
const solicitedNodeMac = (target: bigint): number => 0x3333_ff00_0000 + Number(target & 0xffffffn);

/**
 * One host asks, answers, announces itself or looks for a duplicate; one in five has a byte wrong. A question is `about` an address of
 * the sender's family.
 */
export function randomNeighborMessage(
  dice: Dice,
  mac: number,
  sender: number | bigint,
  about: number | bigint,
): Uint8Array {
  const frame =
    typeof sender === 'bigint' || typeof about === 'bigint'
      ? randomNdp(dice, mac, BigInt(sender), BigInt(about))
      : randomArp(dice, mac, sender, about);
  if (dice.oneIn(5)) frame[dice.between(6, frame.length - 1)] = dice.below(256);
  return frame;
}

function randomArp(dice: Dice, source: number, sender: number, about: number): Uint8Array {
  const all = { destination: BROADCAST, source };
  const one = { destination: 0x02_00_00_01_00_00 + dice.below(4), source };
  return dice.pick([
    () => buildArp(all, 1, sender, about),
    () => buildArp(all, 1, sender, about),
    () => buildArp(all, 1, sender, sender),
    () => buildArp(all, 1, 0, about),
    () => buildArp(all, 2, sender, sender, BROADCAST),
    () => buildArp(one, 1, sender, about),
    () => buildArp(one, 2, sender, about, one.destination),
  ])();
}

function randomNdp(dice: Dice, source: number, sender: bigint, about: bigint): Uint8Array {
  const question = { type: NDP_SOLICITATION, router: false, solicited: false, override: false, target: about } as const;
  const claim = {
    type: NDP_ADVERTISEMENT,
    router: dice.oneIn(2),
    override: true,
    target: sender,
    mac: source,
  } as const;
  const many = { destination: solicitedNodeMac(about), source };
  const one = { destination: 0x02_00_00_01_00_00 + dice.below(4), source };
  return dice.pick([
    () => buildNdp(many, sender, solicitedNode(about), { ...question, mac: source }),
    () => buildNdp(many, sender, solicitedNode(about), { ...question, mac: source }),
    () => buildNdp(many, 0n, solicitedNode(about), { ...question, mac: undefined }),
    () => buildNdp(one, sender, about, { ...question, mac: dice.oneIn(2) ? source : undefined }),
    () => buildNdp(one, sender, about, { ...claim, solicited: true }),
    () =>
      buildNdp({ destination: 0x3333_0000_0001, source }, sender, 0xff02n * 2n ** 112n + 1n, {
        ...claim,
        solicited: false,
      }),
  ])();
}
