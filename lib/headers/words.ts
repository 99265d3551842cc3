/** What a packet carries, in a few words: nothing of it but its numbers. */
import { formatIpv4 } from '../addr/ipv4.ts';
import { word } from '../capture/layers.ts';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { WirePacket } from '../capture/wire-packet.ts';
import { checkArp, parseArp } from '../wire/arp.ts';
import { ARP_REQUEST } from '../wire/layout/arp.ts';
import { ETHERNET_HEADER, ETHERNET_TYPE, ETHERTYPE_ARP } from '../wire/layout/ethernet.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HEADER,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
} from '../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { NDP_ADVERTISEMENT, NDP_SOLICITATION } from '../wire/layout/ndp.ts';
import { TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER_MIN } from '../wire/layout/tcp.ts';
import { UDP_HEADER } from '../wire/layout/udp.ts';

/** Of a frame that is no IP packet. */
export function describeOther(
  { memory, start, end, length }: Pick<WirePacket, 'memory' | 'start' | 'end' | 'length'>,
  linkType: number,
): string {
  const at = start + ETHERNET_HEADER;
  if (linkType !== LINKTYPE_ETHERNET || at > end) return `${length} bytes that are no IP packet`;
  const type = word(memory, start + ETHERNET_TYPE);
  const view = new DataView(memory.buffer, memory.byteOffset);
  if (type !== ETHERTYPE_ARP || checkArp(view, at, end) !== undefined)
    return `Ethernet type ${type.toString(16).padStart(4, '0')}, ${length} bytes`;
  const { operation, senderAddress, targetAddress } = parseArp(view, at);
  const [sender, target] = [formatIpv4(senderAddress), formatIpv4(targetAddress)];
  return operation === ARP_REQUEST ? `ARP who has ${target}, asks ${sender}` : `ARP ${sender} answers ${target}`;
}

const TCP_FLAG_LETTERS = 'FSRPAUEC';

/**
 * "udp 53 > 4321 60 B". memory[at, end) of the TCP, UDP or ICMP header were kept, at -1: it is a later fragment; the packet
 * ends at `ipEnd`.
 */
export function describeTransport(
  memory: Uint8Array,
  at: number,
  end: number,
  ipEnd: number,
  protocol: number,
): string {
  if (at < 0) return `fragment, protocol ${protocol}`;
  const there = end - at;
  if (protocol === IPPROTO_TCP && there >= TCP_HEADER_MIN) {
    const flags = Array.from(TCP_FLAG_LETTERS)
      .filter((_, bit) => (memory[at + TCP_FLAGS]! & (1 << bit)) !== 0)
      .join('');
    const payload = ipEnd - at - (memory[at + TCP_DATA_OFFSET]! >> 4) * 4;
    return `tcp ${word(memory, at)} > ${word(memory, at + 2)} ${flags}${payload === 0 ? '' : ` ${payload} B`}`;
  }
  if (protocol === IPPROTO_UDP && there >= UDP_HEADER) {
    const [from, to] = [word(memory, at), word(memory, at + 2)];
    return `udp ${from === to ? to : `${from} > ${to}`} ${ipEnd - at - UDP_HEADER} B`;
  }
  if ((protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) && there >= ICMP_HEADER)
    return describeIcmp(memory, at, protocol);
  return `protocol ${protocol} ${ipEnd - at} B`;
}

function describeIcmp(memory: Uint8Array, at: number, protocol: number): string {
  const [type, code] = [memory[at]!, memory[at + 1]!];
  const name = (protocol === IPPROTO_ICMP ? ICMP_NAMES : ICMPV6_NAMES).get(type);
  const isEcho =
    protocol === IPPROTO_ICMP
      ? type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY
      : type === ICMPV6_ECHO_REQUEST || type === ICMPV6_ECHO_REPLY;
  if (isEcho) return `${name} ${word(memory, at + 6)}`;
  if (protocol === IPPROTO_ICMP && type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED)
    return `fragmentation needed, MTU ${word(memory, at + 6)}`;
  if (protocol === IPPROTO_ICMPV6 && type === ICMPV6_PACKET_TOO_BIG)
    return `packet too big, MTU ${word(memory, at + 6)}`;
  if (protocol === IPPROTO_ICMP && type === 3 && code in UNREACHABLE) return `${UNREACHABLE[code]} unreachable`;
  return name === undefined ? `ICMP type ${type} code ${code}` : `${name}${code === 0 ? '' : ` code ${code}`}`;
}

/** By code: RFC 792. */
const UNREACHABLE = ['net', 'host', 'protocol', 'port'];

const ICMP_NAMES = new Map<number, string>([
  [ICMP_ECHO_REPLY, 'echo reply'],
  [ICMP_UNREACHABLE, 'unreachable'],
  [ICMP_REDIRECT, 'redirect'],
  [ICMP_ECHO_REQUEST, 'echo request'],
  [ICMP_TIME_EXCEEDED, 'time exceeded'],
]);
const ICMPV6_NAMES = new Map<number, string>([
  [ICMPV6_UNREACHABLE, 'unreachable'],
  [ICMPV6_PACKET_TOO_BIG, 'packet too big'],
  [ICMPV6_TIME_EXCEEDED, 'time exceeded'],
  [ICMPV6_ECHO_REQUEST, 'echo request'],
  [ICMPV6_ECHO_REPLY, 'echo reply'],
  [133, 'router solicitation'],
  [134, 'router advertisement'],
  [NDP_SOLICITATION, 'neighbour solicitation'],
  [NDP_ADVERTISEMENT, 'neighbour advertisement'],
  [143, 'multicast report'],
]);
