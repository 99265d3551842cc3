import test from 'ava';
import { seconds, wholeNumber } from '../../lib/cli/numbers.ts';

test('numbers between the limits are taken, the limits themselves too', (t) => {
  for (const [text, value] of [
    ['1', 1],
    ['30000', 30_000],
  ] as const)
    t.is(wholeNumber(1, 30_000)(text), value);
  for (const [text, value] of [
    ['0.1', 0.1],
    ['86400', 86_400],
  ] as const)
    t.is(seconds(0.1, 86_400)(text), value);
});

test('anything else is refused with the limits', (t) => {
  for (const text of ['0', '30001', '1.5', 'many', '', '-1', 'NaN'])
    t.throws(() => wholeNumber(1, 30_000)(text), { message: 'It must be a whole number from 1 to 30000.' }, text);
  for (const text of ['0', '86401', '1s', '', 'NaN', 'Infinity'])
    t.throws(() => seconds(0.1, 86_400)(text), { message: 'It must be 0.1 to 86400 seconds.' }, text);
});
