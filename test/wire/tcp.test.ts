import test from 'ava';
import { pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import {
  checkTcp,
  emitTcpHeader,
  fillTcpChecksum,
  formatTcpHeader,
  parseTcpHeader,
  type TcpHeader,
  tcpChecksumIsValid,
} from '../../lib/wire/tcp.ts';
import { hex, toHex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// A SYN, 10.244.30.2 > 10.244.99.2: the first TCP packet in test/vectors/flanneld-udp/h1-overlay.pcap.
const SYN = hex('9994 1e61 9622bb81 00000000 a002 fbb8 a03e 0000  02040598 0402 080a 8c8c7f0f 00000000 01 03030a');
const SYN_PSEUDO_SUM = pseudoHeaderSum4(0x0af41e02, 0x0af46302, 6, 40);
const SYN_HEADER: TcpHeader = {
  sourcePort: 39316,
  destinationPort: 7777,
  sequence: 0x9622bb81,
  acknowledgment: 0,
  reserved: 0,
  flags: 0x02,
  window: 64440,
  urgentPointer: 0,
  options: hex('02040598 0402 080a 8c8c7f0f 00000000 01 03030a'),
};

testHeaderCodec({ name: 'TCP', check: checkTcp, parse: parseTcpHeader, emit: emitTcpHeader }, [
  { name: 'a SYN with options', bytes: SYN, header: SYN_HEADER, checksumLater: 16 },
  {
    name: 'every flag and reserved bit',
    bytes: hex('0001 fffe fffffffe 80000001 5f ff 0000 0000 1234'),
    header: {
      sourcePort: 1,
      destinationPort: 65534,
      sequence: 0xfffffffe,
      acknowledgment: 0x80000001,
      reserved: 15,
      flags: 0xff,
      window: 0,
      urgentPointer: 0x1234,
      options: new Uint8Array(0),
    },
  },
]);

test('TCP: refuses a data offset that does not cover the header or exceeds the bytes', (t) => {
  const withOffset = (digit: string) => hex(`0001 0002 00000000 00000000 ${digit}010 0000 0000 0000`);
  t.is(checkTcp(viewOf(withOffset('4')), 0, 20), 'bad-header-length');
  t.is(checkTcp(viewOf(withOffset('0')), 0, 20), 'bad-header-length');
  t.is(checkTcp(viewOf(withOffset('6')), 0, 20), 'truncated');
  t.is(checkTcp(viewOf(withOffset('f')), 0, 20), 'truncated');
  t.is(checkTcp(viewOf(withOffset('5')), 0, 20), undefined);
});

test('TCP: agrees with the kernel on the checksum of a segment', (t) => {
  t.true(tcpChecksumIsValid(viewOf(SYN), 0, SYN.length, SYN_PSEUDO_SUM));
  const bytes = new Uint8Array(SYN.length).fill(0xa5);
  emitTcpHeader(viewOf(bytes), 0, SYN_HEADER);
  fillTcpChecksum(viewOf(bytes), 0, bytes.length, SYN_PSEUDO_SUM);
  t.is(toHex(bytes), toHex(SYN));
  bytes[5]! ^= 4;
  t.false(tcpChecksumIsValid(viewOf(bytes), 0, bytes.length, SYN_PSEUDO_SUM));
});

test('TCP: refuses to emit options that are too long or not whole words', (t) => {
  const target = viewOf(new Uint8Array(80));
  for (const length of [1, 2, 3, 41, 44])
    t.throws(() => emitTcpHeader(target, 0, { ...SYN_HEADER, options: new Uint8Array(length) }), {
      instanceOf: RangeError,
    });
});

test('TCP: prints a header on one line', (t) => {
  t.is(formatTcpHeader(SYN_HEADER), 'TCP 39316 > 7777 SYN seq 2518858625 window 64440 options 20');
  const all = parseTcpHeader(viewOf(hex('0001 fffe fffffffe 80000001 5f ff 0000 0000 1234')), 0);
  t.is(
    formatTcpHeader(all),
    'TCP 1 > 65534 SYN,FIN,RST,PSH,ACK,URG,ECE,CWR seq 4294967294 ack 2147483649 window 0 urgent 4660',
  );
  t.is(
    formatTcpHeader({ ...SYN_HEADER, flags: 0, options: new Uint8Array(0) }),
    'TCP 39316 > 7777 no-flags seq 2518858625 window 64440',
  );
});
