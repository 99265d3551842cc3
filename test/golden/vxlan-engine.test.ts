// The twin itself against the kernel's VXLAN device under flanneld (test/vectors/README.md), and rule by rule.
import test from 'ava';
import { parsePrefix } from '../../lib/addr/prefix.ts';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import type { KnownNeighbor } from '../../lib/dataplane/neighbors.ts';
import { ethernetDestination, ethernetSource } from '../../lib/wire/ethernet.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { concat, hex, toHex, viewOf } from '../wire/bytes.ts';
import { finishTransport } from './checksum.ts';
import { Dice } from './dice.ts';
import { withTos } from './ecn.ts';
import { withFinishedChecksum } from './partial.ts';
import { BROADCAST, buildArp, buildFrame } from './random-ethernet.ts';
import { buildTcp, buildUdp, type IpFields, NO_EXTENSIONS } from './random-packets.ts';
import { behindVxlan } from './random-vxlan-datagrams.ts';
import { GSO_TCPV4, GSO_UDP_L4, NEEDS_CSUM, PLAIN, withVnetHeader } from './vnet-header.ts';
import {
  type TwinSegment,
  type TwinVxlanConfig,
  type TwinVxlanState,
  twinVxlanInbound,
  twinVxlanOutbound,
  type VxlanDatagram,
} from './vxlan-engine.ts';
import { SlowFdb } from './vxlan-fdb.ts';

const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text)!);
const dice = new Dice(1);

function stateOf(change: Partial<TwinVxlanState> = {}): TwinVxlanState {
  return { fdb: new SlowFdb(), now: 1000, mayFlood: () => true, neighbors: () => undefined, ...change };
}

// --- What flanneld's kernel did ---

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

// --- Rule by rule ---

const OWN = 0x020000000001;
const PEER = 0x020000000002;
const OTHER = 0x020000000003;
const POD = 0x0a5800000001;
const LOCAL_POD = 0x0a58000000ff;
const AT_PEER = 0xc0000202;
const AT_OTHER = 0xc0000203;

const ROUTED: TwinSegment = {
  vni: 1,
  family: 4,
  mac: OWN,
  learning: false,
  own: prefixes('10.244.1.0/24', 'fd00:0:0:1::/64'),
  peers: [
    { address: AT_PEER, mac: PEER, prefixes: prefixes('10.244.2.0/24', 'fd00:0:0:2::/64') },
    { address: AT_OTHER, mac: OTHER, prefixes: prefixes('10.244.3.0/24', '10.244.2.128/28') },
  ],
};
const BRIDGED: TwinSegment = { ...ROUTED, vni: 2, learning: true };
const OVER6: TwinSegment = {
  ...ROUTED,
  family: 6,
  peers: [{ address: 2n ** 125n, mac: PEER, prefixes: prefixes('10.244.2.0/24') }],
};
const CONFIG: TwinVxlanConfig = { segments: [ROUTED, BRIDGED, OVER6], sourceCheck: true, dscp: 0 };

const V4: IpFields = {
  source: 0x0af40105,
  destination: 0x0af40205,
  ttl: 1,
  tos: 0,
  id: 7,
  dontFragment: true,
  options: new Uint8Array(0),
  flowLabel: 0,
  extensions: NO_EXTENSIONS,
};
const V6: IpFields = {
  ...V4,
  source: (0xfdn << 120n) + (1n << 64n) + 5n,
  destination: (0xfdn << 120n) + (2n << 64n) + 5n,
};
const PORTS = { sourcePort: 1, destinationPort: 2 };
const udp = (ip: IpFields, length = 8) => buildUdp(ip, PORTS, dice.bytes(length), 'finished').packet;
const TO_PEER = { destination: PEER, source: OWN };
const plain = (frame: Uint8Array) => withVnetHeader(PLAIN, frame);

