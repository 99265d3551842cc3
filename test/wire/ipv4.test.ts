import test from 'ava';
import {
  checkIpv4,
  emitIpv4Header,
  formatIpv4Header,
  type Ipv4Header,
  ipv4Checksum,
  ipv4ChecksumIsValid,
  parseIpv4Header,
} from '../../lib/wire/ipv4.ts';
import { concat, hex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// The outer header of the first packet in test/vectors/flanneld-udp/h1-underlay.pcap.
const OUTER = hex('4500 0070 5aa0 4000 4011 5bd9 c0000201 c0000202');
const OUTER_HEADER: Ipv4Header = {
  tos: 0,
  totalLength: 112,
  id: 0x5aa0,
  reservedFlag: false,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 17,
  source: 0xc0000201,
  destination: 0xc0000202,
  options: new Uint8Array(0),
};

// Written by hand; tshark calls its checksum correct.
const WITH_OPTIONS = hex(
  '47 b8 0024 006f a00f 7b 06 1f21 0a0a0a0a e0000001  88 04 00 63 01 00 00 00  aaaaaaaa aaaaaaaa',
);

testHeaderCodec({ name: 'IPv4', check: checkIpv4, parse: parseIpv4Header, emit: emitIpv4Header }, [
  { name: 'an outer header of flanneld', bytes: concat(OUTER, new Uint8Array(92)), header: OUTER_HEADER },
  {
    name: 'a fragment with options and the reserved flag',
    bytes: WITH_OPTIONS,
    header: {
      tos: 0xb8,
      totalLength: 36,
      id: 111,
      reservedFlag: true,
      dontFragment: false,
      moreFragments: true,
      fragmentOffset: 120,
      ttl: 123,
      protocol: 6,
      source: 0x0a0a0a0a,
      destination: 0xe0000001,
      options: hex('88 04 00 63 01 00 00 00'),
    },
  },
]);

const MALFORMED: readonly (readonly [name: string, bytes: Uint8Array, problem: string])[] = [
  ['nothing', hex(''), 'truncated'],
  ['version 6', hex('6500 0014 0000 0000 4011 0000 0a000001 0a000002'), 'wrong-version'],
  ['version 0', hex('0500 0014 0000 0000 4011 0000 0a000001 0a000002'), 'wrong-version'],
  ['IHL 4', hex('4400 0014 0000 0000 4011 0000 0a000001 0a000002'), 'bad-header-length'],
  ['IHL 0', hex('4000 0014 0000 0000 4011 0000 0a000001 0a000002'), 'bad-header-length'],
  ['IHL beyond the total length', hex('4600 0014 0000 0000 4011 0000 0a000001 0a000002'), 'bad-length'],
  ['total length 19', hex('4500 0013 0000 0000 4011 0000 0a000001 0a000002'), 'bad-length'],
  ['total length 0', hex('4500 0000 0000 0000 4011 0000 0a000001 0a000002'), 'bad-length'],
  ['total length beyond the bytes', hex('4500 0015 0000 0000 4011 0000 0a000001 0a000002'), 'truncated'],
];

for (const [name, bytes, problem] of MALFORMED)
  test(`IPv4: refuses ${name}`, (t) => {
    t.is(checkIpv4(viewOf(bytes), 0, bytes.length), problem as never);
  });

test('IPv4: takes bytes behind the total length as somebody else’s', (t) => {
  const padded = concat(OUTER, new Uint8Array(100));
  t.is(checkIpv4(viewOf(padded), 0, padded.length), undefined);
});

test('IPv4: takes the longest header, IHL 15', (t) => {
  const header = { ...OUTER_HEADER, totalLength: 60, options: new Uint8Array(40).fill(1) };
  const bytes = new Uint8Array(60);
  t.is(emitIpv4Header(viewOf(bytes), 0, header), 60);
  t.is(checkIpv4(viewOf(bytes), 0, 60), undefined);
  t.true(ipv4ChecksumIsValid(viewOf(bytes), 0));
  t.deepEqual(parseIpv4Header(viewOf(bytes), 0), header);
});

test('IPv4: finds each single flipped bit of the header by its checksum', (t) => {
  t.true(ipv4ChecksumIsValid(viewOf(OUTER), 0));
  // Bits 0..7 hold version and IHL: changing them changes what is summed.
  for (let bit = 8; bit < OUTER.length * 8; bit++) {
    const flipped = OUTER.slice();
    flipped[bit >>> 3]! ^= 0x80 >>> (bit & 7);
    t.false(ipv4ChecksumIsValid(viewOf(flipped), 0), `bit ${bit}`);
  }
});

test('IPv4: emits the checksum flanneld’s kernel computed', (t) => {
  const target = new Uint8Array(20).fill(0xa5);
  emitIpv4Header(viewOf(target), 0, OUTER_HEADER);
  t.is(ipv4Checksum(viewOf(target), 0), 0x5bd9);
});

test('IPv4: refuses to emit options that are too long or not whole words', (t) => {
  const target = viewOf(new Uint8Array(80));
  for (const length of [1, 2, 3, 41, 44])
    t.throws(() => emitIpv4Header(target, 0, { ...OUTER_HEADER, options: new Uint8Array(length) }), {
      instanceOf: RangeError,
    });
});

test('IPv4: prints a header on one line', (t) => {
  t.is(formatIpv4Header(OUTER_HEADER), 'IPv4 192.0.2.1 > 192.0.2.2 ttl 64 id 23200 DF');
  t.is(
    formatIpv4Header(parseIpv4Header(viewOf(WITH_OPTIONS), 0)),
    'IPv4 10.10.10.10 > 224.0.0.1 ttl 123 tos 0xb8 id 111 reserved-flag MF fragment at 120 options 8',
  );
});
