// What a hostile or ordinary kernel might hand us on the TUN device, seeded.
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_URG } from '../../lib/wire/layout/tcp.ts';
import { finishIpv4Header } from './checksum.ts';
import type { Dice } from './dice.ts';
import { addressIn } from './random-network.ts';
import {
  type BuiltPacket,
  buildFragment,
  buildIcmp,
  buildTcp,
  buildUdp,
  type ChecksumState,
  type IpFields,
  randomExtensions,
  randomIp,
  randomTcp,
} from './random-packets.ts';
import type { TwinConfig } from './tun-twin.ts';
import {
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CSUM,
  PLAIN,
  type VnetHeader,
  withVnetHeader,
} from './vnet-header.ts';

/** Longest payload of a super-packet: the kernel's limit for one packet, less the longest headers. */
const SUPER_PAYLOAD_MAX = 65535 - 60 - 60;

/**
 * `count` frames as read from the device: about half super-packets, the rest small packets, fragments, ICMP and hostile bytes.
 * Most go to a peer of `config`. `longest` bounds the payload of super-packets.
 */
export function randomFrames(dice: Dice, config: TwinConfig, count: number, longest = SUPER_PAYLOAD_MAX): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let index = 0; index < count; index++)
    frames.push(randomFrame(dice, config, Math.min(longest, SUPER_PAYLOAD_MAX)));
  return frames;
}

function randomFrame(dice: Dice, config: TwinConfig, longest: number): Uint8Array {
  const ip = randomOutboundIp(dice, config);
  switch (dice.below(10)) {
    case 0:
    case 1:
    case 2:
      return tcpSuperFrame(dice, ip, longest);
    case 3:
      return udpSuperFrame(dice, ip, longest);
    case 4:
    case 5:
      return smallFrame(dice, ip);
    case 6:
      return withVnetHeader(PLAIN, icmpPacket(dice, ip));
    case 7:
      return withVnetHeader(PLAIN, fragment(dice, ip));
    case 8:
      return expiringOrManyFrame(dice, ip);
    default:
      return hostileFrame(dice, ip, longest);
  }
}

/** From the own lease to a peer's subnet; one in ten to somewhere else. */
function randomOutboundIp(dice: Dice, config: TwinConfig): IpFields {
  const six = dice.oneIn(3);
  const own = config.own.find((prefix) => prefix.family === (six ? 6 : 4))!;
  const subnets = config.peers.flatMap((peer) => peer.subnets).filter((prefix) => prefix.family === own.family);
  const somewhere = six ? 0x2001_0db8n * 2n ** 96n + BigInt(dice.next()) : dice.next();
  const destination = dice.oneIn(10) ? somewhere : addressIn(dice, dice.pick(subnets));
  return randomIp(dice, addressIn(dice, own), destination);
}

function tcpSuperFrame(dice: Dice, ip: IpFields, longest: number): Uint8Array {
  let flags = TCP_ACK;
  if (dice.oneIn(2)) flags |= TCP_PSH;
  if (dice.oneIn(8)) flags |= TCP_FIN;
  if (dice.oneIn(8)) flags |= TCP_CWR;
  if (dice.oneIn(8)) flags |= TCP_ECE;
  if (dice.oneIn(16)) flags |= TCP_URG;
  const payload = dice.bytes(dice.between(1, longest));
  const built = buildTcp(ip, randomTcp(dice, flags), payload, 'partial');
  return withVnetHeader(tcpVnet(dice, built, ip, (flags & TCP_CWR) !== 0), built.packet);
}

function tcpVnet(dice: Dice, built: BuiltPacket, ip: IpFields, cwr: boolean): VnetHeader {
  const type = typeof ip.source === 'bigint' ? GSO_TCPV6 : GSO_TCPV4;
  return {
    flags: NEEDS_CSUM,
    gsoType: cwr ? type | GSO_ECN : type,
    // As on the forward path, where it is the whole linear part: nobody may rely on it.
    hdrLen: dice.oneIn(2) ? built.payload : dice.below(65536),
    gsoSize: randomGsoSize(dice, built),
    csumStart: built.transport,
    csumOffset: 16,
  };
}

function udpSuperFrame(dice: Dice, ip: IpFields, longest: number): Uint8Array {
  const ports = { sourcePort: dice.between(1, 65535), destinationPort: dice.between(1, 65535) };
  const built = buildUdp(ip, ports, dice.bytes(dice.between(1, longest)), 'partial');
  const vnet = {
    flags: NEEDS_CSUM,
    gsoType: GSO_UDP_L4,
    hdrLen: dice.oneIn(2) ? built.payload : dice.below(65536),
    gsoSize: randomGsoSize(dice, built),
    csumStart: built.transport,
    csumOffset: 6,
  };
  return withVnetHeader(vnet, built.packet);
}

/** Sizes real MTUs give, any size, and sizes that end exactly with the payload or one byte off it. */
function randomGsoSize(dice: Dice, built: BuiltPacket): number {
  const payload = built.packet.length - built.payload;
  const exact = Math.max(1, Math.ceil(payload / dice.between(1, 8)));
  const size = dice.pick([
    536,
    1208,
    1368,
    1412,
    1432,
    1448,
    exact,
    exact + 1,
    Math.max(1, exact - 1),
    dice.between(1, 9000),
  ]);
  // No more than a few hundred cuts: tiny sizes with 64 KB teach nothing and cost seconds.
  return Math.max(size, Math.ceil(payload / 300));
}

