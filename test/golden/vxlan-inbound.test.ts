// The VXLAN twin rule by rule, from datagrams to the TAP.
import test from 'ava';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { withTos } from './ecn.ts';
import { BROADCAST, buildArp, buildFrame } from './random-ethernet.ts';
import { twinVxlanInbound, type VxlanDatagram } from './tap-twin.ts';
import {
  AT_OTHER,
  AT_PEER,
  arrives,
  CONFIG,
  IN4,
  IN6,
  OTHER,
  OWN,
  POD,
  stateOf,
  TO_POD,
  TO_US,
  udp,
  V4,
} from './vxlan-fixture.ts';

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