const ANY: readonly (readonly [name: string, frame: Uint8Array, routed: string, bridged: string])[] = [
  ['to a peer’s device', plain(buildFrame(TO_PEER, 0x0800, udp(V4))), 'peer 0', 'peer 0'],
  ['to the other peer’s', plain(buildFrame({ ...TO_PEER, destination: OTHER }, 0x86dd, udp(V6))), 'peer 1', 'peer 1'],
  ['that is no packet, to a peer', plain(buildFrame(TO_PEER, 0x88cc, hex('0102'))), 'peer 0', 'peer 0'],
  ['of 14 bytes, to a peer', plain(buildFrame(TO_PEER, 0x0800, hex(''))), 'peer 0', 'peer 0'],
  ['with a broken IP header, to a peer', plain(buildFrame(TO_PEER, 0x0800, hex('4500'))), 'peer 0', 'peer 0'],
  ['with three tags', plain(buildFrame(TO_PEER, 0x8100, hex('0003 0800'), [1, 2])), 'peer 0', 'peer 0'],
  ['to nobody known', plain(buildFrame({ ...TO_PEER, destination: POD }, 0x0800, udp(V4))), 'no-fdb-entry', 'flood'],
  ['to ourselves', plain(buildFrame({ ...TO_PEER, destination: OWN }, 0x0800, udp(V4))), 'no-fdb-entry', 'flood'],
  ['to all', plain(buildFrame({ ...TO_PEER, destination: BROADCAST }, 0x0800, udp(V4))), 'multicast', 'flood'],
  ['to ff02::1', plain(buildFrame({ ...TO_PEER, destination: 0x333300000001 }, 0x86dd, udp(V6))), 'multicast', 'flood'],
  [
    'with a question for an unknown address',
    plain(buildArp({ ...TO_PEER, destination: BROADCAST }, 1, 5, 6)),
    'multicast',
    'flood',
  ],
  [
    'with a question of somebody else',
    plain(buildArp({ ...TO_PEER, destination: BROADCAST }, 1, 5, 6).with(27, 9)),
    'bad-neighbor-message',
    'bad-neighbor-message',
  ],
  [
    'from all',
    plain(buildFrame({ ...TO_PEER, source: BROADCAST }, 0x0800, udp(V4))),
    'bad-source-mac',
    'bad-source-mac',
  ],
  [
    'from a multicast address, to all',
    plain(buildFrame({ source: 0x01005e000001, destination: BROADCAST }, 0x0800, udp(V4))),
    'bad-source-mac',
    'bad-source-mac',
  ],
  ['from 0', plain(buildFrame({ ...TO_PEER, source: 0 }, 0x0800, udp(V4))), 'bad-source-mac', 'bad-source-mac'],
  ['from a pod', plain(buildFrame({ ...TO_PEER, source: LOCAL_POD }, 0x0800, udp(V4))), 'peer 0', 'peer 0'],
  ['of 13 bytes', plain(new Uint8Array(13)), 'truncated', 'truncated'],
  ['that is no frame', new Uint8Array(9), 'truncated', 'truncated'],
  [
    'with an offload header that asks for a checksum, not IP',
    withVnetHeader(
      { ...PLAIN, flags: NEEDS_CSUM, csumStart: 14, csumOffset: 0 },
      buildFrame(TO_PEER, 0x88cc, hex('010203')),
    ),
    'bad-offload-header',
    'bad-offload-header',
  ],
  [
    'with a checksum inside the Ethernet header',
    withVnetHeader({ ...PLAIN, flags: NEEDS_CSUM, csumStart: 6, csumOffset: 6 }, buildFrame(TO_PEER, 0x0800, udp(V4))),
    'bad-offload-header',
    'bad-offload-header',
  ],
  [
    'that is a super-packet of another family than it says',
    withVnetHeader(
      { flags: NEEDS_CSUM, gsoType: GSO_TCPV4, hdrLen: 0, gsoSize: 100, csumStart: 54, csumOffset: 16 },
      buildFrame(TO_PEER, 0x86dd, udp(V6)),
    ),
    'bad-offload-header',
    'bad-offload-header',
  ],
  ['of 65,500 bytes', plain(buildFrame(TO_PEER, 0x88cc, new Uint8Array(65_486))), 'too-big', 'too-big'],
  ['of 65,499 bytes', plain(buildFrame(TO_PEER, 0x88cc, new Uint8Array(65_485))), 'peer 0', 'peer 0'],
];

