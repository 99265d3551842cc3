// What arrives on the UDP socket, seeded: streams cut to packets as peers send them, and everything that goes wrong on the way.
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_SYN, TCP_URG } from '../../lib/wire/layout/tcp.ts';
import { finishIpv4Header } from './checksum.ts';
import type { Dice } from './dice.ts';
import { addressIn } from './random-network.ts';
import {
  buildFragment,
  buildIcmp,
  buildTcp,
  buildUdp,
  type IpFields,
  randomIp,
  randomTcp,
  type TcpFields,
} from './random-packets.ts';
import type { Datagram, TwinConfig } from './tun-twin.ts';

/**
 * `count` datagrams in order of arrival: a few flows at once, each mostly in order, in runs as UDP_GRO and recvmmsg see them.
 * One in twelve is hostile: damaged, spoofed, from a stranger, for somebody else. With `outerMarks` routers of the underlay have
 * marked some with ECN, and other hosts have filled in the outer TOS octet as they please.
 */
export function randomDatagrams(dice: Dice, config: TwinConfig, count: number, outerMarks = false): Datagram[] {
  const flows = Array.from({ length: dice.between(1, 6) }, () => randomFlow(dice, config));
  const datagrams: Datagram[] = [];
  while (datagrams.length < count) {
    const flow = dice.pick(flows);
    for (let run = dice.between(1, 48); run > 0 && datagrams.length < count; run--)
      datagrams.push(dice.oneIn(12) ? hostileDatagram(dice, config, flow) : nextDatagram(dice, flow));
  }
  return outerMarks ? datagrams.map((datagram) => ({ ...datagram, outerTos: randomOuterTos(dice) })) : datagrams;
}

/** Mostly what our own side sends; now and then any octet. */
export function randomOuterTos(dice: Dice): number {
  return dice.oneIn(3) ? dice.below(256) : dice.pick([0, 0, 0, 2]);
}

/** The state of one sender's flow. */
interface Flow {
  readonly outerSource: number;
  readonly protocol: 'tcp' | 'udp';
  readonly gsoSize: number;
  /** Does the sender count ids up, keep them at 0, or draw them? */
  readonly idStep: 'up' | 'none' | 'random';
  ip: IpFields;
  tcp: TcpFields;
}

function randomFlow(dice: Dice, config: TwinConfig): Flow {
  const peer = dice.pick(config.peers);
  // The first two are its ordinary leases. A part of one may belong to another peer, which makes the flow a spoofed one.
  const subnet = dice.pick(peer.subnets.slice(0, 2));
  const own = config.own.find(({ family }) => family === subnet.family)!;
  return {
    outerSource: peer.publicIp,
    protocol: dice.oneIn(3) ? 'udp' : 'tcp',
    gsoSize: dice.pick([1, 2, 100, 536, 1368, 1400, 1420, dice.between(1, 1400)]),
    idStep: dice.pick(['up', 'up', 'none', 'random'] as const),
    ip: randomIp(dice, addressIn(dice, subnet), addressIn(dice, own)),
    tcp: randomTcp(dice),
  };
}

/** The next datagram of a flow: usually one that follows the last exactly. */
function nextDatagram(dice: Dice, flow: Flow): Datagram {
  if (dice.oneIn(10)) disturb(dice, flow);
  const full = !dice.oneIn(12);
  const payload = dice.bytes(full ? flow.gsoSize : dice.between(0, flow.gsoSize + 20));
  return { outerSource: flow.outerSource, bytes: packetOf(dice, flow, payload) };
}

function packetOf(dice: Dice, flow: Flow, payload: Uint8Array): Uint8Array {
  const id = { up: (flow.ip.id + 1) % 65536, none: 0, random: dice.below(65536) }[flow.idStep];
  flow.ip = { ...flow.ip, id };
  if (flow.protocol === 'udp') return buildUdp(flow.ip, flow.tcp, payload, 'finished').packet;
  const flags = randomFlags(dice);
  const packet = buildTcp(flow.ip, { ...flow.tcp, flags }, payload, 'finished').packet;
  flow.tcp = { ...flow.tcp, sequence: (flow.tcp.sequence + payload.length) % 2 ** 32 };
  return packet;
}

/** ACK nearly always, PSH now and then, the others rarely. */
function randomFlags(dice: Dice): number {
  if (dice.oneIn(30))
    return dice.pick([TCP_SYN, TCP_FIN | TCP_ACK, TCP_ACK | TCP_URG, TCP_ACK | TCP_ECE, TCP_ACK | TCP_CWR, 0]);
  return dice.oneIn(8) ? TCP_ACK | TCP_PSH : TCP_ACK;
}

