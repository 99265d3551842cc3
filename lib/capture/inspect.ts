/** Checks one captured underlay frame, header by header, against what the backend has to make of it. */
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Mac } from '../addr/mac.ts';
import { foldSum, pseudoHeaderSum4 } from '../wire/checksum.ts';
import { checkEthernet, ethernetDestination, ethernetSource, ethernetType } from '../wire/ethernet.ts';
import { checkIcmp, icmpChecksumIsValid } from '../wire/icmp.ts';
import {
  checkIpv4,
  ipv4ChecksumIsValid,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4 } from '../wire/layout/ethernet.ts';
import { IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { UDP_HEADER } from '../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../wire/layout/vxlan.ts';
import { checkTcp, tcpChecksumIsValid } from '../wire/tcp.ts';
import {
  checkUdp,
  udpChecksum,
  udpChecksumIsValid,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../wire/udp.ts';
import { checkVxlan, emitVxlanHeader } from '../wire/vxlan.ts';
import { type CheckName, expectedTtl, type Wire } from './checks.ts';

interface InspectedHost {
  readonly publicIp: Ipv4;
  /** Of its device on the underlay. */
  readonly mac: Mac;
  readonly pod: Ipv4;
  /** From its lease; undefined but for vxlan. */
  readonly vtepMac: Mac | undefined;
}

export interface Expectation {
  readonly hosts: readonly [InspectedHost, InspectedHost];
  readonly wire: Wire;
}

/**
 * right, none (0: the sender computed none), wrong; offloaded: it holds the sum of the pseudo-header, which the NIC would
 * have completed. A veth never does.
 */
export type OuterChecksum = 'right' | 'offloaded' | 'none' | 'wrong';

export interface Inspection {
  /** The checks that failed; empty is good. */
  readonly failed: ReadonlySet<CheckName>;
  /** Undefined where there is no outer UDP header, and so the next. */
  readonly outerChecksum: OuterChecksum | undefined;
  readonly outerSource: OuterSource | undefined;
  /** Of each inner packet. More than one: a train that was captured before the kernel cut it. */
  readonly inner: readonly InnerPacket[];
}

interface OuterSource {
  readonly address: Ipv4;
  readonly port: number;
}

interface InnerPacket {
  readonly protocol: number;
  /** Protocol, addresses and, of TCP and UDP, ports: "6 178528770:7000 > 178546434:41234". */
  readonly flow: string;
}

/** Looks at a whole Ethernet frame. Nothing in it makes this throw. */
export function inspectFrame(frame: Uint8Array, expected: Expectation): Inspection {
  const inspector = new Inspector(frame, expected);
  inspector.inspect();
  return inspector;
}

/** Who sent a frame, and to whom it has to go. */
type Direction = readonly [from: InspectedHost, to: InspectedHost];

class Inspector implements Inspection {
  readonly failed = new Set<CheckName>();
  readonly inner: InnerPacket[] = [];
  outerChecksum: OuterChecksum | undefined;
  outerSource: OuterSource | undefined;
  readonly #view: DataView;
  readonly #expected: Expectation;

  constructor(frame: Uint8Array, expected: Expectation) {
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    this.#expected = expected;
  }

  inspect(): void {
    const view = this.#view;
    const end = view.byteLength;
    const { encapsulation } = this.#expected.wire;
    const isIpv4 = checkEthernet(view, 0, end) === undefined && ethernetType(view, 0) === ETHERTYPE_IPV4;
    if (!isIpv4 || !this.#isWholeIpv4(ETHERNET_HEADER, end))
      this.failed.add(encapsulation === 'none' ? 'inner-ipv4' : 'outer-ipv4');
    else if (encapsulation === 'none') this.#plain(ETHERNET_HEADER);
    else this.#outer(ETHERNET_HEADER);
  }

  #plain(ip: number): void {
    const direction = this.#direction('pod', ipv4Source(this.#view, ip));
    this.#ethernet('ethernet', 0, direction, 'mac');
    this.#packet(ip, direction);
  }

  #outer(ip: number): void {
    const view = this.#view;
    const { wire } = this.#expected;
    if (ipv4Protocol(view, ip) !== (wire.encapsulation === 'ipip' ? IPPROTO_IPIP : IPPROTO_UDP)) {
      this.failed.add('outer-ipv4');
      return;
    }
    const direction = this.#direction('publicIp', ipv4Source(view, ip));
    this.#ethernet('ethernet', 0, direction, 'mac');
    const [from, to] = direction;
    this.#expect(
      'outer-addresses',
      ipv4Source(view, ip) === from.publicIp && ipv4Destination(view, ip) === to.publicIp,
    );
    const payload = ip + ipv4HeaderLength(view, ip);
    const end = ip + ipv4TotalLength(view, ip);
    if (wire.encapsulation === 'ipip') this.#ipip(payload, end, direction);
    else this.#udp(ip, payload, end, direction);
    const innerTos = this.inner.length === 0 ? undefined : ipv4Tos(view, this.#firstInner);
    if (innerTos !== undefined) this.#expect('outer-tos', ipv4Tos(view, ip) === (innerTos & ECN_MASK));
  }

  #ipip(start: number, end: number, direction: Direction): void {
    const fills = this.#isWholeIpv4(start, end) && start + ipv4TotalLength(this.#view, start) === end;
    if (fills) this.#packet(start, direction);
    else this.failed.add('inner-ipv4');
  }

  #udp(ip: number, udp: number, end: number, direction: Direction): void {
    const view = this.#view;
    if (checkUdp(view, udp, end) !== undefined) {
      this.failed.add('outer-length');
      return;
    }
    const udpEnd = udp + udpLength(view, udp);
    this.#expect('outer-length', udpEnd === end);
    this.outerSource = { address: ipv4Source(view, ip), port: udpSourcePort(view, udp) };
    this.#expect('outer-ports', arePorts(this.#expected.wire, this.outerSource.port, udpDestinationPort(view, udp)));
    const pseudoSum = pseudoHeaderSum4(ipv4Source(view, ip), ipv4Destination(view, ip), IPPROTO_UDP, udpEnd - udp);
    this.outerChecksum = judgeOuterChecksum(view, udp, pseudoSum);
    this.#expect('outer-checksum', this.outerChecksum === 'right' || this.outerChecksum === 'offloaded');
    this.#train(udp + UDP_HEADER, udpEnd, direction);
  }

  /** One inner packet after the other until the payload ends; on the wire it is one. */
  #train(start: number, end: number, direction: Direction): void {
    let at = start;
    do {
      const packet = this.#expected.wire.encapsulation === 'vxlan' ? this.#vxlan(at, end, direction) : at;
      if (packet === undefined) return;
      if (!this.#isWholeIpv4(packet, end)) {
        this.failed.add('inner-ipv4');
        return;
      }
      this.#packet(packet, direction);
      at = packet + ipv4TotalLength(this.#view, packet);
    } while (at < end);
  }

  /** Where the IPv4 packet behind VXLAN and Ethernet header begins; undefined when they are not whole. */
  #vxlan(at: number, end: number, direction: Direction): number | undefined {
    const view = this.#view;
    if (checkVxlan(view, at, end) !== undefined) {
      this.failed.add('vxlan-header');
      return undefined;
    }
    this.#expect('vxlan-header', view.getBigUint64(at) === this.#vxlanHeader());
    const ethernet = at + VXLAN_HEADER;
    if (checkEthernet(view, ethernet, end) !== undefined || ethernetType(view, ethernet) !== ETHERTYPE_IPV4) {
      this.failed.add('inner-ethernet');
      return undefined;
    }
    this.#ethernet('inner-ethernet', ethernet, direction, 'vtepMac');
    return ethernet + ETHERNET_HEADER;
  }

  /** The eight bytes that have to be there. */
  #vxlanHeader(): bigint {
    const { wire } = this.#expected;
    const header = new DataView(new ArrayBuffer(VXLAN_HEADER));
    if (wire.encapsulation === 'vxlan') emitVxlanHeader(header, 0, wire);
    return header.getBigUint64(0);
  }

  #packet(ip: number, [from, to]: Direction): void {
    const view = this.#view;
    if (this.inner.length === 0) this.#firstInner = ip;
    const source = ipv4Source(view, ip);
    const destination = ipv4Destination(view, ip);
    const protocol = ipv4Protocol(view, ip);
    this.#expect('inner-addresses', source === from.pod && destination === to.pod);
    this.#expect('inner-ttl', ipv4Ttl(view, ip) === expectedTtl(this.#expected.wire));
    const start = ip + ipv4HeaderLength(view, ip);
    const end = ip + ipv4TotalLength(view, ip);
    const hasPorts = (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) && end - start >= 4;
    const port = (at: number) => (hasPorts ? `:${view.getUint16(at)}` : '');
    this.inner.push({ protocol, flow: `${protocol} ${source}${port(start)} > ${destination}${port(start + 2)}` });
    const pseudoSum = pseudoHeaderSum4(source, destination, protocol, end - start);
    this.#expect('inner-checksum', isTransportRight(view, protocol, start, end, pseudoSum));
  }

  #firstInner = 0;

  #direction(key: 'publicIp' | 'pod', source: Ipv4): Direction {
    const { hosts } = this.#expected;
    return hosts[1][key] === source ? [hosts[1], hosts[0]] : hosts;
  }

  #ethernet(check: CheckName, at: number, [from, to]: Direction, key: 'mac' | 'vtepMac'): void {
    const view = this.#view;
    this.#expect(check, ethernetSource(view, at) === from[key] && ethernetDestination(view, at) === to[key]);
  }

  #isWholeIpv4(at: number, end: number): boolean {
    const view = this.#view;
    if (checkIpv4(view, at, end) !== undefined || !ipv4ChecksumIsValid(view, at)) return false;
    return !ipv4MoreFragments(view, at) && ipv4FragmentOffset(view, at) === 0;
  }

  #expect(check: CheckName, holds: boolean): void {
    if (!holds) this.failed.add(check);
  }
}

