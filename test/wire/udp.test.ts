import test from 'ava';
import { pseudoHeaderSum4, pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import {
  checkUdp,
  emitUdpHeader,
  fillUdpChecksum,
  formatUdpHeader,
  parseUdpHeader,
  udpChecksum,
  udpChecksumIsValid,
} from '../../lib/wire/udp.ts';
import { hex, toHex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// iperf3's first datagram, 10.244.30.2 > 10.244.99.2, in test/vectors/flanneld-udp/h1-overlay.pcap.
const HELLO = hex('9278 1451 000c 51b2 39383736');
const HELLO_PSEUDO_SUM = pseudoHeaderSum4(0x0af41e02, 0x0af46302, 17, 12);

testHeaderCodec({ name: 'UDP', check: checkUdp, parse: parseUdpHeader, emit: emitUdpHeader }, [
  {
    name: 'a datagram of iperf3',
    bytes: HELLO,
    header: { sourcePort: 37496, destinationPort: 5201, length: 12 },
    checksumLater: 6,
  },
  {
    name: 'a datagram without payload',
    bytes: hex('ffff 0001 0008 0000'),
    header: { sourcePort: 65535, destinationPort: 1, length: 8 },
  },
]);

test('UDP: refuses a length that does not cover the header or exceeds the bytes', (t) => {
  t.is(checkUdp(viewOf(hex('0001 0002 0007 0000')), 0, 8), 'bad-length');
  t.is(checkUdp(viewOf(hex('0001 0002 0000 0000')), 0, 8), 'bad-length');
  t.is(checkUdp(viewOf(hex('0001 0002 0009 0000')), 0, 8), 'truncated');
});

test('UDP: agrees with the kernel on the checksum of a datagram', (t) => {
  t.true(udpChecksumIsValid(viewOf(HELLO), 0, HELLO_PSEUDO_SUM));
  const bytes = HELLO.slice();
  emitUdpHeader(viewOf(bytes), 0, parseUdpHeader(viewOf(HELLO), 0));
  fillUdpChecksum(viewOf(bytes), 0, HELLO_PSEUDO_SUM);
  t.is(toHex(bytes), toHex(HELLO));
  bytes[11]! ^= 1;
  t.false(udpChecksumIsValid(viewOf(bytes), 0, HELLO_PSEUDO_SUM));
});

test('UDP: a checksum of 0 means none, and a computed 0 is sent as 0xffff', (t) => {
  const none = hex('9278 1451 000c 0000 39383736');
  t.true(udpChecksumIsValid(viewOf(none), 0, HELLO_PSEUDO_SUM));
  // The pseudo-header of ::/::, protocol 17 and length 10 sums to 27; the payload makes up the rest to 0xffff.
  const zero = hex('0000 0000 000a 0000 ffda');
  fillUdpChecksum(viewOf(zero), 0, pseudoHeaderSum6(0n, 0n, 17, 10));
  t.is(udpChecksum(viewOf(zero), 0), 0xffff);
  t.true(udpChecksumIsValid(viewOf(zero), 0, pseudoHeaderSum6(0n, 0n, 17, 10)));
});

test('UDP: an odd byte at the end of the payload counts as the high half of a word', (t) => {
  const odd = hex('0000 0000 0009 0000 12');
  fillUdpChecksum(viewOf(odd), 0, 0);
  t.is(udpChecksum(viewOf(odd), 0), 0xffff - 0x1209);
});

test('UDP: prints a header on one line', (t) => {
  t.is(formatUdpHeader(parseUdpHeader(viewOf(HELLO), 0)), 'UDP 37496 > 5201 length 12');
});
