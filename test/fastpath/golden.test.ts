/** The fast path against what real flannelds put on the wire: test/vectors/README.md. */
import test from 'ava';
import { readVector } from '../capture/vectors.ts';
import { Harness } from './harness.ts';
import { frame } from './packets.ts';

/** 14 Ethernet + 20 IPv4 + 8 UDP. */
const INNER = 14 + 20 + 8;
const HOSTS = [
  { name: 'h1', publicIp: 0xc0000201, subnet: '10.244.30.0/24', base: 0x0af41e00 },
  { name: 'h2', publicIp: 0xc0000202, subnet: '10.244.99.0/24', base: 0x0af46300 },
] as const;

const address = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
const isIpv4 = (packet: Uint8Array): boolean => packet[0]! >> 4 === 4;
const comesFrom = (packet: Uint8Array, base: number): boolean => (address(packet, 12) & 0xffffff00) >>> 0 === base;
const goesTo = (packet: Uint8Array, base: number): boolean => (address(packet, 16) & 0xffffff00) >>> 0 === base;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

for (const [index, host] of HOSTS.entries()) {
  const peer = HOSTS[1 - index]!;
  const harness = () =>
    new Harness({ own4: host.subnet, peers: [{ publicIp: peer.publicIp, prefixes: [peer.subnet] }] });
  const overlay = readVector(`flanneld-udp/${host.name}-overlay`).packets.map(({ bytes }) => bytes);
  const underlay = readVector(`flanneld-udp/${host.name}-underlay`).packets.map(({ bytes }) => bytes);
  const payloadsFrom = (publicIp: number) =>
    underlay.filter((bytes) => address(bytes, 26) === publicIp).map((bytes) => bytes.subarray(INNER));

  test(`encap on ${host.name}: the datagrams flanneld sent, byte for byte`, (t) => {
    const handed = overlay.filter(
      (packet) => isIpv4(packet) && comesFrom(packet, host.base) && goesTo(packet, peer.base),
    );
    const { datagrams } = harness().outbound(handed.map((packet) => frame(packet)));
    t.deepEqual(
      datagrams.map(({ bytes }) => hex(bytes)),
      payloadsFrom(host.publicIp).map(hex),
    );
    t.true(datagrams.length > 100);
  });

  test(`decap on ${host.name}: the packets flanneld delivered, byte for byte`, (t) => {
    const delivered = overlay.filter((packet) => isIpv4(packet) && comesFrom(packet, peer.base));
    const node = new Harness({
      own4: host.subnet,
      peers: [{ publicIp: peer.publicIp, prefixes: [peer.subnet] }],
      tunGro: false,
      tunUso: false,
    });
    const { writes, drops } = node.inbound(
      payloadsFrom(peer.publicIp).map((bytes) => ({ outerSource: peer.publicIp, bytes })),
    );
    t.deepEqual(
      writes.map(({ packet }) => hex(packet)),
      delivered.map(hex),
    );
    t.deepEqual(drops, []);
  });
}

test('every packet in the overlay captures gets a verdict: forwarded, or one counted reason', (t) => {
  const host = HOSTS[0];
  const harness = new Harness({
    own4: host.subnet,
    peers: [{ publicIp: HOSTS[1].publicIp, prefixes: [HOSTS[1].subnet] }],
  });
  const packets = readVector('flanneld-udp/h1-overlay').packets.map(({ bytes }) => bytes);
  const { datagrams, drops } = harness.outbound(packets.map((packet) => frame(packet)));
  t.is(datagrams.length + drops.length, packets.length);
});
