import test from 'ava';
import { complementSum, foldSum, internetSum, pseudoHeaderSum4, pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { hex, viewOf } from './bytes.ts';

test('sums the example of RFC 1071 §3', (t) => {
  const bytes = hex('0001 f203 f4f5 f6f7');
  t.is(internetSum(viewOf(bytes), 0, 8), 0xddf2);
  t.is(complementSum(0xddf2), 0x220d);
});

test('takes an odd last byte as the high half of a word', (t) => {
  t.is(internetSum(viewOf(hex('12 34 56')), 0, 3), 0x1234 + 0x5600);
  t.is(internetSum(viewOf(hex('ab')), 0, 1), 0xab00);
});

test('an empty range adds nothing', (t) => {
  t.is(internetSum(viewOf(hex('ffff')), 1, 1, 0x1234), 0x1234);
});

test('folds until sixteen bits are left', (t) => {
  t.is(foldSum(0), 0);
  t.is(foldSum(0xffff), 0xffff);
  t.is(foldSum(0x10000), 1);
  t.is(foldSum(0x1fffe), 0xffff);
  t.is(foldSum(0xffffffff), 0xffff);
  t.is(foldSum(0x1_0000_ffff), 1);
  t.is(foldSum(2 ** 52), 16);
});

test('a whole 64 KiB packet of ones does not overflow', (t) => {
  const bytes = new Uint8Array(65535).fill(0xff);
  // 32767 words of 0xffff are worth nothing; the odd byte adds 0xff00, and the carry of all of them stays 0xffff.
  t.is(internetSum(viewOf(bytes), 0, bytes.length), 0xff00);
});

test('the pseudo-header counts addresses, protocol and length', (t) => {
  t.is(pseudoHeaderSum4(0x0a000001, 0x0a000002, 17, 8), 0x0a00 + 1 + 0x0a00 + 2 + 17 + 8);
  t.is(pseudoHeaderSum4(0xffffffff, 0xffffffff, 0, 0), 0xffff);
  t.is(pseudoHeaderSum6(1n, 2n << 112n, 58, 65536), 1 + 2 + 58 + 1);
});
