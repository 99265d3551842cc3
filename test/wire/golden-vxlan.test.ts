// What the kernel's VXLAN device made under flanneld, byte for byte. test/vectors/README.md
import test from 'ava';
import { pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { checkEthernet, ethernetSource, ethernetType } from '../../lib/wire/ethernet.ts';
import {
  checkIpv4,
  ipv4Destination,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from '../../lib/wire/ipv4.ts';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../lib/wire/layout/ipv4.ts';
import { UDP_HEADER } from '../../lib/wire/layout/udp.ts';
import { VXLAN_HEADER } from '../../lib/wire/layout/vxlan.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { tcpChecksum } from '../../lib/wire/tcp.ts';
import { checkUdp, udpChecksum, udpDestinationPort } from '../../lib/wire/udp.ts';
import { checkVxlan, emitVxlanHeader, parseVxlanHeader } from '../../lib/wire/vxlan.ts';
import { readVector } from '../capture/vectors.ts';
import { toHex, viewOf } from './bytes.ts';

const UDP = ETHERNET_HEADER + IPV4_HEADER_MIN;
const VXLAN = UDP + UDP_HEADER;
const INNER = VXLAN + VXLAN_HEADER;
// VtepMAC of the two leases in test/vectors/etcd/flanneld-vxlan.json.
const VTEPS = [0xae276f579087, 0x766bd964b440];

const underlay = readVector('flanneld-vxlan/h1-underlay').packets.map(({ bytes }) => bytes);
const overlay = readVector('flanneld-vxlan/h1-overlay').packets.map(({ bytes }) => bytes);

test('every frame on the underlay is UDP 4789 with VNI 1 and a whole inner frame', (t) => {
  t.is(underlay.length, 179);
  for (const frame of underlay) {
    const view = viewOf(frame);
    const line = printFrame(frame);
    t.is(checkIpv4(view, ETHERNET_HEADER, frame.length), undefined, line);
    t.is(checkUdp(view, UDP, frame.length), undefined, line);
    t.is(udpDestinationPort(view, UDP), 4789, line);
    t.is(checkVxlan(view, VXLAN, frame.length), undefined, line);
    t.deepEqual(parseVxlanHeader(view, VXLAN), { vni: 1 }, line);
    t.is(checkEthernet(view, INNER, frame.length), undefined, line);
    t.true(VTEPS.includes(ethernetSource(view, INNER)), line);
    t.notRegex(line, /truncated|wrong-version|bad-length|bad-header|bad-flags|protocol \d/);
  }
});

test('the header we emit is the one the kernel writes', (t) => {
  const header = new Uint8Array(VXLAN_HEADER).fill(0xa5);
  emitVxlanHeader(viewOf(header), 0, { vni: 1 });
  for (const frame of underlay) t.is(toHex(frame.subarray(VXLAN, INNER)), toHex(header));
});

for (const vtep of VTEPS)
  test(`the inner frames of ${vtep.toString(16)} are those of the overlay capture, in order, byte for byte`, (t) => {
    const inner = underlay.map((frame) => frame.subarray(INNER));
    const from = (frames: readonly Uint8Array[]) =>
      frames.filter((frame) => ethernetSource(viewOf(frame), 0) === vtep).map(toHex);
    t.true(from(overlay).length > 50);
    t.deepEqual(from(inner), from(overlay));
  });

test('TCP super-packets cross the veth uncut, with partial checksums', (t) => {
  let superPackets = 0;
  for (const frame of overlay) {
    const view = viewOf(frame);
    if (ethernetType(view, 0) !== 0x0800) continue;
    const protocol = ipv4Protocol(view, ETHERNET_HEADER);
    if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) continue;
    const transport = ETHERNET_HEADER + ipv4HeaderLength(view, ETHERNET_HEADER);
    const length = ETHERNET_HEADER + ipv4TotalLength(view, ETHERNET_HEADER) - transport;
    const pseudo = pseudoHeaderSum4(
      ipv4Source(view, ETHERNET_HEADER),
      ipv4Destination(view, ETHERNET_HEADER),
      protocol,
      length,
    );
    t.is(
      protocol === IPPROTO_TCP ? tcpChecksum(view, transport) : udpChecksum(view, transport),
      pseudo,
      printFrame(frame),
    );
    if (frame.length > 1514) superPackets++;
  }
  t.is(superPackets, 10);
});