for (const [name, frame, routed, bridged] of ANY)
  for (const [segment, verdict] of [
    [ROUTED, routed],
    [BRIDGED, bridged],
  ] as const)
    test(`outbound, ${segment.learning ? 'learning' : 'leases only'}: a frame ${name}: ${verdict}`, (t) => {
      const before = frame.slice();
      const { datagrams, tapWrites, drops } = twinVxlanOutbound(CONFIG, segment, stateOf(), [frame]);
      const peers = datagrams.map(({ peer }) => peer);
      t.is(drops[0] ?? (peers.length > 1 ? 'flood' : `peer ${peers[0]}`), verdict as DropReason);
      t.deepEqual(peers, verdict === 'flood' ? [0, 1] : verdict.startsWith('peer') ? [Number(verdict.slice(5))] : []);
      t.is(tapWrites.length, 0);
      const wanted = concat(hex(`08000000 00000${segment.vni}00`), frame.subarray(10));
      for (const { bytes } of datagrams) t.is(toHex(bytes), toHex(wanted), 'the frame is carried as it is');
      t.deepEqual(frame, before, 'the frame given is left alone');
    });

test('outbound: a question for a known address is answered in both kinds of segment, and not sent', (t) => {
  const question = buildArp({ source: OWN, destination: BROADCAST }, 1, 0x0af40100, 0x0af40200);
  const known: KnownNeighbor = { mac: PEER, router: true };
  for (const segment of [ROUTED, BRIDGED]) {
    const result = twinVxlanOutbound(CONFIG, segment, stateOf({ neighbors: () => known }), [plain(question)]);
    t.deepEqual(
      result.tapWrites.map((frame) => printFrame(frame)),
      ['Ethernet 02:00:00:00:00:02 > 02:00:00:00:00:01 ARP | ARP 10.244.2.0 is at 02:00:00:00:00:02'],
    );
    t.is(result.datagrams.length + result.drops.length, 0);
  }
});

test('outbound: the storm limiter is asked once for each frame that is to be flooded, and for no other', (t) => {
  let asked = 0;
  const state = stateOf({ mayFlood: () => ++asked % 2 === 1 });
  const flood = plain(buildFrame({ ...TO_PEER, destination: BROADCAST }, 0x0800, udp(V4)));
  const one = plain(buildFrame(TO_PEER, 0x0800, udp(V4)));
  const { datagrams, drops } = twinVxlanOutbound(CONFIG, BRIDGED, state, [flood, one, flood, one, flood]);
  t.is(asked, 3);
  t.deepEqual(drops, ['storm-limited']);
  t.deepEqual(
    datagrams.map(({ peer }) => peer),
    [0, 1, 0, 0, 0, 1],
  );
});

test('outbound: without peers a flood goes nowhere, and the limiter is not asked', (t) => {
  const lonely = { ...BRIDGED, peers: [] };
  const state = stateOf({ mayFlood: () => t.fail() });
  const frames = [BROADCAST, POD].map((destination) => plain(buildFrame({ ...TO_PEER, destination }, 0x0800, udp(V4))));
  t.deepEqual(twinVxlanOutbound(CONFIG, lonely, state, frames).drops, ['no-fdb-entry', 'no-fdb-entry']);
});