/** The two low bits of the TOS field. RFC 3168 §5. */
const ECN_MASK = 3;

function arePorts(wire: Wire, source: number, destination: number): boolean {
  if (wire.encapsulation === 'ip-in-udp') return source === wire.port && destination === wire.port;
  // VXLAN takes any source port (RFC 7348 §5): it distinguishes flows for paths of equal cost.
  return wire.encapsulation === 'vxlan' && destination === wire.port;
}

function judgeOuterChecksum(view: DataView, udp: number, pseudoSum: number): OuterChecksum {
  const checksum = udpChecksum(view, udp);
  if (checksum === 0) return 'none';
  // Partial first: a capture of traffic that never left the machine holds nothing else.
  if (checksum === foldSum(pseudoSum)) return 'offloaded';
  return udpChecksumIsValid(view, udp, pseudoSum) ? 'right' : 'wrong';
}

function isTransportRight(view: DataView, protocol: number, start: number, end: number, pseudoSum: number): boolean {
  switch (protocol) {
    case IPPROTO_ICMP:
      return checkIcmp(view, start, end) === undefined && icmpChecksumIsValid(view, start, end, 0);
    case IPPROTO_TCP:
      return checkTcp(view, start, end) === undefined && tcpChecksumIsValid(view, start, end, pseudoSum);
    case IPPROTO_UDP:
      return (
        checkUdp(view, start, end) === undefined &&
        udpChecksum(view, start) !== 0 &&
        udpChecksumIsValid(view, start, pseudoSum)
      );
    default:
      return false;
  }
}