/** Changes something that ends a run: a gap, a repeat, another ack, window, TTL, TOS or options. */
function disturb(dice: Dice, flow: Flow): void {
  const { ip, tcp } = flow;
  switch (dice.below(8)) {
    case 0:
      flow.tcp = { ...tcp, sequence: (tcp.sequence + dice.between(1, 5000)) % 2 ** 32 };
      break;
    case 1:
      flow.tcp = { ...tcp, sequence: (tcp.sequence - dice.between(1, 5000) + 2 ** 32) % 2 ** 32 };
      break;
    case 2:
      flow.tcp = { ...tcp, acknowledgment: dice.next() };
      break;
    case 3:
      flow.tcp = { ...tcp, window: dice.below(65536) };
      break;
    case 4:
      flow.tcp = { ...tcp, options: dice.bytes(tcp.options.length) };
      break;
    case 5:
      flow.ip = { ...ip, ttl: dice.between(2, 255) };
      break;
    case 6:
      flow.ip = { ...ip, tos: dice.below(256) };
      break;
    default:
      flow.ip = { ...ip, dontFragment: !ip.dontFragment, id: dice.below(65536) };
  }
}

function hostileDatagram(dice: Dice, config: TwinConfig, flow: Flow): Datagram {
  const good = nextDatagram(dice, flow);
  const { outerSource } = good;
  const bytes = good.bytes.slice();
  const { ip } = flow;
  const six = typeof ip.source === 'bigint';
  const with6 = (low: number) => 0x2001_0db8n * 2n ** 96n + BigInt(low);
  switch (dice.below(13)) {
    case 0: // a stranger
      return { outerSource: dice.pick([0, 0x7f000001, 0xc00002fe, 0xffffffff, dice.next()]), bytes };
    case 1: // another peer's outer address
      return { outerSource: dice.pick(config.peers).publicIp, bytes };
    case 2: // an inner source of nobody, ourselves, or many
      return {
        outerSource,
        bytes: small(dice, {
          ...ip,
          source: six
            ? dice.pick([0n, with6(1), ip.destination])
            : dice.pick([0, 0x0af40105, 0x7f000001, 0xe0000001, 0xffffffff]),
        }),
      };
    case 3: // for somebody else
      return {
        outerSource,
        bytes: small(dice, {
          ...ip,
          destination: six
            ? dice.pick([with6(2), 0xff02n * 2n ** 112n])
            : dice.pick([0x08080808, 0xe0000001, 0xffffffff, 0xc0000201]),
        }),
      };
    case 4:
      return { outerSource, bytes: small(dice, { ...ip, ttl: dice.below(2) }) };
    case 5:
      return { outerSource, bytes: bytes.slice(0, dice.below(bytes.length)) };
    case 6: // bytes behind the packet's own end
      return { outerSource, bytes: Uint8Array.of(...bytes, ...dice.bytes(dice.between(1, 40))) };
    case 7: // a wrong transport checksum: the receiving host's to find
      bytes[bytes.length - 1]! ^= 1 << dice.below(8);
      return { outerSource, bytes };
    case 8: // a wrong header checksum, or for IPv6 some field
      bytes[dice.between(1, 19)]! ^= 1 << dice.below(8);
      return { outerSource, bytes };
    case 9: // one byte of the headers wrong, the IPv4 checksum right again
      bytes[dice.below(Math.min(bytes.length, 60))] = dice.below(256);
      if (!six && bytes.length >= 20 && (bytes[0]! & 15) * 4 <= bytes.length) finishIpv4Header(bytes);
      return { outerSource, bytes };
    case 10:
      return {
        outerSource,
        bytes: buildFragment(ip, 8 * dice.below(8192), dice.oneIn(2), dice.bytes(dice.between(0, 200))),
      };
    case 11: // a header length that is none
      bytes[0] = (bytes[0]! & 0xf0) | dice.below(5);
      return { outerSource, bytes };
    default:
      return { outerSource, bytes: dice.bytes(dice.between(0, 120)) };
  }
}

function small(dice: Dice, ip: IpFields): Uint8Array {
  if (dice.oneIn(3)) return buildIcmp(ip, dice.pick([0, 3, 8, 11, 128]), 0, dice.bytes(56)).packet;
  const ports = { sourcePort: dice.below(65536), destinationPort: dice.below(65536) };
  return buildUdp(ip, ports, dice.bytes(dice.between(0, 100)), 'finished').packet;
}