for (const tags of [[], [5], [5, 6]])
  test(`outbound: a super-packet behind ${tags.length} tags is cut, each part behind the same Ethernet header`, (t) => {
    const built = buildUdp(V4, PORTS, dice.bytes(25), 'partial');
    const header = 14 + 4 * tags.length;
    const vnet = {
      flags: NEEDS_CSUM,
      gsoType: GSO_UDP_L4,
      hdrLen: 0,
      gsoSize: 10,
      csumStart: header + 20,
      csumOffset: 6,
    };
    const frame = buildFrame(TO_PEER, 0x0800, built.packet, tags);
    // What lies behind the packet of a super-packet is nobody's.
    const read = withVnetHeader(vnet, concat(frame, hex('ffff')));
    const { datagrams } = twinVxlanOutbound(CONFIG, ROUTED, stateOf(), [read]);
    t.deepEqual(
      datagrams.map(({ bytes }) => printFrame(concat(bytes.subarray(8, 20), bytes.subarray(8 + header - 2)))),
      [10, 10, 5].map(
        (length, index) =>
          `Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 IPv4 | IPv4 10.244.1.5 > 10.244.2.5 ttl 1 id ${7 + index} DF | ` +
          `UDP 1 > 2 length ${8 + length} | ${length} bytes`,
      ),
    );
    for (const { bytes } of datagrams)
      t.is(toHex(bytes.subarray(0, 8 + header)), toHex(concat(hex('0800000000000100'), frame.subarray(0, header))));
  });

test('outbound: padding stays, and does not count for a checksum that is finished', (t) => {
  const built = buildTcp(
    { ...V4, ttl: 64 },
    { ...PORTS, sequence: 1, acknowledgment: 1, flags: 16, window: 9, options: hex('') },
    hex('00'),
    'partial',
  );
  const vnet = { ...PLAIN, flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 };
  const frame = concat(buildFrame(TO_PEER, 0x0800, built.packet), hex('a1a2a3'));
  const { datagrams } = twinVxlanOutbound(CONFIG, ROUTED, stateOf(), [withVnetHeader(vnet, frame)]);
  const sent = datagrams[0]!.bytes.subarray(8);
  t.is(toHex(sent.subarray(-3)), 'a1 a2 a3');
  t.notRegex(printFrame(sent.subarray(0, -3)), /bad-checksum/);
});

const OUTER_TOS: readonly (readonly [name: string, dscp: number | 'inherit', frame: Uint8Array, tos: number])[] = [
  ['copies ECN, not DSCP', 0, buildFrame(TO_PEER, 0x0800, udp({ ...V4, tos: 0xba })), 0x02],
  ['copies CE', 0, buildFrame(TO_PEER, 0x86dd, udp({ ...V6, tos: 0x03 })), 0x03],
  ['inherits both', 'inherit', buildFrame(TO_PEER, 0x86dd, udp({ ...V6, tos: 0xba })), 0xba],
  ['looks behind a tag', 'inherit', buildFrame(TO_PEER, 0x0800, udp({ ...V4, tos: 0xb9 }), [5]), 0xb9],
  ['sets DSCP 46', 46, buildFrame(TO_PEER, 0x0800, udp({ ...V4, tos: 0x01 })), 0xb9],
  ['sets DSCP 46 on what is not IP', 46, buildFrame(TO_PEER, 0x88cc, hex('03')), 0xb8],
  ['inherits nothing from what is not IP', 'inherit', buildFrame(TO_PEER, 0x0806, udp({ ...V4, tos: 0xff })), 0],
  [
    'inherits nothing from a broken packet',
    'inherit',
    buildFrame(TO_PEER, 0x0800, udp({ ...V4, tos: 0xff }).with(10, 0)),
    0,
  ],
];

for (const [name, dscp, frame, tos] of OUTER_TOS)
  test(`outbound: the outer TOS octet ${name}`, (t) => {
    const { datagrams } = twinVxlanOutbound({ ...CONFIG, dscp }, ROUTED, stateOf(), [plain(frame)]);
    t.deepEqual(
      datagrams.map((datagram) => datagram.tos),
      [tos],
    );
  });

// --- Inbound ---

const TO_US = { source: PEER, destination: OWN };
const TO_POD = { source: POD, destination: LOCAL_POD };
const IN4: IpFields = { ...V4, source: V4.destination, destination: V4.source };
const IN6: IpFields = { ...V6, source: V6.destination, destination: V6.source };
const arrives = (frame: Uint8Array, vni = 1, outerSource: number | bigint = AT_PEER, outerTos = 0): VxlanDatagram => ({
  outerFamily: typeof outerSource === 'bigint' ? 6 : 4,
  outerSource,
  outerTos,
  bytes: behindVxlan(vni, frame),
});
const good = arrives(buildFrame(TO_US, 0x0800, udp(IN4)));
const withBytes = (...changes: (readonly [at: number, byte: number])[]): VxlanDatagram => {
  const bytes = good.bytes.slice();
  for (const [at, byte] of changes) bytes[at] = byte;
  return { ...good, bytes };
};

