/** Drawing a text in the same place again and again on a terminal. */

/** Cursor home, erase to the end of the line, erase to the end of the display: ECMA-48 §8.3.57, §8.3.41, §8.3.39. */
const HOME = '\u001b[H';
const ERASE_LINE = '\u001b[K';
const ERASE_REST = '\u001b[J';

/**
 * What shows `text` from the top left corner: as much as `rows` and `columns` have room for, so that nothing scrolls. The last
 * row stays free for the cursor.
 */
export function drawn(text: string, { rows, columns }: { readonly rows: number; readonly columns: number }): string {
  const lines = text.trimEnd().split('\n');
  const room = Math.max(1, rows - 1);
  const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), `(${lines.length - room + 1} more lines)`];
  return `${HOME}${shown.map((line) => `${line.slice(0, columns)}${ERASE_LINE}\n`).join('')}${ERASE_REST}`;
}