function smallFrame(dice: Dice, ip: IpFields): Uint8Array {
  const payload = dice.bytes(dice.oneIn(3) ? 0 : dice.between(0, 1400));
  const state: ChecksumState = dice.oneIn(2) ? 'partial' : 'finished';
  const tcp = dice.oneIn(2);
  const built = tcp
    ? buildTcp(ip, randomTcp(dice, dice.below(256)), payload, state)
    : buildUdp(ip, { sourcePort: dice.below(65536), destinationPort: dice.below(65536) }, payload, state);
  if (state === 'finished') return withVnetHeader(PLAIN, built.packet);
  const vnet = { ...PLAIN, flags: NEEDS_CSUM, csumStart: built.transport, csumOffset: tcp ? 16 : 6 };
  return withVnetHeader(vnet, built.packet);
}

function icmpPacket(dice: Dice, ip: IpFields): Uint8Array {
  const types = [0, 3, 4, 5, 8, 11, 12, 13, 1, 2, 128, 129, 133, 137, dice.below(256)];
  return buildIcmp(ip, dice.pick(types), dice.below(16), dice.bytes(dice.between(0, 1400))).packet;
}

function fragment(dice: Dice, ip: IpFields): Uint8Array {
  const offset = dice.oneIn(3) ? 0 : 8 * dice.pick([1, 185, 370, 8190, 8191]);
  return buildFragment(ip, offset, dice.oneIn(2), dice.bytes(dice.between(0, 1400)));
}

/** Time to live used up, or a destination that is not one host. */
function expiringOrManyFrame(dice: Dice, ip: IpFields): Uint8Array {
  const six = typeof ip.source === 'bigint';
  const many = six ? 0xff02n * 2n ** 112n + BigInt(dice.next()) : dice.pick([0xe0000001, 0xefffffff, 0xffffffff]);
  const nobody = six ? dice.pick([0n, 1n, many]) : dice.pick([0, 0x7f000001, 0xe0000005, 0xf0000001, 0xffffffff]);
  const changed = dice.pick<IpFields>([
    { ...ip, ttl: 1 },
    { ...ip, ttl: 0 },
    { ...ip, ttl: 1, source: nobody },
    { ...ip, destination: many },
    { ...ip, destination: six ? 0x2001_0db8n * 2n ** 96n : 0x08080808, source: nobody },
  ]);
  return dice.oneIn(3) ? smallFrame(dice, changed) : withVnetHeader(PLAIN, icmpPacket(dice, changed));
}

/** A frame with something wrong in it, from a single field to nothing but noise. */
function hostileFrame(dice: Dice, ip: IpFields, longest: number): Uint8Array {
  const short = Math.min(longest, 4000);
  const frame = dice.pick([tcpSuperFrame, udpSuperFrame])(dice, ip, short);
  const packet = frame.slice(10);
  const four = typeof ip.source === 'number';
  switch (dice.below(10)) {
    case 0:
      return frame.slice(0, dice.below(frame.length));
    case 1:
      return dice.bytes(dice.between(0, 200));
    case 2: // any offload header before a good packet
      return withVnetHeader(randomVnet(dice, packet.length), packet);
    case 3: // one field of the offload header wrong
      frame[dice.below(10)]! ^= 1 << dice.below(8);
      return frame;
    case 4: // one byte of the IP header wrong, its checksum right again
      packet[dice.below(four ? 20 : 40)] = dice.below(256);
      if (four && (packet[0]! & 15) * 4 <= packet.length) finishIpv4Header(packet);
      return withVnetHeader(PLAIN, packet);
    case 5: // the checksum wrong
      frame[10 + dice.between(1, 19)]! ^= 1 << dice.below(8);
      return frame;
    case 6: // bytes behind the packet's own end
      return withTail(frame, dice.bytes(dice.between(1, 100)));
    case 7: // a header length that is none
      packet[0] = (packet[0]! & 0xf0) | dice.below(5);
      return withVnetHeader(PLAIN, packet);
    case 8: // more extension headers than anybody follows
      return smallFrame(dice, { ...ip, extensions: randomExtensions(dice, dice.between(7, 10)) });
    default: // wrong in several places
      for (let times = dice.between(1, 8); times > 0; times--)
        frame[dice.below(Math.min(frame.length, 90))] = dice.below(256);
      return frame;
  }
}

function randomVnet(dice: Dice, length: number): VnetHeader {
  return {
    flags: dice.pick([0, NEEDS_CSUM, 2, 3, dice.below(256)]),
    gsoType: dice.pick([0, GSO_ECN, GSO_TCPV4, 3, GSO_TCPV6, GSO_UDP_L4, GSO_TCPV4 | GSO_ECN, dice.below(256)]),
    hdrLen: dice.below(65536),
    gsoSize: dice.pick([0, 1, 100, 1400, 65535]),
    csumStart: dice.pick([0, 20, 40, length, length - 1, dice.below(65536)]),
    csumOffset: dice.pick([0, 6, 16, dice.below(65536)]),
  };
}

function withTail(frame: Uint8Array, tail: Uint8Array): Uint8Array {
  const longer = new Uint8Array(frame.length + tail.length);
  longer.set(frame);
  longer.set(tail, frame.length);
  return longer;
}