const INBOUND: readonly (readonly [name: string, datagram: VxlanDatagram, verdict: DropReason | 'delivered'])[] = [
  ['an IPv4 packet of a peer', good, 'delivered'],
  ['an IPv6 packet of a peer', arrives(buildFrame(TO_US, 0x86dd, udp(IN6))), 'delivered'],
  ['with TTL 0: that is for the routers', arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, ttl: 0 }))), 'delivered'],
  ['with padding', arrives(concat(buildFrame(TO_US, 0x0800, udp(IN4)), hex('0000'))), 'delivered'],
  ['over IPv6', arrives(buildFrame(TO_US, 0x0800, udp(IN4)), 1, 2n ** 125n), 'delivered'],
  ['with all reserved bits set', withBytes([0, 0xff], [1, 0xff], [2, 0xff], [3, 0xff], [7, 0xff]), 'delivered'],
  ['with the bits of GBP', withBytes([0, 0x88], [1, 0x48], [3, 9]), 'delivered'],
  ['without I flag', withBytes([0, 0xf7]), 'bad-vxlan-header'],
  ['of 0 bytes', { ...good, bytes: new Uint8Array(0) }, 'truncated'],
  ['of 7 bytes', { ...good, bytes: good.bytes.slice(0, 7) }, 'truncated'],
  ['of a header and 13 bytes', { ...good, bytes: good.bytes.slice(0, 21) }, 'truncated'],
  ['of VNI 3', withBytes([6, 3]), 'unknown-vni'],
  ['of VNI 0', withBytes([6, 0]), 'unknown-vni'],
  ['of VNI 2^24 - 1', withBytes([4, 255], [5, 255], [6, 255]), 'unknown-vni'],
  ['of a VNI that is only there over IPv4', arrives(buildFrame(TO_US, 0x0800, udp(IN4)), 2, 2n ** 125n), 'unknown-vni'],
  ['from a stranger', arrives(buildFrame(TO_US, 0x0800, udp(IN4)), 1, 0xc0000209), 'unknown-peer'],
  [
    'from a multicast MAC address',
    arrives(buildFrame({ ...TO_US, source: 0x01005e000001 }, 0x0800, udp(IN4))),
    'bad-source-mac',
  ],
  ['from MAC address 0', arrives(buildFrame({ ...TO_US, source: 0 }, 0x0800, udp(IN4))), 'bad-source-mac'],
  ['from our own MAC address', arrives(buildFrame({ ...TO_US, source: OWN }, 0x0800, udp(IN4))), 'bad-source-mac'],
  [
    'from our own MAC address, and a stranger',
    arrives(buildFrame({ ...TO_US, source: OWN }, 0x0800, udp(IN4)), 1, 9),
    'bad-source-mac',
  ],
  [
    'from another peer’s MAC address',
    arrives(buildFrame({ ...TO_US, source: OTHER }, 0x0800, udp(IN4))),
    'spoofed-source',
  ],
  ['from a MAC address nobody has', arrives(buildFrame({ ...TO_US, source: POD }, 0x0800, udp(IN4))), 'spoofed-source'],
  [
    'to another MAC address',
    arrives(buildFrame({ ...TO_US, destination: OTHER }, 0x0800, udp(IN4))),
    'foreign-destination',
  ],
  ['to all', arrives(buildFrame({ ...TO_US, destination: BROADCAST }, 0x0800, udp(IN4))), 'foreign-destination'],
  ['with ARP', arrives(buildArp(TO_US, 1, 5, 6)), 'not-ip'],
  ['with a tag', arrives(buildFrame(TO_US, 0x0800, udp(IN4), [5])), 'not-ip'],
  ['with IPv6 where the type says IPv4', arrives(buildFrame(TO_US, 0x0800, udp(IN6))), 'not-ip'],
  ['without packet', arrives(buildFrame(TO_US, 0x0800, hex(''))), 'truncated'],
  ['with a cut packet', arrives(buildFrame(TO_US, 0x0800, udp(IN4).slice(0, -1))), 'truncated'],
  ['with IHL 4', arrives(buildFrame(TO_US, 0x0800, udp(IN4).with(0, 0x44))), 'bad-header'],
  ['with a wrong header checksum', arrives(buildFrame(TO_US, 0x0800, udp(IN4).with(8, 9))), 'bad-header-checksum'],
  [
    'with an inner source of another peer',
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, source: 0x0af40305 }))),
    'spoofed-source',
  ],
  [
    'with an inner source of another peer inside its lease',
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, source: 0x0af40282 }))),
    'spoofed-source',
  ],
  [
    'with that source, from its owner',
    arrives(buildFrame({ ...TO_US, source: OTHER }, 0x0800, udp({ ...IN4, source: 0x0af40282 })), 1, AT_OTHER),
    'delivered',
  ],
  [
    'with an inner source of ours',
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, source: 0x0af40107 }))),
    'spoofed-source',
  ],
  [
    'for another host',
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, destination: 0x0af40305 }))),
    'foreign-destination',
  ],
  [
    'for 224.0.0.1',
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, destination: 0xe0000001 }))),
    'foreign-destination',
  ],
  [
    'marked CE, and its sender does not know ECN',
    arrives(buildFrame(TO_US, 0x0800, udp(IN4)), 1, AT_PEER, 3),
    'ecn-not-capable',
  ],
  ['bridged: any frame', arrives(buildFrame(TO_POD, 0x88cc, hex('0102')), 2), 'delivered'],
  ['bridged: to all', arrives(buildFrame({ ...TO_POD, destination: BROADCAST }, 0x0800, udp(V4)), 2), 'delivered'],
  [
    'bridged: addresses of nobody',
    arrives(buildFrame(TO_POD, 0x0800, udp({ ...V4, source: 1, destination: 2 })), 2),
    'delivered',
  ],
  ['bridged: a broken packet', arrives(buildFrame(TO_POD, 0x0800, hex('45')), 2), 'delivered'],
  ['bridged: a broken packet, marked CE', arrives(buildFrame(TO_POD, 0x0800, hex('45')), 2, AT_PEER, 3), 'delivered'],
  ['bridged: with two tags', arrives(buildFrame(TO_POD, 0x0800, udp(V4), [5, 6]), 2), 'delivered'],
  [
    'bridged: with two tags, marked CE',
    arrives(buildFrame(TO_POD, 0x0800, udp(V4), [5, 6]), 2, AT_PEER, 3),
    'ecn-not-capable',
  ],
  ['bridged: from a stranger', arrives(buildFrame(TO_POD, 0x0800, udp(V4)), 2, 0xc0000209), 'unknown-peer'],
  ['bridged: from its own device', arrives(buildFrame(TO_US, 0x0800, udp(V4)), 2), 'delivered'],
  [
    'bridged: from another peer’s device',
    arrives(buildFrame({ ...TO_US, source: OTHER }, 0x0800, udp(V4)), 2),
    'spoofed-source',
  ],
  [
    'bridged: from our own MAC address',
    arrives(buildFrame({ ...TO_US, source: OWN }, 0x0800, udp(V4)), 2),
    'bad-source-mac',
  ],
];

