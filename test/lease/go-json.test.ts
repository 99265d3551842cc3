import test from 'ava';
import fc from 'fast-check';
import { WeftError } from '../../lib/error.ts';
import {
  goField,
  goPlainField,
  type JsonObject,
  type JsonValue,
  parseJson,
  quoteJson,
  toPlain,
} from '../../lib/lease/go-json.ts';

function object(text: string): JsonObject {
  const value = parseJson(text);
  if (typeof value === 'object' && value?.kind === 'object') return value;
  throw new Error(`${text} is not an object`);
}

test('reads any JSON text to the value that JSON.parse gives', (t) => {
  const seed = Date.now() % 0x7fffffff;
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom('', ' ', '\n\t\r'), (json, space) => {
      t.deepEqual(toPlain(parseJson(space + json + space)), JSON.parse(json));
    }),
    { seed, numRuns: 500 },
  );
});

test('refuses every text that JSON.parse refuses, and only those', (t) => {
  const seed = Date.now() % 0x7fffffff;
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'null',
    'tru',
    ' ',
    '\\',
    '\\u00',
    '\u0001',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const text = parts.join('');
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        t.throws(() => parseJson(text), { instanceOf: WeftError, code: 'JSON_INVALID' }, text);
        return;
      }
      t.deepEqual(toPlain(parseJson(text)), expected, text);
    }),
    { seed, numRuns: 3000 },
  );
});

test('says where a text goes wrong and what is there', (t) => {
  const cases: [string, string][] = [
    ['', 'line 1, column 1: a value is expected, found the end'],
    ['{"a":1,}', 'line 1, column 8: a key in double quotes is expected, found "}"'],
    ['{\n  "a": 1\n  "b": 2}', 'line 3, column 3: "," or "}" is expected, found "\\"b\\": 2}"'],
    ["{'a':1}", 'line 1, column 2: a key in double quotes is expected, found "\'a\':1}"'],
    ['{"a":tru}', 'line 1, column 6: a value is expected, found "tru}"'],
    ['{} x', 'line 1, column 4: the text goes on after the value, found "x"'],
    ['\ufeff{}', 'line 1, column 1: a value is expected, found "\\u{feff}{}"'],
    ['"a\u0000"', 'line 1, column 3: a string does not end, found "\\u0000\\""'],
    ['"\\x41"', 'line 1, column 2: an escape in a string is not valid, found "\\\\x41\\""'],
  ];
  for (const [text, message] of cases) t.is(t.throws(() => parseJson(text))?.message, message);
});

test('is not exhausted by deep nesting or by size', (t) => {
  t.throws(() => parseJson('['.repeat(10_000)), { code: 'JSON_INVALID' });
  t.throws(() => parseJson('{"a":'.repeat(10_000)), { code: 'JSON_INVALID' });
  const large = JSON.stringify({ Network: 'x'.repeat(1_500_000) });
  t.is(goField(object(large), 'network'), 'x'.repeat(1_500_000));
});

test('matches keys in any case, as Go does, and the last one wins', (t) => {
  const cases: [string, unknown][] = [
    ['{"PublicIP":1}', 1],
    ['{"publicip":1}', 1],
    ['{"PUBLICIP":1,"PublicIP":2,"publicip":3}', 3],
    ['{"publicip":3,"PublicIP":1,"publicip":2,"PublicIP":4}', 4],
    ['{"PublicIPs":1}', undefined],
    ['{"PublicIP":1,"publicip":null}', null],
  ];
  for (const [text, expected] of cases) {
    const value = goField(object(text), 'PublicIP');
    t.is(value === undefined ? undefined : toPlain(value), expected, text);
  }
  // Go folds the Kelvin sign to k and the long s to s, and nothing else outside ASCII.
  t.is(goField(object('{"bac\u212aend":"k"}'), 'Backend'), 'k');
  t.is(goField(object('{"\u017fubnetLen":"s"}'), 'SubnetLen'), 's');
  t.is(goField(object('{"\u0131pv6":"i"}'), 'IPv6'), undefined);
});

test('gives keys in the order of their last occurrence, so that a reader can let the last one win', (t) => {
  t.deepEqual(Object.keys(toPlain(parseJson('{"Port":1,"port":2,"VNI":3,"Port":4}')) as object), [
    'port',
    'VNI',
    'Port',
  ]);
});

test('ignores null in a plain field', (t) => {
  t.is(goPlainField(object('{"Type":"udp","type":null}'), 'Type'), 'udp');
  t.is(goPlainField(object('{"Type":null}'), 'Type'), undefined);
});

test('keeps __proto__ and constructor as ordinary keys', (t) => {
  const text = '{"__proto__":{"Network":"1.0.0.0/8"},"constructor":{"prototype":1}}';
  t.is(goField(object(text), 'Network'), undefined);
  const plain = toPlain(parseJson(text)) as Record<string, unknown>;
  t.deepEqual(Object.keys(plain), ['__proto__', 'constructor']);
  t.is(Object.getPrototypeOf(plain), Object.prototype);
});

test('replaces halves of surrogate pairs by U+FFFD, as Go does, and keeps whole pairs', (t) => {
  t.is(parseJson('"\\ud83d\\ude00"'), '\u{1f600}');
  t.is(parseJson('"\\ud83d"'), '\ufffd');
  t.is(parseJson('"\\ude00\\ud83d!"'), '\ufffd\ufffd!');
});

test('quotes values briefly for messages', (t) => {
  const cases: [JsonValue, string][] = [
    [null, 'null'],
    ['a\nb', '"a\\nb"'],
    ['x'.repeat(200), `"${'x'.repeat(77)}..."`],
    ['\u001b[31m\u009b\u202e\n', '"\\u001b[31m\\u{9b}\\u{202e}\\n"'],
    [{ kind: 'number', literal: '1e9' }, '1e9'],
    [{ kind: 'array', items: [] }, 'an array'],
    [{ kind: 'object', members: [] }, 'an object'],
  ];
  for (const [value, quoted] of cases) t.is(quoteJson(value), quoted);
});
