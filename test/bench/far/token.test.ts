import test from 'ava';
import { formatToken, normalizeToken, TOKEN_BYTES } from '../../../lib/bench/far/token.ts';
import { random } from '../../random.ts';

test('a token is four groups of five, and can be typed carelessly', (t) => {
  const { next, seed } = random();
  for (let i = 0; i < 200; i++) {
    const printed = formatToken(Uint8Array.from({ length: TOKEN_BYTES }, () => next(256)));
    t.regex(printed, /^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/, `seed ${seed}`);
    const plain = printed.replaceAll('-', '');
    t.is(normalizeToken(printed), plain);
    t.is(normalizeToken(` ${printed.toLowerCase().replaceAll('-', ' ')}\n`), plain);
    t.is(normalizeToken(printed.replaceAll('0', 'o').replaceAll('1', 'l')), plain);
  }
});

test('what is no token is refused before anybody is asked', (t) => {
  for (const text of ['', 'secret', '7K2QX-0MN4R-ZZ81T-P3VW', '7K2QX-0MN4R-ZZ81T-P3VWU', '7K2QX-0MN4R-ZZ81T-P3VWAA'])
    t.throws(() => normalizeToken(text), { code: 'FAR_TOKEN' }, text);
});
