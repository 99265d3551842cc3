// The VXLAN twin against the kernel's VXLAN device under flanneld: test/vectors/README.md.
import test from 'ava';
import { ethernetDestination, ethernetSource } from '../../lib/wire/ethernet.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { concat, hex, toHex, viewOf } from '../wire/bytes.ts';
import { finishTransport } from './checksum.ts';
import { withFinishedChecksum } from './partial.ts';
import { type TwinSegment, type TwinVxlanConfig, twinVxlanInbound, twinVxlanOutbound } from './tap-twin.ts';
import { GSO_TCPV4, NEEDS_CSUM, PLAIN, withVnetHeader } from './vnet-header.ts';
import { prefixes, stateOf } from './vxlan-fixture.ts';

const H1 = 0xae276f579087;
const H2 = 0x766bd964b440;
const H1_SEGMENT: TwinSegment = {
  vni: 1,
  family: 4,
  mac: H1,
  learning: false,
  own: prefixes('10.244.15.0/24'),
  peers: [{ address: 0xc0000202, mac: H2, prefixes: prefixes('10.244.62.0/24') }],
};
const FLANNEL: TwinVxlanConfig = { segments: [H1_SEGMENT], sourceCheck: true, dscp: 0 };

const overlay = readVector('flanneld-vxlan/h1-overlay').packets.map(({ bytes }) => bytes);
const underlay = readVector('flanneld-vxlan/h1-underlay').packets.map(({ bytes }) => bytes);
const from = (frames: readonly Uint8Array[], mac: number) =>
  frames.filter((frame) => ethernetSource(viewOf(frame), 0) === mac && ethernetDestination(viewOf(frame), 0) !== mac);
/** Behind 14 bytes of Ethernet, 20 of IPv4 and 8 of UDP; the outer source ends the same as the host's number. */
const datagramsOf = (host: number) => underlay.filter((frame) => frame[29] === host);
const payloadsOf = (host: number) => datagramsOf(host).map((frame) => frame.subarray(42));

test('outbound: sends what flanneld’s kernel sent, byte for byte, with its outer TOS', (t) => {
  const frames = from(overlay, H1).filter((frame) => ethernetDestination(viewOf(frame), 0) === H2);
  const read = frames.map((frame) => withVnetHeader(PLAIN, frame));
  const result = twinVxlanOutbound(FLANNEL, H1_SEGMENT, stateOf(), read);
  t.true(frames.length > 50);
  t.deepEqual(
    result.datagrams.map(({ bytes }) => toHex(bytes)),
    payloadsOf(1).map(toHex),
  );
  t.deepEqual(
    result.datagrams.map(({ tos }) => tos),
    datagramsOf(1).map((frame) => frame[15]!),
  );
  t.deepEqual(result.drops, []);
});

test('inbound: delivers what flanneld’s kernel delivered, with the checksums that its veth left unfinished', (t) => {
  const datagrams = datagramsOf(2).map((frame) => ({
    outerFamily: 4 as const,
    outerSource: 0xc0000202,
    outerTos: frame[15]!,
    bytes: frame.subarray(42),
  }));
  const result = twinVxlanInbound(FLANNEL, stateOf(), datagrams);
  t.true(datagrams.length > 50);
  t.deepEqual(
    result.frames.map(({ bytes }) => toHex(bytes)),
    from(overlay, H2).map((frame) => toHex(concat(frame.subarray(0, 14), withFinishedChecksum(frame.slice(14))))),
  );
  t.deepEqual(result.drops, []);
});

test('outbound: finishes the checksums that flanneld’s kernel left partial', (t) => {
  const frames = from(overlay, H1).filter((frame) => [6, 17].includes(frame[23]!) && frame.length <= 1464);
  t.true(frames.length > 50);
  for (const frame of frames) {
    const tcp = frame[23] === 6;
    const vnet = { ...PLAIN, flags: NEEDS_CSUM, csumStart: 34, csumOffset: tcp ? 16 : 6 };
    const { datagrams } = twinVxlanOutbound(FLANNEL, H1_SEGMENT, stateOf(), [withVnetHeader(vnet, frame)]);
    const packet = frame.slice(14);
    finishTransport(packet, tcp ? 6 : 17, 20, tcp ? 16 : 6);
    t.is(toHex(datagrams[0]!.bytes), toHex(concat(hex('08000000 00000100'), frame.subarray(0, 14), packet)));
    t.notRegex(printFrame(datagrams[0]!.bytes.subarray(8)), /bad-checksum/);
  }
});

test('outbound: cuts the super-packets that crossed flanneld’s veth whole, and nothing of the flow is lost', (t) => {
  const frames = from(overlay, H1).filter((frame) => frame[23] === 6 && frame.length > 1464);
  t.true(frames.length > 3);
  const gsoSize = 1450 - 20 - 32;
  for (const frame of frames) {
    const vnet = { flags: NEEDS_CSUM, gsoType: GSO_TCPV4, hdrLen: 66, gsoSize, csumStart: 34, csumOffset: 16 };
    const { datagrams, drops } = twinVxlanOutbound(FLANNEL, H1_SEGMENT, stateOf(), [withVnetHeader(vnet, frame)]);
    t.deepEqual(drops, []);
    t.is(datagrams.length, Math.ceil((frame.length - 66) / gsoSize));
    const inner = datagrams.map(({ bytes }) => bytes.subarray(8));
    t.true(inner.every((one) => one.length <= 1464 && toHex(one.subarray(0, 14)) === toHex(frame.subarray(0, 14))));
    t.true(inner.every((one) => !/bad-checksum/.test(printFrame(one))));
    t.is(toHex(concat(...inner.map((one) => one.subarray(66)))), toHex(frame.subarray(66)));
  }
});