for (const [name, datagram, verdict] of INBOUND)
  test(`inbound: ${name}: ${verdict}`, (t) => {
    const before = datagram.bytes.slice();
    const { frames, drops } = twinVxlanInbound(CONFIG, stateOf(), [datagram]);
    t.is(drops[0] ?? 'delivered', verdict);
    t.is(frames.length + drops.length, 1);
    if (verdict === 'delivered') t.is(toHex(frames[0]!.bytes), toHex(before.subarray(8)), 'as it is');
    t.deepEqual(datagram.bytes, before, 'the datagram given is left alone');
  });

test('inbound: without the source check strangers and any source pass, foreign destinations do not', (t) => {
  const { frames, drops } = twinVxlanInbound({ ...CONFIG, sourceCheck: false }, stateOf(), [
    arrives(buildFrame({ ...TO_US, source: POD }, 0x0800, udp({ ...IN4, source: 1 })), 1, 0xc0000209),
    arrives(buildFrame({ ...TO_US, destination: OTHER }, 0x0800, udp(IN4))),
    arrives(buildFrame(TO_US, 0x0800, udp({ ...IN4, destination: 1 }))),
    arrives(buildFrame({ ...TO_US, source: OTHER }, 0x0800, udp(V4)), 2),
  ]);
  t.deepEqual(
    frames.map(({ segment }) => segment),
    [0, 1],
  );
  t.deepEqual(drops, ['foreign-destination', 'foreign-destination']);
});

