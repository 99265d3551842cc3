import test from 'ava';
import { printable, printableAll, printableLines, toJson } from '../lib/printable.ts';

test('text cannot break its line or command the terminal, and is cut (S3)', (t) => {
  t.is(printable('a\nb\u001b[31m\u009bc \u00e9 \ud800'), 'a\\nb\\u001b[31m\\u009bc \u00e9 \\ud800');
  t.is(printable('\u202eevil\u2028\u{e0001}'), '\\u202eevil\\u2028\\udb40\\udc01');
  t.is(printable('x'.repeat(100_000), 4), 'xxxx... (100000 characters)');
  t.is(printableLines('one\ntwo\u0007'), 'one\ntwo\\u0007');
});

test('a reply keeps its shape (S3)', (t) => {
  const reply = { text: '\u001b', list: [{ more: '\u009b' }], count: 1, none: null, yes: true };
  t.deepEqual(printableAll(reply), { text: '\\u001b', list: [{ more: '\\u009b' }], count: 1, none: null, yes: true });
});

test('JSON says exactly the same, in characters that a terminal only shows (S3)', (t) => {
  const value = { text: 'a\u001b\u009b\u2028\u202e\u{e0001}\ud800 é' };
  t.deepEqual(JSON.parse(toJson(value, 2)), value);
  t.regex(toJson(value), /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);
});
