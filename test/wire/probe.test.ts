import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { icmpChecksumIsValid } from '../../lib/wire/icmp.ts';
import { checkIpv4, ipv4ChecksumIsValid } from '../../lib/wire/ipv4.ts';
import { checkIpv6 } from '../../lib/wire/ipv6.ts';
import { isProbe, PROBE4_MIN, PROBE6_MIN, probe4, probe6 } from '../../lib/wire/probe.ts';
import { viewOf } from './bytes.ts';

const A4 = parseIpv4('10.244.1.0')!;
const B4 = parseIpv4('10.244.2.0')!;
const A6 = parseIpv6('fd00:1::')!;
const B6 = parseIpv6('fd00:2::')!;
const FIELDS = { sequence: 513, token: 0x0123456789abcdefn };

/** Whole, with its zeros. */
function padded(head: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(head);
  return bytes;
}

test('a probe of any size is a well-formed echo, and known by its data', (t) => {
  for (const size of [PROBE4_MIN, 84, 1472, 1473, 9000, 65_535]) {
    const packet = padded(probe4(A4, B4, { ...FIELDS, size }), size);
    const view = viewOf(packet);
    t.is(checkIpv4(view, 0, size), undefined, String(size));
    t.true(ipv4ChecksumIsValid(view, 0));
    t.true(icmpChecksumIsValid(view, 20, size, 0), String(size));
    t.true(isProbe(packet));
  }
  for (const size of [PROBE6_MIN, 1281, 9000]) {
    const packet = padded(probe6(A6, B6, { ...FIELDS, size }), size);
    t.is(checkIpv6(viewOf(packet), 0, size), undefined, String(size));
    t.true(icmpChecksumIsValid(viewOf(packet), 40, size, pseudoHeaderSum6(A6, B6, 58, size - 40)), String(size));
    t.true(isProbe(packet));
  }
});

test('a probe: the answer is one too, and what a capture has cut short', (t) => {
  const request4 = probe4(A4, B4, { ...FIELDS, size: 1472 });
  request4[20] = 0;
  t.true(isProbe(request4));
  t.true(isProbe(request4.subarray(0, 36)), 'up to the magic');
  t.false(isProbe(request4.subarray(0, 35)));
  const request6 = probe6(A6, B6, { ...FIELDS, size: 1472 });
  request6[40] = 129;
  t.true(isProbe(request6.subarray(0, 56)));
  t.false(isProbe(request6.subarray(0, 55)));
});

test('a probe: nothing else is one', (t) => {
  const good = probe4(A4, B4, { ...FIELDS, size: PROBE4_MIN });
  const changes: [what: string, at: number, value: number][] = [
    ['another version', 0, 0x55],
    ['a header of 16 bytes', 0, 0x44],
    ['a header of 60 bytes, longer than the packet', 0, 0x4f],
    ['TCP', 9, 6],
    ['a later fragment', 7, 1],
    ['an ICMP error', 20, 3],
    ["a ping's data", 28, 0x10],
    ["a ping's data, from the fifth byte on", 35, 0x10],
  ];
  for (const [what, at, value] of changes) {
    const packet = good.slice();
    packet[at] = value;
    t.false(isProbe(packet), what);
  }
  const six = probe6(A6, B6, { ...FIELDS, size: PROBE6_MIN });
  for (const [at, value] of [
    [6, 17],
    [40, 1],
    [48, 0],
  ] as const) {
    const packet = six.slice();
    packet[at] = value;
    t.false(isProbe(packet), `byte ${at}`);
  }
  for (let length = 0; length < 36; length++) t.false(isProbe(good.subarray(0, length)), `${length} bytes`);
});
