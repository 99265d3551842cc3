import test from 'ava';
import { groupNumber } from '../../lib/sys/group.ts';

test('a group is known by its name and by its number; one that there is not is none', (t) => {
  t.is(groupNumber('root'), 0);
  t.is(groupNumber('12345'), 12_345);
  t.is(groupNumber('no such group'), undefined);
  t.is(groupNumber(''), undefined);
});
