import test from 'ava';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import type { Wire } from '../../lib/capture/checks.ts';
import { drawFrame } from '../../lib/headers/draw.ts';
import { buildFrame, type FramePlan, overheadOf } from '../../lib/headers/frame.ts';
import { pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { ethernetDestination, ethernetSource } from '../../lib/wire/ethernet.ts';
import { ipv4Destination, ipv4Id, ipv4Source, ipv4Tos, ipv4Ttl, parseIpv4Header } from '../../lib/wire/ipv4.ts';
import { checkIpv6 } from '../../lib/wire/ipv6.ts';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../lib/wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../../lib/wire/layout/ipv6.ts';
import { UDP_HEADER } from '../../lib/wire/layout/udp.ts';
import { VXLAN_HEADER } from '../../lib/wire/layout/vxlan.ts';
import { udpChecksumIsValid, udpSourcePort } from '../../lib/wire/udp.ts';
import { readVector } from '../capture/vectors.ts';
import { toHex, viewOf } from '../wire/bytes.ts';

const VXLAN: Wire = { encapsulation: 'vxlan', port: 4789, vni: 1 };
const UDP: Wire = { encapsulation: 'ip-in-udp', port: 8285 };
const OUTER = ETHERNET_HEADER + IPV4_HEADER_MIN;

function planOf(frame: Uint8Array, wire: Wire): FramePlan {
  const view = viewOf(frame);
  return {
    wire,
    sourceMac: ethernetSource(view, 0),
    destinationMac: ethernetDestination(view, 0),
    source: ipv4Source(view, ETHERNET_HEADER),
    destination: ipv4Destination(view, ETHERNET_HEADER),
    sourcePort: udpSourcePort(view, OUTER),
    tos: ipv4Tos(view, ETHERNET_HEADER),
    ttl: ipv4Ttl(view, ETHERNET_HEADER),
    dontFragment: parseIpv4Header(view, ETHERNET_HEADER).dontFragment,
    outerId: ipv4Id(view, ETHERNET_HEADER),
  };
}

const ofVector = (wire: Wire): FramePlan => planOf(readVector('flanneld-udp/h1-underlay').packets[0]!.bytes, wire);

for (const [vector, wire, header] of [
  ['flanneld-vxlan/h1-underlay', VXLAN, UDP_HEADER + VXLAN_HEADER],
  ['flanneld-udp/h1-underlay', UDP, UDP_HEADER],
] as const)
  test(`what flanneld sent is built again from what is in it: ${vector}`, (t) => {
    for (const { bytes: frame } of readVector(vector).packets) {
      const built = buildFrame(planOf(frame, wire), frame.subarray(OUTER + header));
      // The capture was taken before the card made the UDP checksum.
      const withoutSum = (bytes: Uint8Array) =>
        toHex(bytes.slice()).slice(0, 2 * (OUTER + 6)) + toHex(bytes.slice(OUTER + 8));
      t.is(withoutSum(built), withoutSum(frame));
    }
  });

test('over IPv6 a frame has its length, its ports and a checksum that holds', (t) => {
  const [source, destination] = [parseIpv6('2001:db8::1')!, parseIpv6('2001:db8::2')!];
  const plan = { ...ofVector(VXLAN), source, destination, sourcePort: 50_000, ttl: 64 };
  const carried = Uint8Array.from({ length: 60 }, (_, i) => i);
  const frame = buildFrame(plan, carried);
  const view = viewOf(frame);
  t.is(frame.length, ETHERNET_HEADER + IPV6_HEADER + UDP_HEADER + VXLAN_HEADER + carried.length);
  t.is(checkIpv6(view, ETHERNET_HEADER, frame.length), undefined);
  const length = frame.length - ETHERNET_HEADER - IPV6_HEADER;
  t.true(
    udpChecksumIsValid(view, ETHERNET_HEADER + IPV6_HEADER, pseudoHeaderSum6(source, destination, IPPROTO_UDP, length)),
  );
  t.deepEqual(
    drawFrame(frame, VXLAN).map(({ name }) => name),
    ['Ethernet', 'IPv6', 'UDP', 'VXLAN', 'inner Ethernet'],
  );
});

test('of a packet that was cut short the lengths are those of the whole, without a checksum', (t) => {
  const plan = { ...ofVector(UDP), source: 0xc0000201, destination: 0xc0000202 };
  const fields = drawFrame(buildFrame(plan, new Uint8Array(20).fill(0x45), 1000), UDP);
  const value = (header: string, field: string) =>
    fields.find(({ name }) => name === header)!.fields.find(({ name }) => name === field)!.value;
  t.is(value('IPv4', 'length'), '1028');
  t.is(value('UDP', 'length'), '1008');
  t.is(value('UDP', 'checksum'), '0x0000');
});

test('overheads are the sums that docs/wire-formats.md names', (t) => {
  t.deepEqual(
    [UDP, VXLAN, { encapsulation: 'ipip' } as const, { encapsulation: 'none' } as const].map(overheadOf),
    [28, 50, 20, 0],
  );
});
