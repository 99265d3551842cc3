import test from 'ava';
import type { WeftError } from '../../lib/error.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { readCapture } from './read-capture.ts';

// Two records at 1.000002 s (or 1.000000002 s) and 0xffffffff.0 s, the second cut by the snap length.
const RECORDS_LITTLE = `
  01000000 02000000 04000000 04000000  01020304
  ffffffff 00000000 02000000 dc050000  aabb`;
const RECORDS_BIG = `
  00000001 00000002 00000004 00000004  01020304
  ffffffff 00000000 00000002 000005dc  aabb`;

const FILES: readonly (readonly [name: string, bytes: string, fractionNs: bigint, linkType: number])[] = [
  [
    'microseconds, little endian',
    `d4c3b2a1 0200 0400 00000000 00000000 00000400 65000000 ${RECORDS_LITTLE}`,
    2000n,
    101,
  ],
  ['microseconds, big endian', `a1b2c3d4 0002 0004 00000000 00000000 00040000 00000065 ${RECORDS_BIG}`, 2000n, 101],
  ['nanoseconds, little endian', `4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000 ${RECORDS_LITTLE}`, 2n, 1],
  ['nanoseconds, big endian', `a1b23c4d 0002 0004 00000000 00000000 00040000 00000001 ${RECORDS_BIG}`, 2n, 1],
];

for (const [name, text, fractionNs, linkType] of FILES)
  test(`reads a file in ${name}`, (t) => {
    // Not at the start of its buffer, as a Buffer from a file may be.
    const file = concat(hex('ffffffff'), hex(text)).subarray(4);
    const capture = readCapture(file);
    t.is(capture.linkType, linkType);
    t.is(capture.problem, undefined);
    t.deepEqual(
      capture.packets.map((packet) => [packet.timestampNs, toHex(packet.bytes), packet.length]),
      [
        [1_000_000_000n + fractionNs, '01 02 03 04', 4],
        [0xffffffffn * 1_000_000_000n, 'aa bb', 1500],
      ],
    );
  });

test('an empty capture is a capture', (t) => {
  const capture = readCapture(hex('d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000'));
  t.is(capture.packets.length, 0);
  t.is(capture.problem, undefined);
});

test('a link type is the low 16 bits of its field', (t) => {
  t.is(readCapture(hex(`d4c3b2a1 0200 0400 00000000 00000000 00000400 01000024 ${RECORDS_LITTLE}`)).linkType, 1);
});

test('a file cut anywhere gives the packets before the cut, and says so', (t) => {
  const whole = hex(FILES[0]![1]);
  const boundaries = [24, 44, 62];
  for (let length = 24; length <= whole.length; length++) {
    const capture = readCapture(whole.subarray(0, length));
    t.is(capture.packets.length, boundaries.filter((end) => end <= length).length - 1, `cut to ${length} bytes`);
    t.is(capture.problem === undefined, boundaries.includes(length), `cut to ${length} bytes`);
  }
});

test('a record that claims 4 GiB ends the reading', (t) => {
  const capture = readCapture(
    hex('d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 00000000 00000000 ffffffff ffffffff 00'),
  );
  t.is(capture.packets.length, 0);
  t.regex(capture.problem ?? '', /^packet 1 says it has 4294967295 bytes/);
});

test('other files are refused with a hint', (t) => {
  for (const bytes of [hex(''), hex('d4c3'), new Uint8Array(24), hex('7f454c46')]) {
    const error = t.throws(() => readCapture(bytes)) as WeftError;
    t.is(error.code, 'CAPTURE_UNREADABLE', toHex(bytes));
    t.regex(error.hint ?? '', /pcapng/);
  }
});
