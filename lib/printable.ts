/**
 * Text from outside (etcd, the network, a command line) where a person reads it: in a table, a message, a log. What it holds
 * could command the terminal, forge lines or fill the screen. JSON stays exact: there the same characters are JSON escapes.
 */

/** Our choice: longer than any sentence of ours. */
const MOST_CHARACTERS = 300;
/** Our choice: a command in a hint has to be complete. */
const MOST_OF_LINE = 2000;

/** Controls (C0, C1, DEL), format characters (bidi overrides, zero-width ones), line and paragraph separators, half surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same beyond what JSON.stringify escapes; line ends and tabs are those of the layout. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line without anything that a terminal obeys; of a long one the first `most` characters and how long it is. */
export function printable(text: string, most: number = MOST_CHARACTERS): string {
  const shown = text.length <= most ? text : text.slice(0, most);
  const rest = text.length <= most ? '' : `... (${text.length} characters)`;
  return `${shown.replace(UNPRINTABLE, escaped)}${rest}`;
}

/** Lines of ours that may hold text from outside. */
export function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line, MOST_OF_LINE))
    .join('\n');
}

/** The same of all text in a value, as a reply that is shown; of long ones the first `most` characters. */
export function printableAll<T>(value: T, most?: number): T {
  // The shape stays, so the type does.
  if (typeof value === 'string') return printable(value, most) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => printableAll(item, most)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, printableAll<unknown>(item, most)])) as T;
}

/** JSON that can be shown: the same value, and nothing in it that a terminal obeys. `indent`: spaces. */
export function toJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent));
}

/** The same of JSON text; of other text it makes escapes of the characters all the same. */
export function escapeJson(text: string): string {
  return text.replace(UNPRINTABLE_IN_JSON, escaped);
}

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  // Beyond the first plane two escapes, as in JSON.
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}
