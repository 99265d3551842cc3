/** Where the headers of a packet lie, the carried packet's and those around it. Numbers only: it runs for every packet. */
import {
  ETHERNET_HEADER,
  ETHERNET_TYPE,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_PROVIDER_VLAN,
  ETHERTYPE_VLAN,
  VLAN_NEXT_TYPE,
  VLAN_TAG,
} from '../wire/layout/ethernet.ts';
import {
  IPPROTO_DESTINATION_OPTIONS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOP_BY_HOP,
  IPPROTO_IPIP,
  IPPROTO_IPV6,
  IPPROTO_ROUTING,
  IPPROTO_UDP,
} from '../wire/layout/ip.ts';
import {
  IPV4_FLAGS_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_MIN,
  IPV4_PROTOCOL,
  IPV4_VERSION_IHL,
} from '../wire/layout/ipv4.ts';
import {
  IPV6_EXT_LENGTH,
  IPV6_EXT_MAX,
  IPV6_EXT_MIN,
  IPV6_FRAGMENT_OFFSET_FLAGS,
  IPV6_FRAGMENT_OFFSET_MASK,
  IPV6_HEADER,
  IPV6_NEXT_HEADER,
} from '../wire/layout/ipv6.ts';
import { UDP_DESTINATION_PORT, UDP_HEADER } from '../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../wire/layout/vxlan.ts';

/** Our choice: a tunnel in a tunnel is the most that is looked into. */
const LEVELS_MAX = 3;

/** What UDP ports carry: 1 an IP packet (flannel's udp), 2 VXLAN. By port. */
export type TunnelPorts = ReadonlyMap<number, 'ip' | 'vxlan'>;

export class Layers {
  /** How many IP packets lie in each other; 0: none, or not readable. */
  count = 0;
  /** Of each of them, the outer first: its header, what follows that, of which protocol. -1: a fragment that has no such header. */
  readonly ip: number[] = [0, 0, 0];
  readonly transport: number[] = [0, 0, 0];
  readonly protocol: number[] = [0, 0, 0];
  readonly isIpv6: boolean[] = [false, false, false];
  /** Of each of them: the Ethernet header before it, -1 without. */
  readonly ethernet: number[] = [-1, -1, -1];

  /**
   * Reads memory[start, end). A UDP datagram is looked into if its port is one of `tunnels`. Returns `count`.
   */
  read(memory: Uint8Array, start: number, end: number, hasEthernet: boolean, tunnels: TunnelPorts): number {
    this.count = 0;
    let at = start;
    let framed = hasEthernet;
    while (this.count < LEVELS_MAX) {
      const frame = framed ? at : -1;
      if (framed) {
        at = ipAfterEthernet(memory, at, end);
        if (at < 0) break;
      }
      if (!this.#readIp(memory, at, end, frame)) break;
      const level = this.count - 1;
      const transport = this.transport[level]!;
      const protocol = this.protocol[level]!;
      if (transport < 0) break;
      if (protocol === IPPROTO_IPIP || protocol === IPPROTO_IPV6) {
        at = transport;
        framed = false;
        continue;
      }
      if (protocol !== IPPROTO_UDP || transport + UDP_HEADER > end) break;
      const tunnel = tunnels.get(word(memory, transport + UDP_DESTINATION_PORT));
      if (tunnel === undefined) break;
      framed = tunnel === 'vxlan';
      at = transport + UDP_HEADER + (framed ? VXLAN_HEADER : 0);
    }
    return this.count;
  }

  #readIp(memory: Uint8Array, at: number, end: number, frame: number): boolean {
    if (at + IPV4_HEADER_MIN > end) return false;
    const version = memory[at]! >> 4;
    const level = this.count;
    if (version === 4) {
      const length = (memory[at + IPV4_VERSION_IHL]! & 15) * 4;
      if (length < IPV4_HEADER_MIN || at + length > end) return false;
      const later = (word(memory, at + IPV4_FLAGS_FRAGMENT) & IPV4_FRAGMENT_OFFSET_MASK) !== 0;
      this.protocol[level] = memory[at + IPV4_PROTOCOL]!;
      this.transport[level] = later ? -1 : at + length;
    } else if (version === 6) {
      if (at + IPV6_HEADER > end) return false;
      this.#readIpv6(memory, at, end, level);
    } else return false;
    this.ip[level] = at;
    this.isIpv6[level] = version === 6;
    this.ethernet[level] = frame;
    this.count++;
    return true;
  }

  #readIpv6(memory: Uint8Array, ip: number, end: number, level: number): void {
    let protocol = memory[ip + IPV6_NEXT_HEADER]!;
    let at = ip + IPV6_HEADER;
    for (let seen = 0; seen < IPV6_EXT_MAX && at + IPV6_EXT_MIN <= end; seen++) {
      if (protocol === IPPROTO_FRAGMENT) {
        const later = (word(memory, at + IPV6_FRAGMENT_OFFSET_FLAGS) & IPV6_FRAGMENT_OFFSET_MASK) !== 0;
        protocol = memory[at]!;
        at += IPV6_EXT_MIN;
        if (later) at = -1;
        if (later) break;
      } else if (
        protocol === IPPROTO_HOP_BY_HOP ||
        protocol === IPPROTO_ROUTING ||
        protocol === IPPROTO_DESTINATION_OPTIONS
      ) {
        protocol = memory[at]!;
        at += IPV6_EXT_MIN + memory[at + IPV6_EXT_LENGTH]! * 8;
      } else break;
    }
    this.protocol[level] = protocol;
    this.transport[level] = at > end ? -1 : at;
  }
}

/** Where the IP packet of an Ethernet frame begins, behind VLAN tags; -1 when there is none. */
function ipAfterEthernet(memory: Uint8Array, frame: number, end: number): number {
  if (frame + ETHERNET_HEADER > end) return -1;
  let type = word(memory, frame + ETHERNET_TYPE);
  let at = frame + ETHERNET_HEADER;
  while ((type === ETHERTYPE_VLAN || type === ETHERTYPE_PROVIDER_VLAN) && at + VLAN_TAG <= end) {
    type = word(memory, at + VLAN_NEXT_TYPE);
    at += VLAN_TAG;
  }
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? at : -1;
}

/** A big-endian u16. */
export function word(memory: Uint8Array, at: number): number {
  return (memory[at]! << 8) | memory[at + 1]!;
}

export function putWord(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value >> 8;
  memory[at + 1] = value;
}
