/** Text tables for people: columns separated by two spaces, numbers to the right, no lines, no colour. */
import { fitText } from '../fit-text.ts';

export interface Column {
  readonly title: string;
  /** Numbers go to the right, so that digits stand under digits. */
  readonly align?: 'left' | 'right';
}

/** Lines without trailing spaces, the titles first. Every row has as many cells as there are columns. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      columns
        .map((column, index) => {
          const cell = line[index] ?? '';
          const width = widths[index] ?? 0;
          return column.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** "Label      value" lines with the values in one column; a value of several lines stays in it, and one that is longer than `columns` leave room for is broken. */
export function formatFields(fields: readonly (readonly [label: string, value: string])[], columns = 0): string {
  const width = Math.max(...fields.map(([label]) => label.length)) + 2;
  const fitted = (value: string): string =>
    columns === 0
      ? value
      : value
          .split('\n')
          .map((line) => fitText(line, columns - width))
          .join('\n');
  return fields
    .map(([label, value]) => `${label.padEnd(width)}${fitted(value).replaceAll('\n', `\n${' '.repeat(width)}`)}\n`)
    .join('');
}