test('inbound: a mark on the way comes through to the inner packet, with its checksum right', (t) => {
  for (const [ip, type] of [
    [IN4, 0x0800],
    [IN6, 0x86dd],
  ] as const) {
    const packet = udp({ ...ip, tos: 0xba });
    const { frames } = twinVxlanInbound(CONFIG, stateOf(), [
      arrives(concat(buildFrame(TO_US, type, packet), hex('abcd')), 1, AT_PEER, 3),
    ]);
    t.is(toHex(frames[0]!.bytes), toHex(concat(buildFrame(TO_US, type, withTos(packet, 0xbb)), hex('abcd'))));
    t.notRegex(printFrame(frames[0]!.bytes), /bad-checksum/);
  }
});

// --- Learning ---

const podFrame = (source: number, destination: number) => buildFrame({ source, destination }, 0x0800, udp(V4));
const sentTo = (state: TwinVxlanState, mac: number) =>
  twinVxlanOutbound(CONFIG, BRIDGED, state, [plain(podFrame(LOCAL_POD, mac))]).datagrams.map(({ peer }) => peer);

test('learning: a pod is found behind the peer its frames come from, for 300 s', (t) => {
  const fdb = new SlowFdb();
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [0, 1], 'flooded at first');
  twinVxlanInbound(CONFIG, stateOf({ fdb }), [arrives(podFrame(POD, LOCAL_POD), 2, AT_OTHER)]);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1300 }), POD), [1]);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1301 }), POD), [0, 1]);
  t.deepEqual(
    twinVxlanOutbound(CONFIG, ROUTED, stateOf({ fdb }), [plain(podFrame(OWN, POD))]).drops,
    ['no-fdb-entry'],
    'in its own segment only',
  );
});

test('learning: a move is believed once a second; the frames are delivered all the same', (t) => {
  const fdb = new SlowFdb();
  const says = (outerSource: number, now: number) =>
    twinVxlanInbound(CONFIG, stateOf({ fdb, now }), [arrives(podFrame(POD, LOCAL_POD), 2, outerSource)]).frames.length;
  t.is(says(AT_PEER, 1000), 1);
  t.is(says(AT_OTHER, 1000), 1);
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [1], 'the first move is free');
  t.is(says(AT_PEER, 1000.9), 1);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1000.9 }), POD), [1], 'the next is not');
  t.is(says(AT_PEER, 1001), 1);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1001 }), POD), [0]);
});

test('learning: a leased VtepMAC is its peer’s, with the source check and without', (t) => {
  for (const sourceCheck of [true, false]) {
    const fdb = new SlowFdb();
    const claim = arrives(podFrame(PEER, LOCAL_POD), 2, AT_OTHER);
    const { drops } = twinVxlanInbound({ ...CONFIG, sourceCheck }, stateOf({ fdb }), [claim]);
    t.deepEqual(drops, sourceCheck ? ['spoofed-source'] : []);
    t.deepEqual(sentTo(stateOf({ fdb }), PEER), [0]);
  }
});

test('learning: a stranger teaches nothing', (t) => {
  const fdb = new SlowFdb();
  twinVxlanInbound({ ...CONFIG, sourceCheck: false }, stateOf({ fdb }), [arrives(podFrame(POD, LOCAL_POD), 2, 9)]);
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [0, 1]);
});
