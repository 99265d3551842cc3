import test from 'ava';
import { ArrivalRecord } from '../../lib/measure/arrival-record.ts';
import { random } from '../random.ts';

test('numbers are counted once, repetitions and late arrivals apart', (t) => {
  const record = new ArrivalRecord();
  for (const sequence of [0, 1, 3, 2, 3, 3, 5, 0]) record.add(sequence);
  t.deepEqual(record.counts, { received: 5, duplicates: 3, reordered: 1 });
});

test('the record grows with the numbers and agrees with a set', (t) => {
  const rng = random();
  const { seed } = rng;
  const record = new ArrivalRecord();
  const seen = new Set<number>();
  let duplicates = 0;
  for (let i = 0; i < 20_000; i++) {
    const sequence = rng.next(2) === 0 ? rng.next(1000) : rng.next(3_000_000);
    if (seen.has(sequence)) duplicates++;
    seen.add(sequence);
    record.add(sequence);
  }
  t.like(record.counts, { received: seen.size, duplicates }, `seed ${seed}`);
});
