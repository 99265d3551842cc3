/** Checks one captured underlay frame of the udp backend, header by header, against what it has to be. */
import type { Ipv4 } from '../addr/ipv4.ts';
import { foldSum, pseudoHeaderSum4 } from '../wire/checksum.ts';
import { checkEthernet, ethernetType } from '../wire/ethernet.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4 } from '../wire/ethernet-layout.ts';
import { checkIcmp, icmpChecksumIsValid } from '../wire/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../wire/ip-layout.ts';
import {
  checkIpv4,
  ipv4ChecksumIsValid,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import { checkTcp, tcpChecksumIsValid } from '../wire/tcp.ts';
import {
  checkUdp,
  udpChecksum,
  udpChecksumIsValid,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../wire/udp.ts';
import { UDP_HEADER } from '../wire/udp-layout.ts';

/** Every check, in the order of the headers, and what it says when it holds. */
export const CHECKS = {
  'outer-ipv4': 'outer IPv4 header whole, checksum right, no fragment',
  'outer-addresses': "from one host's address to the other's",
  'outer-ports': 'UDP from the backend port to the backend port',
  'outer-length': 'outer UDP length fills the IP packet',
  'outer-checksum': 'outer UDP checksum right, or left to the NIC by checksum offload',
  'inner-ipv4': 'inner IPv4 header whole, checksum right, fills the datagram',
  'inner-addresses': "from the sending host's pod to the other pod",
  'inner-ttl': 'inner TTL 62: 64 less one each for the host and the encapsulation',
  'inner-checksum': 'inner ICMP, TCP or UDP checksum right',
} as const;
export type CheckName = keyof typeof CHECKS;

export interface InspectedHost {
  readonly publicIp: Ipv4;
  readonly pod: Ipv4;
}

export interface Expectation {
  readonly hosts: readonly [InspectedHost, InspectedHost];
  /** UDP port of the backend. */
  readonly port: number;
  readonly innerTtl: number;
}

/**
 * right, none (0: the sender computed none), wrong; offloaded: it holds the sum of the pseudo-header, which the NIC would
 * have completed. A veth never does.
 */
export type OuterChecksum = 'right' | 'offloaded' | 'none' | 'wrong';

export interface Inspection {
  /** The checks that failed; empty is good. */
  readonly failed: ReadonlySet<CheckName>;
  readonly outerChecksum: OuterChecksum | undefined;
  /** Protocol number of each inner packet. More than one: a train that was captured before the kernel cut it. */
  readonly innerProtocols: readonly number[];
}

/** Looks at a whole Ethernet frame. Nothing in it makes this throw. */
export function inspectFrame(frame: Uint8Array, expected: Expectation): Inspection {
  const inspector = new Inspector(frame, expected);
  inspector.outer();
  return inspector;
}

class Inspector implements Inspection {
  readonly failed = new Set<CheckName>();
  readonly innerProtocols: number[] = [];
  outerChecksum: OuterChecksum | undefined;
  readonly #view: DataView;
  readonly #expected: Expectation;

  constructor(frame: Uint8Array, expected: Expectation) {
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    this.#expected = expected;
  }

  outer(): void {
    const view = this.#view;
    const end = view.byteLength;
    const isIpv4 = checkEthernet(view, 0, end) === undefined && ethernetType(view, 0) === ETHERTYPE_IPV4;
    const ip = ETHERNET_HEADER;
    if (!isIpv4 || !this.#isWholeIpv4(ip, end) || ipv4Protocol(view, ip) !== IPPROTO_UDP) {
      this.failed.add('outer-ipv4');
      return;
    }
    const source = ipv4Source(view, ip);
    const destination = ipv4Destination(view, ip);
    const { hosts, port } = this.#expected;
    const sender = hosts.findIndex(({ publicIp }) => publicIp === source);
    const [from, to] = sender === 1 ? [hosts[1], hosts[0]] : hosts;
    this.#expect('outer-addresses', sender >= 0 && destination === to.publicIp);

    const udp = ip + ipv4HeaderLength(view, ip);
    const ipEnd = ip + ipv4TotalLength(view, ip);
    if (checkUdp(view, udp, ipEnd) !== undefined) {
      this.failed.add('outer-length');
      return;
    }
    this.#expect('outer-length', udp + udpLength(view, udp) === ipEnd);
    this.#expect('outer-ports', udpSourcePort(view, udp) === port && udpDestinationPort(view, udp) === port);
    const pseudoSum = pseudoHeaderSum4(source, destination, IPPROTO_UDP, udpLength(view, udp));
    this.outerChecksum = judgeOuterChecksum(view, udp, pseudoSum);
    this.#expect('outer-checksum', this.outerChecksum === 'right' || this.outerChecksum === 'offloaded');
    this.#train(udp + UDP_HEADER, udp + udpLength(view, udp), from, to);
  }

  /** One inner packet after the other until the payload ends; on the wire it is one. */
  #train(start: number, end: number, from: InspectedHost, to: InspectedHost): void {
    let at = start;
    do {
      if (!this.#isWholeIpv4(at, end)) {
        this.failed.add('inner-ipv4');
        return;
      }
      this.#inner(at, from, to);
      at += ipv4TotalLength(this.#view, at);
    } while (at < end);
  }

  #inner(ip: number, from: InspectedHost, to: InspectedHost): void {
    const view = this.#view;
    const source = ipv4Source(view, ip);
    const destination = ipv4Destination(view, ip);
    const protocol = ipv4Protocol(view, ip);
    this.innerProtocols.push(protocol);
    this.#expect('inner-addresses', source === from.pod && destination === to.pod);
    this.#expect('inner-ttl', ipv4Ttl(view, ip) === this.#expected.innerTtl);
    const start = ip + ipv4HeaderLength(view, ip);
    const end = ip + ipv4TotalLength(view, ip);
    const pseudoSum = pseudoHeaderSum4(source, destination, protocol, end - start);
    this.#expect('inner-checksum', isTransportRight(view, protocol, start, end, pseudoSum));
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
