import { createHash } from 'node:crypto';
import test from 'ava';
import { blocks, digestOf } from './traffic.ts';

test('what is sent is as long as asked for, and the same each time', (t) => {
  for (const bytes of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const whole = Buffer.concat([...blocks(bytes)]);
    t.is(whole.length, bytes);
    t.is(createHash('sha256').update(whole).digest('hex'), digestOf(bytes));
  }
});

test('a block in the place of another changes the digest', (t) => {
  const [first, second] = blocks(131_072);
  t.false(first!.equals(second!));
});
