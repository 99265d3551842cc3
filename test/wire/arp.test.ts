import test from 'ava';
import { checkArp, emitArp, formatArp, parseArp } from '../../lib/wire/arp.ts';
import type { WireProblem } from '../../lib/wire/problem.ts';
import { hex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// Frames 9 and 10 of test/vectors/neighbors/linux.pcap.
const REQUEST = hex('0001 0800 06 04 0001  02000000000a 0af40701  000000000000 0af40702');
const REPLY = hex('0001 0800 06 04 0002  02000000000b 0af40702  02000000000a 0af40701');

testHeaderCodec({ name: 'ARP', check: checkArp, parse: parseArp, emit: emitArp }, [
  {
    name: 'a request of Linux',
    bytes: REQUEST,
    header: {
      operation: 1,
      senderMac: 0x02000000000a,
      senderAddress: 0x0af40701,
      targetMac: 0,
      targetAddress: 0x0af40702,
    },
  },
  {
    name: 'the reply to it',
    bytes: REPLY,
    header: {
      operation: 2,
      senderMac: 0x02000000000b,
      senderAddress: 0x0af40702,
      targetMac: 0x02000000000a,
      targetAddress: 0x0af40701,
    },
  },
]);

const WRONG: readonly (readonly [name: string, at: number, byte: number, problem: WireProblem])[] = [
  ['another hardware type', 0, 1, 'wrong-type'],
  ['hardware type 6, IEEE 802', 1, 6, 'wrong-type'],
  ['another protocol type', 2, 0x86, 'wrong-type'],
  ['a hardware length of 8', 4, 8, 'bad-length'],
  ['a hardware length of 0', 4, 0, 'bad-length'],
  ['a protocol length of 16', 5, 16, 'bad-length'],
];

for (const [name, at, byte, problem] of WRONG)
  test(`ARP: refuses ${name}`, (t) => t.is(checkArp(viewOf(REQUEST.with(at, byte)), 0, REQUEST.length), problem));

test('ARP: takes any operation, and padding behind the packet', (t) => {
  const padded = new Uint8Array(46);
  padded.set(REQUEST.with(7, 9));
  t.is(checkArp(viewOf(padded), 0, padded.length), undefined);
});

test('ARP: prints a packet on one line', (t) => {
  t.is(formatArp(parseArp(viewOf(REQUEST), 0)), 'ARP who has 10.244.7.2 tell 10.244.7.1');
  t.is(formatArp(parseArp(viewOf(REPLY), 0)), 'ARP 10.244.7.2 is at 02:00:00:00:00:0b');
  t.is(formatArp(parseArp(viewOf(REQUEST.with(7, 9)), 0)), 'ARP operation 9');
});
