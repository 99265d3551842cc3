/** One figure of several paths and settings, with its spread: bars, and the same as a table. Pure. */
import type { BenchReport, ResultRow } from '../bench/report.ts';
import { type BarGroup, type BarRow, barPlot } from './bars.ts';
import { type Html, html, type TableColumn, table } from './html.ts';
import { figure, linearScale } from './numbers.ts';
import { groupBy, isWeft, settingTitle } from './rows.ts';

export const READING =
  'Bar: median; line: from the least to the greatest; dot: one round, hollow where it lies far from the others. Blue is Weft.';

/** `of`: the rows of one metric. */
export function repeatBars(rows: readonly ResultRow[], axis: string): Html {
  return barPlot({
    scale: linearScale(rows.flatMap(({ samples }) => samples)),
    axis,
    groups: bySetting(rows, repeatRow),
  });
}

/** Groups with the setting as title; of one setting too, as it says what was measured. */
export function bySetting<Row extends { readonly setting: string }>(
  rows: readonly Row[],
  make: (row: Row) => BarRow,
): BarGroup[] {
  return [...groupBy(rows, ({ setting }) => setting)].map(([setting, group]) => ({
    title: settingTitle(setting),
    rows: group.map(make),
  }));
}

function repeatRow(row: ResultRow): BarRow {
  return {
    label: row.path,
    value: figure(row.median),
    segments: [{ from: 0, to: row.median, tone: isWeft(row.path) ? 'weft' : 'other' }],
    spread: [row.min, row.max],
    dots: dotsOf(row),
  };
}

/** Each round, hollow where it is an outlier. */
export function dotsOf({ samples, outliers }: ResultRow): { at: number; hollow: boolean }[] {
  return samples.map((at, index) => ({ at, hollow: outliers.includes(index) }));
}

export interface ExtraColumn {
  readonly title: string;
  /** Words, and not numbers. */
  readonly words?: true;
  readonly cell: (row: ResultRow) => string;
}

export function repeatTable(
  caption: string,
  unit: string,
  rows: readonly ResultRow[],
  more: readonly ExtraColumn[] = [],
): Html {
  const columns: TableColumn[] = [
    { title: 'Path' },
    { title: 'Setting' },
    ...[unit, '±', 'min', 'max', 'of kernel-vxlan'].map((title) => ({ title, number: true })),
    ...more.map(({ title, words }) => ({ title, number: words !== true })),
    { title: 'rounds' },
  ];
  return table(
    caption,
    columns,
    rows.map((row) => [
      row.path,
      row.setting,
      figure(row.median),
      row.samples.length > 1 ? figure(row.deviation) : '-',
      figure(row.min),
      figure(row.max),
      row.ratioToKernelVxlan === null ? '-' : figure(row.ratioToKernelVxlan),
      ...more.map(({ cell }) => cell(row)),
      roundsCell(row),
    ]),
  );
}

function roundsCell({ samples, outliers }: ResultRow): Html {
  return html`${samples.map((sample, index) => `${index === 0 ? '' : ', '}${figure(sample)}${outliers.includes(index) ? '*' : ''}`)}`;
}

/** A figure of the same measurement, for a column beside it. */
export function beside(report: BenchReport, row: ResultRow, metric: string): ResultRow | undefined {
  return report.results.find(
    (other) =>
      other.metric === metric && other.setting === row.setting && other.test === row.test && other.path === row.path,
  );
}
