import test from 'ava';
import { hex } from '../wire/bytes.ts';
import { checkPacket, findTransport, isMulticast, isNotOneHost } from './packet.ts';

const SIX = 'fd000000000000000000000000000001 fd000000000000000000000000000002';

const PACKETS: readonly (readonly [name: string, bytes: Uint8Array, wanted: Uint8Array | string])[] = [
  ['nothing', hex(''), 'truncated'],
  ['version 5', hex('5500'), 'not-ip'],
  ['version 15', hex('ff'), 'not-ip'],
  ['IPv4, 19 bytes', hex('4500 0013 0000 0000 4011 0000 0a000001 0a0000'), 'truncated'],
  ['IHL 4', hex('4400 0014 0000 0000 4011 67d6 0a000001 0a000002'), 'bad-header'],
  ['IHL 6 in 20 bytes', hex('4600 0014 0000 0000 4011 64d6 0a000001 0a000002'), 'bad-header'],
  ['total length 19', hex('4500 0013 0000 0000 4011 66d8 0a000001 0a000002'), 'bad-header'],
  ['total length 21 in 20 bytes', hex('4500 0015 0000 0000 4011 66d5 0a000001 0a000002'), 'truncated'],
  ['a wrong header checksum', hex('4500 0014 0000 0000 4011 66d6 0a000001 0a000002'), 'bad-header-checksum'],
  [
    'the shortest IPv4 packet',
    hex('4500 0014 0000 0000 4011 66d7 0a000001 0a000002'),
    hex('4500 0014 0000 0000 4011 66d7 0a000001 0a000002'),
  ],
  [
    'bytes behind the total length',
    hex('4500 0014 0000 0000 4011 66d7 0a000001 0a000002 aabb'),
    hex('4500 0014 0000 0000 4011 66d7 0a000001 0a000002'),
  ],
  ['IPv6, 39 bytes', hex(`60000000 0000 3b 40 ${SIX}`).slice(0, 39), 'truncated'],
  ['a payload length beyond the bytes', hex(`60000000 0001 3b 40 ${SIX}`), 'truncated'],
  ['a jumbogram', hex(`60000000 0000 00 40 ${SIX} 3b00 c204 00010000`), 'bad-header'],
  ['IPv6 with bytes behind', hex(`60000000 0001 3b 40 ${SIX} aabb`), hex(`60000000 0001 3b 40 ${SIX} aa`)],
];

for (const [name, bytes, wanted] of PACKETS) test(`checks ${name}`, (t) => t.deepEqual(checkPacket(bytes), wanted));

const TRANSPORTS: readonly (readonly [name: string, bytes: Uint8Array, wanted: object | undefined])[] = [
  ['IPv4', hex('4500 0014 0000 4000 4006'), { protocol: 6, offset: 20, fragmented: false, laterFragment: false }],
  [
    'IPv4 with options',
    hex('4f00 003c 0000 0000 4011'),
    { protocol: 17, offset: 60, fragmented: false, laterFragment: false },
  ],
  [
    'a first fragment',
    hex('4500 0014 0000 2000 4011'),
    { protocol: 17, offset: 20, fragmented: true, laterFragment: false },
  ],
  [
    'a middle fragment',
    hex('4500 0014 0000 2001 4011'),
    { protocol: 17, offset: 20, fragmented: true, laterFragment: true },
  ],
  [
    'a last fragment',
    hex('4500 0014 0000 1fff 4011'),
    { protocol: 17, offset: 20, fragmented: true, laterFragment: true },
  ],
  ['IPv6', hex(`60000000 0000 06 40 ${SIX}`), { protocol: 6, offset: 40, fragmented: false, laterFragment: false }],
  [
    'IPv6 with options of 16 bytes and a routing header',
    hex(`60000000 0018 00 40 ${SIX} 2b01000000000000 0000000000000000 1100000000000000`),
    { protocol: 17, offset: 64, fragmented: false, laterFragment: false },
  ],
  [
    'an atomic IPv6 fragment',
    hex(`60000000 0008 2c 40 ${SIX} 1100000000000001`),
    { protocol: 17, offset: 48, fragmented: true, laterFragment: false },
  ],
  [
    'a later IPv6 fragment, whose payload is not a header',
    hex(`60000000 0008 2c 40 ${SIX} 3c00000800000001`),
    { protocol: 60, offset: 48, fragmented: true, laterFragment: true },
  ],
  ['IPv6 options past the end', hex(`60000000 0008 00 40 ${SIX} 1101000000000000`), undefined],
  ['half an IPv6 option header', hex(`60000000 0004 00 40 ${SIX} 11000000`), undefined],
  [
    'eight extension headers',
    hex(`60000000 0040 00 40 ${SIX} ${'3c00000000000000'.repeat(7)} 0600000000000000`),
    { protocol: 6, offset: 104, fragmented: false, laterFragment: false },
  ],
  [
    'nine extension headers',
    hex(`60000000 0048 00 40 ${SIX} ${'3c00000000000000'.repeat(8)} 0600000000000000`),
    undefined,
  ],
];

for (const [name, bytes, wanted] of TRANSPORTS)
  test(`finds the transport header of ${name}`, (t) => t.deepEqual(findTransport(bytes), wanted as never));

test('knows multicast and broadcast, and addresses that are not one host', (t) => {
  for (const [address, multicast, notOne] of [
    [0x0a000001, false, false],
    [0x00000000, false, true],
    [0x00ffffff, false, true],
    [0x7f000001, false, true],
    [0x80000000, false, false],
    [0xdfffffff, false, false],
    [0xe0000000, true, true],
    [0xefffffff, true, true],
    [0xf0000000, false, true],
    [0xfffffffe, false, true],
    [0xffffffff, true, true],
  ] as const) {
    t.is(isMulticast(4, address), multicast, address.toString(16));
    t.is(isNotOneHost(4, address), notOne, address.toString(16));
  }
  for (const [address, multicast, notOne] of [
    [0n, false, true],
    [1n, false, true],
    [2n, false, false],
    [0xfe80n << 112n, false, false],
    [0xff02n << 112n, true, true],
  ] as const) {
    t.is(isMulticast(6, address), multicast, address.toString(16));
    t.is(isNotOneHost(6, address), notOne, address.toString(16));
  }
});
