import test from 'ava';
import { LineReader } from '../../../lib/bench/far/line-reader.ts';
import { random } from '../../random.ts';

test('however a stream is cut, its lines are the same', (t) => {
  const { next, seed } = random();
  for (let i = 0; i < 200; i++) {
    const lines = Array.from({ length: next(8) }, () => 'xü'.repeat(next(6)));
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const reader = new LineReader(64);
    const read: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + next(9));
      reader.push(bytes.subarray(at, end));
      for (let line = reader.next(); line !== undefined; line = reader.next()) read.push(line);
      at = end;
    }
    t.deepEqual(read, lines, `seed ${seed}`);
  }
});

test('a line that is too long is refused before it ends', (t) => {
  const reader = new LineReader(8);
  reader.push(Buffer.from('12345678'));
  t.is(reader.next(), undefined);
  reader.push(Buffer.from('9'));
  t.throws(() => reader.next(), { code: 'FAR_PROTOCOL' });
  const other = new LineReader(8);
  other.push(Buffer.from('123456789\n'));
  t.throws(() => other.next(), { code: 'FAR_PROTOCOL' });
});

test('the limit may change between two lines', (t) => {
  const reader = new LineReader(4);
  reader.push(Buffer.from('one\nlonger\n'));
  t.is(reader.next(), 'one');
  reader.most = 6;
  t.is(reader.next(), 'longer');
});
