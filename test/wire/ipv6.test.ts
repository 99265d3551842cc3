import test from 'ava';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import {
  checkIpv6,
  emitIpv6Header,
  formatIpv6Header,
  type Ipv6Chain,
  type Ipv6Header,
  parseIpv6Header,
  walkIpv6,
} from '../../lib/wire/ipv6.ts';
import { concat, hex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// A router solicitation: the first packet in test/vectors/flanneld-udp/h2-overlay.pcap.
const SOLICITATION = hex(`
  60000000 0008 3a ff  fe80000000000000 bd1951381a8cb814  ff02000000000000 0000000000000002
  85 00 9c44 00000000`);

const ADDRESSES = 'fd00 0000 0000 0000 0000 0000 0000 0001  fd00 0000 0000 0000 0000 0000 0000 0002';

testHeaderCodec<Ipv6Header>({ name: 'IPv6', check: checkIpv6, parse: parseIpv6Header, emit: emitIpv6Header }, [
  {
    name: 'a router solicitation',
    bytes: SOLICITATION,
    header: {
      trafficClass: 0,
      flowLabel: 0,
      payloadLength: 8,
      nextHeader: 58,
      hopLimit: 255,
      source: parseIpv6('fe80::bd19:5138:1a8c:b814')!,
      destination: parseIpv6('ff02::2')!,
    },
  },
  {
    name: 'every bit of the traffic class and flow label',
    bytes: hex(`6b 8f edcb 0000 3b 01 ${ADDRESSES}`),
    header: {
      trafficClass: 0xb8,
      flowLabel: 0xfedcb,
      payloadLength: 0,
      nextHeader: 59,
      hopLimit: 1,
      source: parseIpv6('fd00::1')!,
      destination: parseIpv6('fd00::2')!,
    },
  },
]);

test('IPv6: refuses another version and a payload beyond the bytes', (t) => {
  const view = (bytes: Uint8Array) => checkIpv6(viewOf(bytes), 0, bytes.length);
  t.is(view(hex(`40000000 0000 3b 40 ${ADDRESSES}`)), 'wrong-version');
  t.is(view(hex(`60000000 0001 3b 40 ${ADDRESSES}`)), 'truncated');
  t.is(view(hex(`60000000 ffff 3b 40 ${ADDRESSES}`)), 'truncated');
  t.is(view(hex(`60000000 0000 3b 40 ${ADDRESSES} 00`)), undefined, 'bytes behind the payload are somebody else’s');
});

/** A packet whose payload is `rest`; `first` is its next header. */
function packet(first: string, rest: string): Uint8Array {
  const payload = hex(rest);
  const length = payload.length.toString(16).padStart(4, '0');
  return concat(hex(`60000000 ${length} ${first} 40 ${ADDRESSES}`), payload);
}

const HOP_BY_HOP = '00000000 0000'; // padding of an 8-byte options header behind its first two bytes
const CHAINS: readonly (readonly [name: string, bytes: Uint8Array, chain: Ipv6Chain | string])[] = [
  ['no extension header', packet('11', '00'), { protocol: 17, offset: 40, count: 0, fragment: undefined }],
  ['"no next header"', packet('3b', ''), { protocol: 59, offset: 40, count: 0, fragment: undefined }],
  ['ESP as payload', packet('32', '00'), { protocol: 50, offset: 40, count: 0, fragment: undefined }],
  [
    'a hop-by-hop header (as MLD reports carry)',
    packet('00', '3a 00 0502 0000 0100  8f00'),
    { protocol: 58, offset: 48, count: 1, fragment: undefined },
  ],
  [
    'a routing header of 24 bytes',
    packet('2b', '06 02 00 01 00000000  fd000000000000000000000000000003  aa'),
    { protocol: 6, offset: 64, count: 1, fragment: undefined },
  ],
  [
    'all four in the order RFC 8200 asks for',
    packet('00', `3c 00 ${HOP_BY_HOP}  2b 00 ${HOP_BY_HOP}  2c 00 ${HOP_BY_HOP}  11 00 0001 deadbeef  aabb`),
    { protocol: 17, offset: 72, count: 4, fragment: { offset: 0, more: true, id: 0xdeadbeef } },
  ],
  [
    'a later fragment, whatever its payload looks like',
    packet('2c', '3c ff 0548 00000007  3c 00'),
    { protocol: 60, offset: 48, count: 1, fragment: { offset: 1352, more: false, id: 7 } },
  ],
  [
    'reserved bits of a fragment header',
    packet('2c', '11 ff 0007 00000007  00'),
    { protocol: 17, offset: 48, count: 1, fragment: { offset: 0, more: true, id: 7 } },
  ],
  ['an extension header past the payload', packet('00', '11 01 0000 0000 0000'), 'truncated'],
  ['an extension header cut after 7 bytes', packet('3c', '11 00 0000 0000 00'), 'truncated'],
  ['a hop-by-hop header that is not there (a jumbogram)', packet('00', ''), 'truncated'],
  ['the longest extension header without its bytes', packet('3c', `11 ff ${HOP_BY_HOP}`), 'truncated'],
  [
    'eight extension headers',
    packet('3c', `${`3c 00 ${HOP_BY_HOP}`.repeat(7)} 06 00 ${HOP_BY_HOP} 01`),
    { protocol: 6, offset: 104, count: 8, fragment: undefined },
  ],
  [
    'nine extension headers',
    packet('3c', `${`3c 00 ${HOP_BY_HOP}`.repeat(8)} 06 00 ${HOP_BY_HOP} 01`),
    'too-many-headers',
  ],
];

for (const [name, bytes, chain] of CHAINS)
  test(`IPv6: walks ${name}`, (t) => {
    t.is(checkIpv6(viewOf(bytes), 0, bytes.length), undefined);
    t.deepEqual(walkIpv6(viewOf(bytes), 0, bytes.length), chain as never);
  });

test('IPv6: the walk stops at the end of the packet, not of the buffer', (t) => {
  const bytes = concat(packet('00', '11 01 0000 0000 0000'), new Uint8Array(64));
  t.is(walkIpv6(viewOf(bytes), 0, 48), 'truncated');
});

test('IPv6: prints a header on one line', (t) => {
  t.is(
    formatIpv6Header(parseIpv6Header(viewOf(SOLICITATION), 0)),
    'IPv6 fe80::bd19:5138:1a8c:b814 > ff02::2 hop-limit 255',
  );
  t.is(
    formatIpv6Header(parseIpv6Header(viewOf(hex(`6b 8f edcb 0000 3b 01 ${ADDRESSES}`)), 0)),
    'IPv6 fd00::1 > fd00::2 hop-limit 1 class 0xb8 flow 0xfedcb',
  );
});
