// What real flannelds with the udp backend sent, byte for byte. test/vectors/README.md tells where the captures come from and
// what the place of capture does to them: outer UDP checksums are partial, inner packets are whole.
import test from 'ava';
import { internetSum, pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { emitEthernetHeader, parseEthernetHeader } from '../../lib/wire/ethernet.ts';
import {
  checkIpv4,
  emitIpv4Header,
  ipv4ChecksumIsValid,
  ipv4Destination,
  ipv4Id,
  ipv4Source,
  ipv4TotalLength,
  ipv4Ttl,
  parseIpv4Header,
} from '../../lib/wire/ipv4.ts';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { IPV4_HEADER_MIN, IPV4_TTL } from '../../lib/wire/layout/ipv4.ts';
import { UDP_CHECKSUM, UDP_HEADER } from '../../lib/wire/layout/udp.ts';
import { printFrame, printPacket } from '../../lib/wire/print.ts';
import { checkUdp, emitUdpHeader, parseUdpHeader, udpChecksum, udpLength } from '../../lib/wire/udp.ts';
import { readVector } from '../capture/vectors.ts';
import { toHex, viewOf } from './bytes.ts';

const PORT = 8285;
const HOSTS = [
  { name: 'h1', publicIp: 0xc0000201, subnet: 0x0af41e00 }, // 192.0.2.1, 10.244.30.0/24
  { name: 'h2', publicIp: 0xc0000202, subnet: 0x0af46300 }, // 192.0.2.2, 10.244.99.0/24
] as const;
type Host = (typeof HOSTS)[number];

/** 14 Ethernet + 20 IPv4 + 8 UDP. */
const INNER = ETHERNET_HEADER + IPV4_HEADER_MIN + UDP_HEADER;

const underlay = (host: Host) => readVector(`flanneld-udp/${host.name}-underlay`).packets.map(({ bytes }) => bytes);
const overlay = (host: Host) => readVector(`flanneld-udp/${host.name}-overlay`).packets.map(({ bytes }) => bytes);

/** The inner packets of the frames that `host` sent, in order. */
function sentBy(host: Host, frames: readonly Uint8Array[]): Uint8Array[] {
  return frames
    .filter((frame) => ipv4Source(viewOf(frame), ETHERNET_HEADER) === host.publicIp)
    .map((frame) => frame.subarray(INNER));
}

const isIpv4 = (packet: Uint8Array): boolean => packet[0]! >>> 4 === 4;
const inSubnet = (address: number, subnet: number): boolean => (address & 0xffffff00) >>> 0 === subnet;
const fromSubnet = (packet: Uint8Array, subnet: number): boolean => inSubnet(ipv4Source(viewOf(packet), 0), subnet);
const toSubnet = (packet: Uint8Array, subnet: number): boolean => inSubnet(ipv4Destination(viewOf(packet), 0), subnet);

/** What a router does: one off the TTL, and a new header checksum. */
function routed(packet: Uint8Array): Uint8Array {
  const header = parseIpv4Header(viewOf(packet), 0);
  const copy = packet.slice();
  emitIpv4Header(viewOf(copy), 0, { ...header, ttl: header.ttl - 1 });
  return copy;
}

for (const host of HOSTS)
  test(`every frame on the underlay of ${host.name} is Ethernet, IPv4, UDP ${PORT}, and a whole inner packet`, (t) => {
    const frames = underlay(host);
    t.is(frames.length, 432);
    for (const frame of frames) {
      const view = viewOf(frame);
      const line = printFrame(frame);
      t.is(parseEthernetHeader(view, 0).type, 0x0800, line);
      t.is(checkIpv4(view, ETHERNET_HEADER, frame.length), undefined, line);
      t.true(ipv4ChecksumIsValid(view, ETHERNET_HEADER), line);
      t.is(ipv4TotalLength(view, ETHERNET_HEADER), frame.length - ETHERNET_HEADER, line);
      const udp = ETHERNET_HEADER + IPV4_HEADER_MIN;
      t.is(checkUdp(view, udp, frame.length), undefined, line);
      t.deepEqual(
        parseUdpHeader(view, udp),
        { sourcePort: PORT, destinationPort: PORT, length: frame.length - udp },
        line,
      );
      t.is(checkIpv4(view, INNER, frame.length), undefined, line);
      t.true(ipv4ChecksumIsValid(view, INNER), line);
      t.is(ipv4TotalLength(view, INNER), frame.length - INNER, line);
    }
  });

for (const host of HOSTS)
  test(`every inner packet of ${host.name} prints down to its payload with checksums finished`, (t) => {
    const packets = [...overlay(host), ...underlay(host).map((frame) => frame.subarray(INNER))];
    const kinds = new Map<string, number>();
    for (const packet of packets) {
      const line = printPacket(packet);
      t.notRegex(line, /truncated|wrong-version|bad-|too-many|protocol \d/);
      const kind = / \| (\w+)/.exec(line)?.[1] ?? 'none';
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    t.deepEqual([...kinds.keys()].sort(), ['ICMP', 'ICMPv6', 'TCP', 'UDP']);
  });

for (const host of HOSTS)
  test(`the outer UDP checksum on the underlay of ${host.name} is partial: the sum of the pseudo-header`, (t) => {
    for (const frame of underlay(host)) {
      const view = viewOf(frame);
      const udp = ETHERNET_HEADER + IPV4_HEADER_MIN;
      const pseudo = pseudoHeaderSum4(
        ipv4Source(view, ETHERNET_HEADER),
        ipv4Destination(view, ETHERNET_HEADER),
        IPPROTO_UDP,
        udpLength(view, udp),
      );
      t.is(udpChecksum(view, udp), pseudo);
    }
  });

test('both ends of the veth saw the same frames', (t) => {
  const [first, second] = HOSTS.map((host) => underlay(host).map(toHex).sort());
  t.deepEqual(first, second);
});

for (const [index, host] of HOSTS.entries()) {
  const peer = HOSTS[1 - index]!;

  test(`what ${host.name} sends is its overlay capture, one off the TTL`, (t) => {
    const handedToFlannel = overlay(host).filter((packet) => isIpv4(packet) && fromSubnet(packet, host.subnet));
    const routable = handedToFlannel.filter(
      (packet) => toSubnet(packet, peer.subnet) && ipv4Ttl(viewOf(packet), 0) > 1,
    );
    const sent = sentBy(host, underlay(host));
    t.is(sent.length, routable.length);
    for (const [at, packet] of routable.entries()) t.is(toHex(routed(packet)), toHex(sent[at]!), printPacket(packet));
  });

  test(`what ${host.name} delivers is what ${peer.name} sent, one more off the TTL`, (t) => {
    const delivered = overlay(host).filter((packet) => isIpv4(packet) && fromSubnet(packet, peer.subnet));
    const received = sentBy(peer, underlay(host));
    t.is(delivered.length, received.length);
    for (const [at, packet] of received.entries())
      t.is(toHex(routed(packet)), toHex(delivered[at]!), printPacket(packet));
  });

  test(`wrapping the overlay packets of ${host.name} in 28 bytes gives its frames, byte for byte`, (t) => {
    const frames = underlay(host).filter((frame) => ipv4Source(viewOf(frame), ETHERNET_HEADER) === host.publicIp);
    const routable = overlay(host).filter(
      (packet) => isIpv4(packet) && toSubnet(packet, peer.subnet) && ipv4Ttl(viewOf(packet), 0) > 1,
    );
    t.is(frames.length, routable.length);
    for (const [at, packet] of routable.entries())
      t.is(toHex(encapsulate(frames[at]!, routed(packet), host, peer)), toHex(frames[at]!));
  });
}

/**
 * A frame around `packet` as flanneld's socket and kernel made it. From `captured` come only the MAC addresses and the outer id,
 * which the kernel draws; TTL 64, DF and the partial checksum are what a plain UDP socket gets.
 */
function encapsulate(captured: Uint8Array, packet: Uint8Array, from: Host, to: Host): Uint8Array {
  const frame = new Uint8Array(INNER + packet.length).fill(0xa5);
  const view = viewOf(frame);
  emitEthernetHeader(view, 0, parseEthernetHeader(viewOf(captured), 0));
  emitIpv4Header(view, ETHERNET_HEADER, {
    tos: 0,
    totalLength: IPV4_HEADER_MIN + UDP_HEADER + packet.length,
    id: ipv4Id(viewOf(captured), ETHERNET_HEADER),
    reservedFlag: false,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: IPPROTO_UDP,
    source: from.publicIp,
    destination: to.publicIp,
    options: new Uint8Array(0),
  });
  const udp = ETHERNET_HEADER + IPV4_HEADER_MIN;
  const length = UDP_HEADER + packet.length;
  emitUdpHeader(view, udp, { sourcePort: PORT, destinationPort: PORT, length });
  view.setUint16(udp + UDP_CHECKSUM, pseudoHeaderSum4(from.publicIp, to.publicIp, IPPROTO_UDP, length));
  frame.set(packet, INNER);
  return frame;
}

test('flanneld left these of h1’s packets unsent: router solicitation, TTL 1, and a subnet nobody holds', (t) => {
  const [h1, h2] = HOSTS;
  const unsent = overlay(h1).filter(
    (packet) =>
      !isIpv4(packet) ||
      (fromSubnet(packet, h1.subnet) && (!toSubnet(packet, h2.subnet) || ipv4Ttl(viewOf(packet), 0) <= 1)),
  );
  t.deepEqual(
    unsent.map((packet) =>
      printPacket(packet)
        .replace(/ id \d+ seq \d+/, '')
        .replace(/ id \d+/, ''),
    ),
    [
      'IPv4 10.244.30.2 > 10.244.99.2 ttl 1 DF | ICMP echo request | 56 bytes',
      'IPv4 10.244.30.2 > 10.244.99.2 ttl 1 DF | ICMP echo request | 56 bytes',
      'IPv6 fe80::923:71c0:1fde:58f7 > ff02::2 hop-limit 255 | ICMPv6 type 133 code 0',
      'IPv4 10.244.30.2 > 10.244.250.2 ttl 63 DF | ICMP echo request | 56 bytes',
    ],
  );
});

test('the patched header checksum equals the one RFC 1624 computes from the old one', (t) => {
  for (const packet of sentBy(HOSTS[0], underlay(HOSTS[0]))) {
    const view = viewOf(packet);
    const after = viewOf(routed(packet));
    // The word that holds TTL and protocol went down by 0x0100; eqn. 3: HC' = ~(~HC + ~m + m').
    const old = view.getUint16(IPV4_TTL);
    let sum = (~view.getUint16(10) & 0xffff) + (~old & 0xffff) + (old - 0x100);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    t.is(after.getUint16(10), ~sum & 0xffff);
    t.is(internetSum(after, 0, IPV4_HEADER_MIN), 0xffff);
  }
});
