import test from 'ava';
import { asciiOf, dump, extent, payloadAt } from '../../../lib/page/live/bytes.ts';
import { detail, line } from './scene.ts';

const DETAIL = detail(line(1));
const [ethernet, outer] = DETAIL.headers as [(typeof DETAIL.headers)[number], (typeof DETAIL.headers)[number]];

test('a header is from its first field to its last', (t) => {
  t.deepEqual(extent(ethernet), { from: 0, to: 14 });
  t.deepEqual(extent(outer), { from: 14, to: 34 });
  t.deepEqual(extent({ name: 'x', rebuilt: false, fields: [] }), { from: 0, to: 0 });
  t.is(payloadAt(DETAIL), 70);
});

test('rows are cut into fields: the first has a shared byte, what is not known has no digits', (t) => {
  const rows = dump(DETAIL.bytes, outer.fields, 14, 34, 16);
  t.deepEqual(
    rows.map(({ at }) => at),
    [14, 30],
  );
  t.deepEqual(rows[0]!.parts[0], { hex: '45', field: 0 });
  t.deepEqual(rows[0]!.parts.at(-2)!.hex, '·· ··', 'the checksum');
  t.deepEqual(rows[1]!.parts, [{ hex: 'c0 00 02 02', field: 10 }]);
  const all = rows.flatMap(({ parts }) => parts.flatMap(({ hex }) => hex.split(' ')));
  t.is(all.length, 20);
});

test('bytes that were not kept are not there', (t) => {
  t.deepEqual(dump('0102', [], 0, 20, 16), [{ at: 0, parts: [{ hex: '01 02', field: -1 }] }]);
  t.deepEqual(dump('0102', [], 4, 20, 16), []);
});

test('of bytes the printable ones are characters', (t) => {
  t.is(asciiOf('4142007fff20', 0, 6), 'AB... ');
  t.is(asciiOf('4142', 1, 9), 'B');
});
