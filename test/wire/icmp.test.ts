import test from 'ava';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import {
  checkIcmp,
  echoRest,
  emitIcmpHeader,
  fillIcmpChecksum,
  formatIcmpHeader,
  formatIcmpv6Header,
  icmpChecksum,
  icmpChecksumIsValid,
  icmpEcho,
  isIcmpError,
  isIcmpv6Error,
  parseIcmpHeader,
} from '../../lib/wire/icmp.ts';
import { hex, toHex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// The first echo request in test/vectors/flanneld-udp/h1-overlay.pcap.
const ECHO = hex(`
  08 00 1726 542a 0001 7418036b 00000000 48580e00 00000000 1011121314151617 18191a1b1c1d1e1f
  2021222324252627 28292a2b2c2d2e2f 3031323334353637`);

// ICMPv6 of the router solicitation in test/vectors/flanneld-udp/h2-overlay.pcap.
const SOLICITATION = hex('85 00 9c44 00000000');

testHeaderCodec({ name: 'ICMP', check: checkIcmp, parse: parseIcmpHeader, emit: emitIcmpHeader }, [
  {
    name: 'an echo request',
    bytes: ECHO.subarray(0, 8),
    header: { type: 8, code: 0, rest: 0x542a0001 },
    checksumLater: 2,
  },
  { name: 'all bits set', bytes: hex('ff ff 0000 ffffffff'), header: { type: 255, code: 255, rest: 0xffffffff } },
]);

test('ICMP: agrees with the kernel on the checksum of an echo', (t) => {
  t.true(icmpChecksumIsValid(viewOf(ECHO), 0, ECHO.length, 0));
  const bytes = ECHO.slice();
  bytes.fill(0xa5, 0, 8);
  emitIcmpHeader(viewOf(bytes), 0, { type: 8, code: 0, rest: echoRest(0x542a, 1) });
  fillIcmpChecksum(viewOf(bytes), 0, bytes.length, 0);
  t.is(toHex(bytes), toHex(ECHO));
  bytes[63]! ^= 0x10;
  t.false(icmpChecksumIsValid(viewOf(bytes), 0, bytes.length, 0));
});

test('ICMPv6: agrees with the kernel on a checksum with its pseudo-header', (t) => {
  const pseudoSum = pseudoHeaderSum6(parseIpv6('fe80::bd19:5138:1a8c:b814')!, parseIpv6('ff02::2')!, 58, 8);
  t.true(icmpChecksumIsValid(viewOf(SOLICITATION), 0, 8, pseudoSum));
  t.false(icmpChecksumIsValid(viewOf(SOLICITATION), 0, 8, 0));
  const bytes = new Uint8Array(8);
  emitIcmpHeader(viewOf(bytes), 0, { type: 133, code: 0, rest: 0 });
  fillIcmpChecksum(viewOf(bytes), 0, 8, pseudoSum);
  t.is(icmpChecksum(viewOf(bytes), 0), 0x9c44);
});

test('ICMP: identifier and sequence number survive the way through `rest`', (t) => {
  for (const [identifier, sequence] of [
    [0, 0],
    [1, 65535],
    [65535, 1],
    [0x8000, 0x8000],
  ] as const)
    t.deepEqual(icmpEcho({ type: 8, code: 0, rest: echoRest(identifier, sequence) }), { identifier, sequence });
});

test('ICMP: knows which messages are errors', (t) => {
  const errors = [3, 4, 5, 11, 12];
  for (let type = 0; type < 256; type++) {
    t.is(isIcmpError(type), errors.includes(type), `ICMP type ${type}`);
    t.is(isIcmpv6Error(type), type < 128 || type === 137, `ICMPv6 type ${type}`);
  }
});

const PRINTED: readonly (readonly [type: number, code: number, rest: number, icmp: string, icmpv6: string])[] = [
  [8, 0, 0x00070002, 'ICMP echo request id 7 seq 2', 'ICMPv6 type 8 code 0'],
  [0, 0, 0x00070002, 'ICMP echo reply id 7 seq 2', 'ICMPv6 type 0 code 0'],
  [3, 0, 0, 'ICMP unreachable (net)', 'ICMPv6 time exceeded'],
  [3, 3, 0, 'ICMP unreachable (port)', 'ICMPv6 time exceeded (code 3)'],
  [3, 4, 1472, 'ICMP fragmentation needed mtu 1472', 'ICMPv6 time exceeded (code 4)'],
  [3, 13, 0, 'ICMP unreachable (code 13)', 'ICMPv6 time exceeded (code 13)'],
  [11, 0, 0, 'ICMP time exceeded', 'ICMPv6 type 11 code 0'],
  [11, 1, 0, 'ICMP time exceeded (code 1)', 'ICMPv6 type 11 code 1'],
  [1, 0, 0, 'ICMP type 1 code 0', 'ICMPv6 unreachable (no route)'],
  [1, 9, 0, 'ICMP type 1 code 9', 'ICMPv6 unreachable (code 9)'],
  [2, 0, 1280, 'ICMP type 2 code 0', 'ICMPv6 packet too big mtu 1280'],
  [4, 1, 40, 'ICMP type 4 code 1', 'ICMPv6 parameter problem (code 1) at 40'],
  [128, 0, 0x00070002, 'ICMP type 128 code 0', 'ICMPv6 echo request id 7 seq 2'],
  [129, 0, 0x00070002, 'ICMP type 129 code 0', 'ICMPv6 echo reply id 7 seq 2'],
];

for (const [type, code, rest, icmp, icmpv6] of PRINTED)
  test(`ICMP: prints type ${type} code ${code}`, (t) => {
    t.is(formatIcmpHeader({ type, code, rest }), icmp);
    t.is(formatIcmpv6Header({ type, code, rest }), icmpv6);
  });
