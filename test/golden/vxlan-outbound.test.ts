// The VXLAN twin rule by rule, from the TAP to datagrams.
import test from 'ava';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import type { KnownNeighbor } from '../../lib/dataplane/worker/neighbor/answer.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { BROADCAST, buildArp, buildFrame } from './random-ethernet.ts';
import { buildTcp, buildUdp } from './random-packets.ts';
import { twinVxlanOutbound } from './tap-twin.ts';
import { GSO_TCPV4, GSO_UDP_L4, NEEDS_CSUM, PLAIN, withVnetHeader } from './vnet-header.ts';
import {
  BRIDGED,
  CONFIG,
  dice,
  LOCAL_POD,
  OTHER,
  OWN,
  PEER,
  POD,
  PORTS,
  plain,
  ROUTED,
  stateOf,
  udp,
  V4,
  V6,
} from './vxlan-fixture.ts';

const TO_PEER = { destination: PEER, source: OWN };

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

for (const [name, at, left] of [
  ['its header checksum', 10, 2],
  ['its length', 2, 2],
] as const)
  test(`outbound: a super-packet that left ${name} to hardware is cut like one that did not (H18)`, (t) => {
    const built = buildTcp(
      { ...V4, ttl: 64 },
      { ...PORTS, sequence: 1, acknowledgment: 1, flags: 16, window: 9, options: hex('') },
      dice.bytes(20_000),
      'partial',
    );
    const vnet = {
      flags: NEEDS_CSUM,
      gsoType: GSO_TCPV4,
      hdrLen: 54,
      gsoSize: 1400,
      csumStart: 34,
      csumOffset: 16,
    };
    const sent = (packet: Uint8Array) => {
      const read = withVnetHeader(vnet, buildFrame(TO_PEER, 0x0800, packet));
      const { datagrams, drops } = twinVxlanOutbound(CONFIG, BRIDGED, stateOf(), [read]);
      t.deepEqual(drops, []);
      return datagrams.map(({ bytes }) => toHex(bytes));
    };
    const bare = built.packet.slice().fill(0, at, at + left);
    t.is(sent(bare).length, 15);
    t.deepEqual(sent(bare), sent(built.packet));
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
