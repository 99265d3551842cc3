import test from 'ava';
import { formatFields, formatTable } from '../../lib/cli/table.ts';

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
  t.is(
    formatFields([['A', 'longer than there are columns\ntwo']], 24),
    'A  longer than there are\n   columns\n   two\n',
  );
});
