import test from 'ava';
import { formatFields, formatTable } from '../../lib/cli/table.ts';
import { formatBitRate, formatBytes, formatCount, formatDuration, formatExpiry } from '../../lib/cli/units.ts';

const rows: readonly (readonly [actual: string, expected: string])[] = [
  [formatCount(0), '0'],
  [formatCount(999), '999'],
  [formatCount(1000), '1,000'],
  [formatCount(1234567.6), '1,234,568'],
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(1000), '1.0 kB'],
  [formatBytes(999_949), '999.9 kB'],
  [formatBytes(999_950), '1.0 MB'],
  [formatBytes(2 ** 53), '9.0 PB'],
  [formatBitRate(125), '1.0 kb/s'],
  [formatBitRate(1.25e9), '10.0 Gb/s'],
  [formatDuration(-1), '0 s'],
  [formatDuration(59.9), '59 s'],
  [formatDuration(60), '1 min 0 s'],
  [formatDuration(3599), '59 min 59 s'],
  [formatDuration(3600), '1 h 0 min'],
  [formatDuration(86399), '23 h 59 min'],
  [formatDuration(86400 * 3 + 7200), '3 d 2 h'],
  [formatExpiry(null, 0), 'never'],
  [formatExpiry('1970-01-01T00:01:00.000Z', 0), 'in 1 min 0 s'],
  [formatExpiry('1970-01-01T00:00:00.000Z', 1), 'expired'],
];
test('quantities print as people read them', (t) => {
  for (const [actual, expected] of rows) t.is(actual, expected);
});

test('columns are as wide as their widest cell, numbers stand right, lines have no trailing spaces', (t) => {
  const columns = [{ title: 'Name' }, { title: 'Count', align: 'right' as const }, { title: 'Why' }];
  const table = formatTable(columns, [
    ['a', '1', ''],
    ['longer', '123456', 'because'],
  ]);
  t.is(table, 'Name     Count  Why\na            1\nlonger  123456  because\n');
});

test('a value of several lines stays in its column', (t) => {
  t.is(
    formatFields([
      ['A', 'one\ntwo'],
      ['Long', 'x'],
    ]),
    'A     one\n      two\nLong  x\n',
  );
});
