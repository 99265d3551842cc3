/** Drawing a text in the same place again and again on a terminal. */

/** Cursor home, erase to the end of the line, erase to the end of the display: ECMA-48 §8.3.57, §8.3.41, §8.3.39. */
const HOME = '\u001b[H';
const ERASE_LINE = '\u001b[K';
const ERASE_REST = '\u001b[J';

const USUAL_ROWS = 24;
const USUAL_COLUMNS = 80;

/**
 * What shows `text` from the top left corner: as much as `rows` and `columns` have room for, so that nothing scrolls. The last
 * row stays free for the cursor. A serial line and some containers say that they have 0 of both: then they are taken for 24 and 80.
 */
export function drawn(text: string, { rows, columns }: { readonly rows: number; readonly columns: number }): string {
  const lines = text.trimEnd().split('\n');
  const room = Math.max(1, (rows || USUAL_ROWS) - 1);
  const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), `(${lines.length - room + 1} more lines)`];
  return `${HOME}${shown.map((line) => `${line.slice(0, columns || USUAL_COLUMNS)}${ERASE_LINE}\n`).join('')}${ERASE_REST}`;
}
