/** Checks one captured underlay frame, header by header, against what it has to be. */
import type { IpAddress } from '../addr/ip.ts';
import { isGroupMac } from '../addr/mac.ts';
import { checkArp } from '../wire/arp.ts';
import { decapEcn, ecnOf, outerTos } from '../wire/ecn.ts';
import { checkEthernet, ethernetDestination, ethernetType } from '../wire/ethernet.ts';
import {
  ETHERNET_HEADER,
  ETHERNET_MIN,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
} from '../wire/layout/ethernet.ts';
import { IPPROTO_IPIP, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { UDP_HEADER } from '../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../wire/layout/vxlan.ts';
import { isProbe } from '../wire/probe.ts';
import { checkUdp, udpDestinationPort, udpLength, udpSourcePort } from '../wire/udp.ts';
import { checkVxlan, parseVxlanHeader } from '../wire/vxlan.ts';
import { areInnerAddresses, areMacs, arePorts, type Direction } from './addressing.ts';
import { type CheckName, isInnerTtl } from './checks.ts';
import type { Expectation } from './expectation.ts';
import type { InnerPacket, InspectedFrame, Inspection, OuterSource } from './inspection.ts';
import { type IpPacket, readIpPacket } from './ip-packet.ts';
import { ipOffset } from './link-layer.ts';
import { LINKTYPE_ETHERNET } from './link-type.ts';
import { finishSum, judgeSum, type Sum } from './transport-sum.ts';

/** Looks at a frame. Nothing in it makes this throw. */
export function inspectFrame(frame: InspectedFrame, expected: Expectation): Inspection {
  const inspector = new Inspector(frame, expected);
  inspector.inspect();
  return inspector;
}

class Inspector implements Inspection {
  readonly failed = new Set<CheckName>();
  readonly unchecked = new Set<CheckName>();
  readonly inner: InnerPacket[] = [];
  outerChecksum: Sum | undefined;
  outerSource: OuterSource | undefined;
  outerDestination: IpAddress | undefined;
  isFragment = false;
  isSuperPacket = false;
  readonly #view: DataView;
  readonly #frame: InspectedFrame;
  readonly #expected: Expectation;
  readonly #unfinished: IpPacket[] = [];
  #firstInner: IpPacket | undefined;

  constructor(frame: InspectedFrame, expected: Expectation) {
    this.#view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.length);
    this.#frame = frame;
    this.#expected = expected;
  }

  inspect(): void {
    const { encapsulation } = this.#expected.wire;
    const at = ipOffset(this.#view, this.#frame.linkType);
    const check = encapsulation === 'none' ? 'inner-ip' : 'outer-ip';
    const packet = at === undefined ? undefined : this.#ip(check, at, this.#frame.length);
    if (at === undefined) this.failed.add(check);
    if (packet === undefined) return;
    const { mtu, asOnWire } = this.#expected;
    this.isSuperPacket = mtu !== undefined && packet.end - packet.at > mtu;
    if (asOnWire) this.#expect('mtu', !this.isSuperPacket);
    if (encapsulation === 'none') this.#plain(packet);
    else this.#outer(packet);
  }

  #plain(packet: IpPacket): void {
    const { nodes } = this.#expected;
    // Without a device of the overlay a host asks pods from its address on the underlay.
    const ownerOf = (address: IpAddress) => nodes?.holding(address) ?? nodes?.at(address);
    const direction: Direction = [ownerOf(packet.source), ownerOf(packet.destination)];
    this.#underlayMacs(direction);
    this.#packet(packet, direction);
  }

  #outer(packet: IpPacket): void {
    const { wire, nodes } = this.#expected;
    const { source, destination, protocol } = packet;
    if (protocol !== (wire.encapsulation === 'ipip' ? IPPROTO_IPIP : IPPROTO_UDP)) {
      this.failed.add('outer-ip');
      return;
    }
    this.outerSource = { address: source, port: 0 };
    this.outerDestination = destination;
    const direction: Direction = [nodes?.at(source), nodes?.at(destination)];
    this.#underlayMacs(direction);
    const [from, to] = direction;
    if (nodes !== undefined) this.#expect('outer-addresses', from !== undefined && to !== undefined && from !== to);
    if (packet.isFragment && this.#expected.strict) this.failed.add('outer-ip');
    this.isFragment = packet.isLater;
    if (packet.isLater) return;
    if (wire.encapsulation === 'ipip') this.#ipip(packet, direction);
    else this.#udp(packet, direction);
    if (this.#firstInner !== undefined) this.#expect('outer-tos', this.#isTosRight(packet.tos, this.#firstInner.tos));
  }

  #isTosRight(outer: number, inner: number): boolean {
    const { dscp } = this.#expected;
    if (dscp !== undefined) return outer === outerTos(dscp, inner);
    // A switch may have marked the outer header; what no receiver may take is a mark on a packet that knows none.
    return decapEcn(ecnOf(inner), ecnOf(outer)) !== 'drop';
  }

  #ipip(outer: IpPacket, direction: Direction): void {
    const packet = this.#ip('inner-ip', outer.payload, outer.end);
    if (packet === undefined) return;
    if (packet.end === outer.end || outer.isFragment) this.#packet(packet, direction);
    else this.failed.add('inner-ip');
  }

  #udp(outer: IpPacket, direction: Direction): void {
    const view = this.#view;
    const udp = outer.payload;
    if (this.#isCut('outer-length', udp + UDP_HEADER)) return;
    // Of a first fragment the datagram is longer.
    const end = outer.isFragment ? Number.MAX_SAFE_INTEGER : outer.end;
    if (checkUdp(view, udp, end) !== undefined) {
      this.failed.add('outer-length');
      return;
    }
    const udpEnd = udp + udpLength(view, udp);
    if (!outer.isFragment) this.#expect('outer-length', udpEnd === outer.end);
    this.outerSource = { address: outer.source, port: udpSourcePort(view, udp) };
    this.#expect('outer-ports', arePorts(this.#expected.wire, this.outerSource.port, udpDestinationPort(view, udp)));
    this.#train(udp + UDP_HEADER, udpEnd, direction);
    this.#outerSum(outer);
  }

  /** After the inner packets, whose unfinished sums would have been finished before this one. */
  #outerSum(outer: IpPacket): void {
    let sum = judgeSum(this.#view, outer);
    if (sum === 'wrong' && this.#unfinished.length > 0) {
      const copy = this.#frame.bytes.slice();
      const view = new DataView(copy.buffer);
      for (const packet of this.#unfinished) finishSum(view, packet);
      sum = judgeSum(view, outer);
    }
    // The header has been checked, and said to be wrong.
    if (sum === 'broken') sum = 'unchecked';
    this.outerChecksum = sum;
    if (sum === 'unchecked') this.unchecked.add('outer-checksum');
    const { strict, asOnWire } = this.#expected;
    const isFault = sum === 'wrong' || (sum === 'none' && strict) || (sum === 'unfinished' && asOnWire);
    this.#expect('outer-checksum', !isFault);
  }

  /** One inner packet after the other until the payload ends; on the wire it is one. */
  #train(start: number, end: number, direction: Direction): void {
    let at = start;
    do {
      const packetAt = this.#expected.wire.encapsulation === 'vxlan' ? this.#vxlan(at, end, direction) : at;
      if (packetAt === undefined) return;
      const packet = this.#ip('inner-ip', packetAt, end);
      if (packet === undefined) return;
      this.#packet(packet, direction);
      at = packetAt === at ? packet.end : this.#behindPadding(packet.end, packetAt, end);
    } while (at < end);
  }

  /** A frame that a bridge took in from a wire may be filled with zeros up to Ethernet's shortest; a VXLAN header begins with none. */
  #behindPadding(packetEnd: number, packetAt: number, end: number): number {
    const view = this.#view;
    const limit = Math.min(packetAt - ETHERNET_HEADER + ETHERNET_MIN, end);
    let at = packetEnd;
    while (at < limit && (at >= view.byteLength || view.getUint8(at) === 0)) at++;
    return at;
  }

  /** Where the IP packet behind VXLAN and Ethernet header begins; undefined where there is none. */
  #vxlan(at: number, end: number, direction: Direction): number | undefined {
    const view = this.#view;
    const ethernet = at + VXLAN_HEADER;
    if (this.#isCut('vxlan-header', ethernet)) return undefined;
    if (checkVxlan(view, at, end) !== undefined) {
      this.failed.add('vxlan-header');
      return undefined;
    }
    this.#expect('vxlan-header', this.#isVxlanHeader(at));
    if (this.#isCut('inner-ethernet', ethernet + ETHERNET_HEADER)) return undefined;
    if (checkEthernet(view, ethernet, end) !== undefined) {
      this.failed.add('inner-ethernet');
      return undefined;
    }
    this.#innerMacs(ethernet, direction);
    const type = ethernetType(view, ethernet);
    if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return ethernet + ETHERNET_HEADER;
    const isGood = this.#expected.learning || (type === ETHERTYPE_ARP && !this.#isBrokenArp(ethernet, end));
    this.#expect('inner-ethernet', isGood);
    return undefined;
  }

  #isBrokenArp(ethernet: number, end: number): boolean {
    const kept = Math.min(end, this.#view.byteLength);
    return checkArp(this.#view, ethernet + ETHERNET_HEADER, kept) !== undefined && kept === end;
  }

  /** The I flag and the VNI, all other bits zero. */
  #isVxlanHeader(at: number): boolean {
    const view = this.#view;
    const { wire } = this.#expected;
    const { vni } = parseVxlanHeader(view, at);
    if (wire.encapsulation === 'vxlan' && wire.vni !== undefined && wire.vni !== vni) return false;
    return view.getUint32(at) === 0x0800_0000 && view.getUint8(at + VXLAN_HEADER - 1) === 0;
  }

  #packet(packet: IpPacket, direction: Direction): void {
    if (packet.isFragment && this.#expected.strict) {
      this.failed.add('inner-ip');
      return;
    }
    this.#firstInner ??= packet;
    const view = this.#view;
    const { protocol, payload, source, destination } = packet;
    const { wire, nodes, learning } = this.#expected;
    // Where the outer addresses are nobody's, that is what is wrong.
    if (nodes !== undefined && !learning) this.#expect('inner-addresses', areInnerAddresses(wire, packet, direction));
    this.#expect('inner-ttl', isInnerTtl(this.#expected, packet.ttl));
    const hasPorts = (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) && !packet.isLater;
    const port = (at: number) => (hasPorts && at + 2 <= view.byteLength ? `:${view.getUint16(at)}` : '');
    const checksum = judgeSum(view, packet);
    if (checksum === 'unfinished') this.#unfinished.push(packet);
    const flow = `${protocol} ${source}${port(payload)} > ${destination}${port(payload + 2)}`;
    const probe = isProbe(this.#frame.bytes.subarray(packet.at, Math.min(packet.end, view.byteLength)));
    this.inner.push({ protocol, flow, checksum, isProbe: probe });
    this.#expect('inner-checksum', this.#isSumRight(packet, checksum));
  }

  #isSumRight({ family, protocol, end }: IpPacket, sum: Sum): boolean {
    const { strict, asOnWire } = this.#expected;
    if (sum === 'unchecked') {
      if (end > this.#view.byteLength) this.unchecked.add('inner-checksum');
      return !strict;
    }
    if (sum === 'none') return family === 4 && protocol === IPPROTO_UDP && !strict;
    return sum === 'right' || (sum === 'unfinished' && !asOnWire && !strict);
  }

  #underlayMacs(direction: Direction): void {
    if (this.#frame.linkType === LINKTYPE_ETHERNET)
      this.#expect(
        'ethernet',
        areMacs(this.#view, 0, direction, ({ mac }) => mac),
      );
  }

  #innerMacs(at: number, [from, to]: Direction): void {
    if (this.#expected.learning) return;
    const isGroup = isGroupMac(ethernetDestination(this.#view, at));
    this.#expect(
      'inner-ethernet',
      areMacs(this.#view, at, [from, isGroup ? undefined : to], ({ vtepMacs }) => vtepMacs),
    );
  }

  /** The packet at `at`, or undefined, after having said why. */
  #ip(check: 'outer-ip' | 'inner-ip', at: number, end: number): IpPacket | undefined {
    const packet = readIpPacket(this.#view, at, end);
    if (packet === 'cut') this.unchecked.add(check);
    else if (packet === undefined) this.failed.add(check);
    else return packet;
    return undefined;
  }

  #isCut(check: CheckName, end: number): boolean {
    // A frame that is too short by itself is not cut.
    const isCut = end > this.#view.byteLength && this.#view.byteLength < this.#frame.length;
    if (isCut) this.unchecked.add(check);
    else if (end > this.#view.byteLength) this.failed.add(check);
    return end > this.#view.byteLength;
  }

  #expect(check: CheckName, holds: boolean): void {
    if (!holds) this.failed.add(check);
  }
}
