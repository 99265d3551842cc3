import test from 'ava';
import { formatPrefix, type Prefix, parsePrefix, prefixesOverlap } from '../../lib/addr/prefix.ts';
import { prefixesOf, visitNested } from '../../lib/lease/overlap.ts';
import { parseSubnetKey } from '../../lib/lease/subnet-key.ts';
import { Dice } from '../golden/dice.ts';

test('finds each pair of prefixes of which one lies in the other once, as comparing each with each does', (t) => {
  const dice = new Dice();
  for (let round = 0; round < 200; round++) {
    const some = (): Prefix =>
      dice.oneIn(2)
        ? parsePrefix(`10.5.${dice.below(4)}.${dice.below(256)}/${dice.between(20, 31)}`)!
        : parsePrefix(`fd00::${dice.below(16)}:0/${dice.between(100, 127)}`)!;
    const placed = Array.from({ length: 12 }, (_, item) => ({ prefix: some(), item }));
    const found: string[] = [];
    visitNested(placed, (inner, around) => {
      for (const { item } of around) found.push([inner, item].sort((a, b) => a - b).join());
      t.deepEqual(
        around.map(({ prefix }) => prefix.length),
        around.map(({ prefix }) => prefix.length).sort((a, b) => a - b),
      );
    });
    const expected = placed.flatMap((a) =>
      placed.filter((b) => a.item < b.item && prefixesOverlap(a.prefix, b.prefix)).map((b) => `${a.item},${b.item}`),
    );
    t.deepEqual(found.sort(), expected.sort(), `WEFT_SEED=${dice.seed}`);
  }
});

test('a lease has one prefix or two', (t) => {
  const prefixes = (key: string): string => prefixesOf(parseSubnetKey(key)!).map(formatPrefix).join();
  t.is(prefixes('10.5.1.0-24'), '10.5.1.0/24');
  t.is(prefixes('10.5.1.0-24&fd00::-64'), '10.5.1.0/24,fd00::/64');
});
