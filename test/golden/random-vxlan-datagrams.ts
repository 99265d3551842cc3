// What arrives on the VXLAN port, seeded: the streams of randomDatagrams behind VXLAN and Ethernet headers, and everything that goes wrong there.
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../lib/wire/layout/ethernet.ts';
import type { Dice } from './dice.ts';
import { put32 } from './octets.ts';
import { randomDatagrams, randomOuterTos } from './random-datagrams.ts';
import { BROADCAST, buildFrame, randomNeighborMessage, randomTags, typeOf } from './random-ethernet.ts';
import { addressIn } from './random-network.ts';
import { asNetwork, podMac, publicIpOf, strangerTo } from './random-vxlan-network.ts';
import type { TwinSegment, TwinVxlanConfig, VxlanDatagram } from './tap-twin.ts';

/** `count` datagrams in order of arrival, in runs of one segment each. One in twelve is wrong outside the IP packet, and as many inside. */
export function randomVxlanDatagrams(dice: Dice, config: TwinVxlanConfig, count: number): VxlanDatagram[] {
  const datagrams: VxlanDatagram[] = [];
  while (datagrams.length < count) {
    const segment = dice.pick(config.segments);
    const senders = new Map<number, Sender>();
    const run = Math.min(dice.between(1, 100), count - datagrams.length);
    for (const { outerSource, bytes } of randomDatagrams(dice, asNetwork(segment), run)) {
      const sender = senders.get(outerSource) ?? randomSender(dice, segment, outerSource);
      senders.set(outerSource, sender);
      const outerTos = randomOuterTos(dice);
      const ordinary = { outerFamily: segment.family, outerSource: sender.address, outerTos };
      const frame = dice.oneIn(12)
        ? strangeFrame(dice, segment, sender, bytes)
        : buildFrame(sender, typeOf(dice, bytes), bytes);
      const datagram = { ...ordinary, bytes: behindVxlan(segment.vni, frame) };
      datagrams.push(dice.oneIn(20) ? hostileDatagram(dice, config, datagram) : datagram);
    }
  }
  return datagrams;
}

/** Who sends: where from, with which MAC addresses. */
interface Sender {
  readonly address: number | bigint;
  readonly peer: number;
  readonly source: number;
  readonly destination: number;
}

function randomSender(dice: Dice, segment: TwinSegment, publicIp: number): Sender {
  const peer = segment.peers.findIndex((_, index) => publicIpOf(index) === publicIp);
  const vtep = segment.peers[peer];
  if (vtep === undefined)
    return { address: strangerTo(dice, segment), peer: 0, source: segment.peers[0]!.mac, destination: segment.mac };
  const pods = segment.learning && dice.oneIn(2);
  return {
    address: vtep.address,
    peer,
    source: pods ? podMac(dice, peer) : vtep.mac,
    destination: pods ? podMac(dice, 200) : segment.mac,
  };
}

export function behindVxlan(vni: number, frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + frame.length);
  bytes[0] = 0x08;
  put32(bytes, 4, vni * 256);
  bytes.set(frame, 8);
  return bytes;
}

/** A frame that is no plain packet from that sender to us: other addresses, tags, types, padding; all of it may be right. */
function strangeFrame(dice: Dice, segment: TwinSegment, sender: Sender, packet: Uint8Array): Uint8Array {
  const type = typeOf(dice, packet);
  const other = dice.below(segment.peers.length);
  switch (dice.below(9)) {
    case 0: // another peer's device, or a pod that has moved
      return buildFrame(
        { ...sender, source: dice.pick([segment.peers[other]!.mac, podMac(dice, other)]) },
        type,
        packet,
      );
    case 1:
      return buildFrame({ ...sender, source: dice.pick([segment.mac, 0, BROADCAST, 0x0100_5e00_0001]) }, type, packet);
    case 2: // to many, to a peer, to nobody
      return buildFrame(
        {
          ...sender,
          destination: dice.pick([BROADCAST, 0x3333_0000_0001, segment.peers[other]!.mac, 0x0212_3456_789a]),
        },
        type,
        packet,
      );
    case 3:
      return buildFrame(sender, type, packet, randomTags(dice));
    case 4: // a type that does not go with the packet
      return buildFrame(sender, dice.pick([ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, 0x88cc, 0x8100]), packet);
    case 5: // padding
      return buildFrame(sender, type, Uint8Array.of(...packet, ...dice.bytes(dice.below(46))));
    case 6:
      return neighborMessage(dice, segment, sender);
    case 7: // no packet at all
      return buildFrame(sender, dice.pick([ETHERTYPE_IPV4, ETHERTYPE_IPV6]), new Uint8Array(0));
    default: // a small frame of anything
      return buildFrame(sender, dice.below(65536), dice.bytes(dice.below(60)));
  }
}

function neighborMessage(dice: Dice, segment: TwinSegment, sender: Sender): Uint8Array {
  const prefix = dice.pick(segment.peers[sender.peer]!.prefixes);
  const own = segment.own.find(({ family }) => family === prefix.family)!;
  return randomNeighborMessage(dice, sender.source, addressIn(dice, prefix), addressIn(dice, own));
}

/** Wrong before the frame: header, VNI, family, length, outer source. */
function hostileDatagram(dice: Dice, config: TwinVxlanConfig, good: VxlanDatagram): VxlanDatagram {
  const bytes = good.bytes.slice();
  switch (dice.below(7)) {
    case 0: // reserved bits and bytes, GBP's and GPE's among them: they mean nothing to us
      bytes.set([dice.below(256) | 0x08, dice.below(256), dice.below(256), dice.below(256)]);
      bytes[7] = dice.below(256);
      return { ...good, bytes };
    case 1: // no VNI, it says
      bytes[0]! &= ~0x08;
      return { ...good, bytes };
    case 2:
      put32(bytes, 4, dice.pick([0, 1, 2, 2 ** 24 - 1, dice.below(2 ** 24)]) * 256);
      return { ...good, bytes };
    case 3: // over the other family
      return { ...good, outerFamily: good.outerFamily === 4 ? 6 : 4, outerSource: good.outerFamily === 4 ? 1n : 1 };
    case 4:
      return { ...good, bytes: bytes.slice(0, dice.below(Math.min(bytes.length, 30))) };
    case 5: // another peer's outer address
      return { ...good, ...outerOf(dice, dice.pick(config.segments)) };
    default:
      return { ...good, bytes: dice.bytes(dice.below(120)) };
  }
}

function outerOf(dice: Dice, segment: TwinSegment): Pick<VxlanDatagram, 'outerFamily' | 'outerSource'> {
  return { outerFamily: segment.family, outerSource: dice.pick(segment.peers).address };
}
