/** The frame that a carried packet becomes on the underlay: built by our own writers. */
import { familyOf, type IpAddress } from '../addr/ip.ts';
import type { Mac } from '../addr/mac.ts';
import type { Wire } from '../capture/checks.ts';
import { pseudoHeaderSum4, pseudoHeaderSum6 } from '../wire/checksum.ts';
import { emitEthernetHeader } from '../wire/ethernet.ts';
import { emitIpv4Header } from '../wire/ipv4.ts';
import { emitIpv6Header } from '../wire/ipv6.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/layout/ethernet.ts';
import { IPPROTO_IPIP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../wire/layout/ipv6.ts';
import { UDP_HEADER } from '../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../wire/layout/vxlan.ts';
import { emitUdpHeader, fillUdpChecksum } from '../wire/udp.ts';
import { emitVxlanHeader } from '../wire/vxlan.ts';

export interface FramePlan {
  readonly wire: Wire;
  readonly sourceMac: Mac;
  readonly destinationMac: Mac;
  /** Of one family: IPv6 with vxlan only. */
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  /** Outer header; of IPv6 its traffic class and hop limit. */
  readonly tos: number;
  readonly ttl: number;
  /** Of an IPv4 header. */
  readonly dontFragment: boolean;
  readonly outerId: number;
}

/** Bytes that a backend puts before the inner IP packet over IPv4, Ethernet header of the underlay not included. */
export function overheadOf({ encapsulation }: Wire): number {
  const frame = encapsulation === 'vxlan' ? ETHERNET_HEADER : 0;
  return encapsulation === 'none' ? 0 : IPV4_HEADER_MIN + behindIp(encapsulation) + frame;
}

/** Bytes between the outer IP header and what is carried. */
function behindIp(encapsulation: Wire['encapsulation']): number {
  if (encapsulation === 'vxlan') return UDP_HEADER + VXLAN_HEADER;
  return encapsulation === 'ip-in-udp' ? UDP_HEADER : 0;
}

/**
 * What the backend and the kernel send. `carried`: the inner packet with its TTL on the wire, with vxlan its frame; of its `length`
 * bytes it may have the first only, then the checksum of UDP is left out.
 */
export function buildFrame(plan: FramePlan, carried: Uint8Array, length = carried.length): Uint8Array {
  const { wire, source } = plan;
  const isIpv6 = familyOf(source) === 6;
  const isCarried = wire.encapsulation !== 'none';
  const ipHeader = !isCarried ? 0 : isIpv6 ? IPV6_HEADER : IPV4_HEADER_MIN;
  const behind = behindIp(wire.encapsulation);
  const bytes = new Uint8Array(ETHERNET_HEADER + ipHeader + behind + carried.length);
  bytes.set(carried, bytes.length - carried.length);
  const view = new DataView(bytes.buffer);
  const type = isIpv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
  const at = emitEthernetHeader(view, 0, { source: plan.sourceMac, destination: plan.destinationMac, type });
  if (!isCarried) return bytes;
  emitOuterIp(view, at, plan, behind + length);
  if (wire.encapsulation === 'ip-in-udp' || wire.encapsulation === 'vxlan') {
    const udp = at + ipHeader;
    const ports = { sourcePort: plan.sourcePort, destinationPort: wire.port };
    emitUdpHeader(view, udp, { ...ports, length: behind + length });
    if (wire.encapsulation === 'vxlan') emitVxlanHeader(view, udp + UDP_HEADER, { vni: wire.vni });
    if (length === carried.length) fillUdpChecksum(view, udp, pseudoSum(plan, behind + length));
  }
  return bytes;
}

function emitOuterIp(view: DataView, at: number, plan: FramePlan, payload: number): void {
  const { source, destination, wire, ttl } = plan;
  const protocol = wire.encapsulation === 'ipip' ? IPPROTO_IPIP : IPPROTO_UDP;
  if (typeof source === 'bigint' && typeof destination === 'bigint')
    emitIpv6Header(view, at, {
      trafficClass: plan.tos,
      flowLabel: 0,
      payloadLength: payload,
      nextHeader: protocol,
      hopLimit: ttl,
      source,
      destination,
    });
  else if (typeof source === 'number' && typeof destination === 'number')
    emitIpv4Header(view, at, {
      tos: plan.tos,
      totalLength: IPV4_HEADER_MIN + payload,
      id: plan.outerId,
      reservedFlag: false,
      dontFragment: plan.dontFragment,
      moreFragments: false,
      fragmentOffset: 0,
      ttl,
      protocol,
      source,
      destination,
      options: new Uint8Array(0),
    });
}

function pseudoSum({ source, destination }: FramePlan, length: number): number {
  if (typeof source === 'bigint' && typeof destination === 'bigint')
    return pseudoHeaderSum6(source, destination, IPPROTO_UDP, length);
  return typeof source === 'number' && typeof destination === 'number'
    ? pseudoHeaderSum4(source, destination, IPPROTO_UDP, length)
    : 0;
}
