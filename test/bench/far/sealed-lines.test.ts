import test from 'ava';
import { Opener, Sealer } from '../../../lib/bench/far/sealed-lines.ts';
import { random } from '../../random.ts';

const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const CHANGED = { code: 'FAR_PROTOCOL' } as const;

test('lines come out in their order as they went in', (t) => {
  const sealer = new Sealer(KEY);
  const opener = new Opener(KEY);
  for (const value of [{ id: 1, text: 'ü\n' }, {}, [null, 2.5]]) t.deepEqual(opener.open(sealer.seal(value)), value);
});

test('a line that is repeated, left out, moved, sent back or changed is refused', (t) => {
  const sealer = new Sealer(KEY);
  const lines = [1, 2, 3].map((id) => sealer.seal({ id }));
  const repeated = new Opener(KEY);
  repeated.open(lines[0]!);
  t.throws(() => repeated.open(lines[0]!), CHANGED);
  t.throws(() => new Opener(KEY).open(lines[1]!), CHANGED);
  t.throws(() => new Opener(OTHER_KEY).open(lines[0]!), CHANGED);
  const { next, seed } = random();
  for (let i = 0; i < 2000; i++) {
    const line = new Sealer(KEY).seal({ id: i, type: 'usage', place: 'underlay' });
    const bytes = Buffer.from(line);
    const at = next(bytes.length);
    const value = next(128);
    // Hexadecimal digits of either case are the same MAC.
    if (String.fromCharCode(bytes[at]!).toLowerCase() === String.fromCharCode(value).toLowerCase()) continue;
    bytes[at] = value;
    t.throws(
      () => new Opener(KEY).open(bytes.toString('latin1')),
      CHANGED,
      `seed ${seed}: ${bytes.toString('latin1')}`,
    );
    t.throws(() => new Opener(KEY).open(line.slice(0, next(line.length))), CHANGED);
  }
});
