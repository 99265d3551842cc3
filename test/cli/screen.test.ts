import test from 'ava';
import { drawn } from '../../lib/cli/screen.ts';

test('a text is drawn in place, cut to the rows and columns there are (N4)', (t) => {
  t.is(drawn('one\ntwo\n', { rows: 24, columns: 80 }), '\u001b[Hone\u001b[K\ntwo\u001b[K\n\u001b[J');
  const tall = drawn(Array.from({ length: 40 }, (_, index) => `line ${index}`).join('\n'), { rows: 10, columns: 6 });
  t.is(tall.split('\n').length - 1, 9, 'the cursor has the last row');
  t.is(drawn('one\ntwo\n', { rows: 0, columns: 0 }), drawn('one\ntwo\n', { rows: 24, columns: 80 }), 'a serial line');
  t.true(tall.includes('line 7\u001b[K\n(32 mo\u001b[K\n'));
});
