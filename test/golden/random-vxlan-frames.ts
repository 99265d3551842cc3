// What a hostile or ordinary bridge might hand us on a TAP, seeded.
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../lib/wire/layout/ethernet.ts';
import type { Dice } from './dice.ts';
import { readFrame } from './ethernet.ts';
import { get16, put16 } from './octets.ts';
import { BROADCAST, buildFrame, type Link, randomNeighborMessage, randomTags, typeOf } from './random-ethernet.ts';
import { randomFrames } from './random-frames.ts';
import { addressIn } from './random-network.ts';
import { asNetwork, podMac } from './random-vxlan-network.ts';
import type { TwinSegment } from './tap-twin.ts';
import { PLAIN, readVnetHeader, VNET_HEADER, withVnetHeader } from './vnet-header.ts';

/**
 * `count` frames as read from the segment's TAP: what randomFrames makes, behind Ethernet headers to peers, to pods behind them, to
 * nobody known and to many; and neighbour messages, other protocols, hostile frames. `longest` bounds the payload of super-packets.
 */
export function randomTapFrames(dice: Dice, segment: TwinSegment, count: number, longest = 65_000): Uint8Array[] {
  return randomFrames(dice, asNetwork(segment), count, longest).map((frame) => tapFrame(dice, segment, frame));
}

function tapFrame(dice: Dice, segment: TwinSegment, tunFrame: Uint8Array): Uint8Array {
  const link = randomLink(dice, segment);
  switch (dice.below(12)) {
    case 0:
      return withVnetHeader(PLAIN, neighborMessage(dice, segment, link));
    case 1: // LLDP, spanning tree (a length where the type is), anything
      return withVnetHeader(
        PLAIN,
        buildFrame(link, dice.pick([0x88cc, 38, dice.below(65536)]), dice.bytes(dice.below(60))),
      );
    case 2:
      return hostileFrame(dice, link, tunFrame);
    case 3: // padding behind what may be a small packet
      return Uint8Array.of(...behindEthernet(dice, link, tunFrame), ...dice.bytes(dice.below(20)));
    case 4:
      return leftToHardware(dice, behindEthernet(dice, link, tunFrame));
    default:
      return behindEthernet(dice, link, tunFrame);
  }
}

/** The IP header without its length, its checksum, or both. */
function leftToHardware(dice: Dice, frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  if (copy.length < VNET_HEADER + 14) return copy;
  const at = VNET_HEADER + readFrame(copy.subarray(VNET_HEADER)).payload;
  if (copy.length < at + 40) return copy;
  const isIpv4 = copy[at]! >> 4 === 4;
  if (dice.oneIn(2)) put16(copy, at + (isIpv4 ? 2 : 4), 0);
  if (isIpv4 && dice.oneIn(2)) put16(copy, at + 10, 0);
  return copy;
}

/** From the device or a pod of ours: to a peer's device, now and then to a pod, to nobody known, or to many. */
function randomLink(dice: Dice, segment: TwinSegment): Link {
  const peer = dice.below(segment.peers.length);
  const destination = dice.pick([
    segment.peers[peer]!.mac,
    segment.peers[peer]!.mac,
    segment.peers[peer]!.mac,
    segment.peers[peer]!.mac,
    podMac(dice, peer),
    podMac(dice, peer),
    segment.mac,
    dice.pick([BROADCAST, 0x0100_5e00_0001, 0x3333_0000_0001, 0x0180_c200_0000]),
  ]);
  return { destination, source: dice.oneIn(3) ? podMac(dice, 200) : segment.mac };
}

/** Puts an Ethernet header before the packet of a TUN's frame; the offload header counts from the frame's start then. */
function behindEthernet(dice: Dice, link: Link, tunFrame: Uint8Array): Uint8Array {
  if (tunFrame.length < VNET_HEADER) return tunFrame;
  const packet = tunFrame.subarray(VNET_HEADER);
  const tags = randomTags(dice);
  const vnet = readVnetHeader(tunFrame);
  const shift = 14 + 4 * tags.length;
  const moved = { ...vnet, csumStart: (vnet.csumStart + shift) % 65536, hdrLen: (vnet.hdrLen + shift) % 65536 };
  return withVnetHeader(moved, buildFrame(link, typeOf(dice, packet), packet, tags));
}

function neighborMessage(dice: Dice, segment: TwinSegment, link: Link): Uint8Array {
  const own = dice.pick(segment.own);
  const prefixes = segment.peers.flatMap((peer) => peer.prefixes).filter((prefix) => prefix.family === own.family);
  return randomNeighborMessage(dice, link.source, addressIn(dice, own), addressIn(dice, dice.pick(prefixes)));
}

function hostileFrame(dice: Dice, link: Link, tunFrame: Uint8Array): Uint8Array {
  const frame = behindEthernet(dice, link, tunFrame);
  switch (dice.below(6)) {
    case 0: // too short to be a frame, or cut inside some header
      return frame.slice(0, dice.below(Math.min(frame.length, 120)));
    case 1: // from many, or from nobody
      return withSource(frame, dice.pick([BROADCAST, 0x0100_5e00_0001, 0, 0x0300_0000_0000]));
    case 2: // a type that does not go with the packet, or with an offload header
      return withType(frame, dice.pick([ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, 0x8100, 0x88cc]));
    case 3: {
      // an offload header that counts from where it should not
      const vnet = readVnetHeader(Uint8Array.of(...frame, ...new Uint8Array(VNET_HEADER)));
      const csumStart = dice.pick([0, 13, 14, vnet.csumStart - 14, vnet.csumStart + 4, dice.below(65536)]);
      return withVnetHeader({ ...vnet, csumStart: (csumStart + 65536) % 65536 }, frame.subarray(VNET_HEADER));
    }
    case 4: // three tags, or two and no more
      return withVnetHeader(PLAIN, buildFrame(link, 0x8100, dice.bytes(dice.below(12)), [1, 2]));
    default:
      return dice.bytes(dice.below(80));
  }
}

function withSource(frame: Uint8Array, mac: number): Uint8Array {
  const copy = frame.slice();
  if (copy.length < VNET_HEADER + 14) return copy;
  for (let index = 0; index < 6; index++) copy[VNET_HEADER + 6 + index] = Math.floor(mac / 256 ** (5 - index)) % 256;
  return copy;
}

function withType(frame: Uint8Array, type: number): Uint8Array {
  const copy = frame.slice();
  if (copy.length < VNET_HEADER + 14 || get16(copy, VNET_HEADER + 12) === type) return copy;
  copy[VNET_HEADER + 12] = type >> 8;
  copy[VNET_HEADER + 13] = type & 255;
  return copy;
}
