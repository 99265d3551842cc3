/** A series of values in one row of a terminal. */

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const NOTHING = ' ';

/**
 * `columns` characters for `values`, the newest at the right, each the largest of those it stands for, against `most`. What is not 0 is
 * seen; missing values at the left are blank.
 */
export function sparkline(values: readonly number[], columns: number, most: number, each: number): string {
  let line = '';
  for (let column = 0; column < columns; column++) {
    const end = values.length - (columns - 1 - column) * each;
    const group = end <= 0 ? [] : values.slice(Math.max(0, end - each), end);
    line += blockOf(Math.max(0, ...group), most);
  }
  return line;
}

function blockOf(value: number, most: number): string {
  if (!(value > 0) || !(most > 0)) return NOTHING;
  return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor((value / most) * BLOCKS.length))]!;
}
