/**
 * The token that the far side prints and a person types at the near side: 100 bits, too many to guess, in Crockford's base 32
 * (digits and capitals without I, L, O, U), four groups of five.
 */
import { WeftError } from '../../error.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CHARACTERS = 20;
const GROUP = 5;
/** Of chance for one token. Five of a byte's eight bits are used. */
export const TOKEN_BYTES = CHARACTERS;

/** "7K2QX-0MN4R-ZZ81T-P3VWA" of TOKEN_BYTES bytes of chance. */
export function formatToken(chance: Uint8Array): string {
  if (chance.length !== TOKEN_BYTES) throw new RangeError(`a token takes ${TOKEN_BYTES} bytes, not ${chance.length}`);
  const text = [...chance].map((byte) => ALPHABET[byte & 31]).join('');
  return text.match(new RegExp(`.{${GROUP}}`, 'g'))!.join('-');
}

/** What was typed as it was printed: case, spaces and hyphens do not matter, O is 0, I and L are 1. Code: FAR_TOKEN. */
export function normalizeToken(typed: string): string {
  const text = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  if (!new RegExp(`^[${ALPHABET}]{${CHARACTERS}}$`).test(text))
    throw new WeftError('FAR_TOKEN', `That is no token: it has ${CHARACTERS} letters and digits`, {
      hint: 'weft bench --serve has printed it on the far side',
    });
  return text;
}
