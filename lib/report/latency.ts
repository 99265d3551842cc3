/** Round-trip times: idle, and beside one TCP stream at half and at full speed. Pure. */
import type { LatencyRow } from '../bench/latencies.ts';
import type { BenchReport, ResultRow } from '../bench/report.ts';
import { formatCount } from '../units.ts';
import { type BarGroup, type BarRow, barPlot } from './bars.ts';
import { notMeasured, type Section, type SectionPart } from './figure.ts';
import { table } from './html.ts';
import { count, figure, logScale, milliseconds } from './numbers.ts';
import { beside, dotsOf, repeatTable } from './repeats.ts';
import { byPath, groupBy, isWeft, phraseOf, rowsOf, subjectOf } from './rows.ts';

const LOADS = [
  ['rtt', 'idle'],
  ['rtt-half', 'beside a TCP stream at half speed'],
  ['rtt-full', 'beside a TCP stream at full speed'],
] as const;

const wordsOf = (test: string): string => LOADS.find(([name]) => name === test)?.[1] ?? test;

export function latencySection(report: BenchReport): Section {
  const rows = LOADS.flatMap(([test]) => rowsOf(report, { test, metric: 'p50' }));
  const missing = LOADS.filter(([test]) => !rows.some((row) => row.test === test)).map(([, words]) =>
    notMeasured(`round trips, ${words}`),
  );
  const ranges = rows.length === 0 ? undefined : rangeFigure(report, rows);
  return { id: 'latency', title: 'Round-trip time', parts: [ranges, distributionFigure(report), ...missing] };
}

function rangeFigure(report: BenchReport, rows: readonly ResultRow[]): SectionPart {
  const high = (row: ResultRow): ResultRow | undefined => beside(report, row, 'p99');
  const values = rows.flatMap((row) => [...row.samples, ...(high(row)?.samples ?? [])]);
  const groups = [...groupBy(rows, placeOf)].map(
    ([title, group]): BarGroup => ({
      title,
      rows: group.map((row) => {
        const p99 = high(row);
        return {
          label: row.path,
          value: `${milliseconds(row.median)} – ${p99 === undefined ? '?' : milliseconds(p99.median)}`,
          segments: [{ from: row.median, to: p99?.median ?? row.median, tone: isWeft(row.path) ? 'weft' : 'other' }],
          dots: [...dotsOf(row), ...(p99 === undefined ? [] : dotsOf(p99))],
        };
      }),
    }),
  );
  return {
    id: 'rtt',
    finding: `${finding(rows)}.`,
    picture: barPlot({ scale: logScale(values), axis: 'ms', groups }),
    reading:
      'Bar: from p50 to p99, medians of the rounds; dot: p50 and p99 of one round, hollow where it lies far from the others. The axis is logarithmic. Blue is Weft.',
    numbers: repeatTable('Round-trip time, p50 in ms', 'p50 ms', rows, [
      { title: 'p99 ms', cell: (row) => milliseconds(high(row)?.median ?? 0) },
      { title: 'lost', cell: (row) => count(beside(report, row, 'lost')?.median ?? 0) },
      { title: 'load Gb/s', cell: (row) => figure(beside(report, row, 'load')?.median ?? 0) },
      { title: 'load', words: true, cell: ({ test }) => wordsOf(test) },
    ]),
  };
}

/** "free, idle" */
function placeOf({ setting, test }: { readonly setting: string; readonly test: string }): string {
  return `${setting}, ${wordsOf(test)}`;
}

/** "Half of the echoes through Weft over UDP are back after 0.21 ms idle, 1.1 ms beside a TCP stream at full speed; through the kernel's VXLAN after 0.045, 0.41 ms" */
function finding(rows: readonly ResultRow[]): string {
  const subject = subjectOf(rows)!;
  const of = (path: string, test: string): ResultRow | undefined =>
    rows.find((row) => row.path === path && row.test === test && row.setting === subject.setting);
  const tests = LOADS.map(([test]) => test).filter((test) => of(subject.path, test) !== undefined);
  const ours = tests
    .map((test) => `${milliseconds(of(subject.path, test)?.median ?? 0)} ms ${wordsOf(test)}`)
    .join(', ');
  const base = tests.flatMap((test) => of('kernel-vxlan', test)?.median ?? []);
  const others =
    base.length === 0 || subject.path === 'kernel-vxlan'
      ? ''
      : `; through ${phraseOf('kernel-vxlan')} after ${base.map(milliseconds).join(', ')} ms`;
  return `Half of the echoes through ${phraseOf(subject.path)} are back after ${ours}${others}`;
}

function distributionFigure({ latencies = [], results }: BenchReport): SectionPart {
  const rows = latencies
    .filter((row) => row.count > 0)
    .toSorted((a, b) => rank(a.test) - rank(b.test) || byPath(a.path, b.path));
  if (rows.length === 0) return notMeasured('how round-trip times are distributed');
  const echoes = rows.reduce((sum, row) => sum + row.count, 0);
  const scale = logScale(rows.flatMap((row) => [edgeMs(row, 0), edgeMs(row, row.counts.length)]));
  const groups = [...groupBy(rows, placeOf)].map(
    ([title, group]): BarGroup => ({
      title,
      rows: group.map((row) => ({
        label: row.path,
        value: milliseconds(medianOf(row, results)),
        segments: [],
        columns: columnsOf(row),
      })),
    }),
  );
  return {
    id: 'distribution',
    finding: `Where ${formatCount(echoes)} echoes lie: ${spreadFinding(rows)}.`,
    picture: barPlot({ scale, axis: 'ms', groups }),
    reading:
      'Height: share of the echoes of all rounds, each row by its own highest; at the end of a row its p50. The axis is logarithmic. Blue is Weft.',
    numbers: table(
      'Echoes by round-trip time',
      [
        { title: 'Path' },
        { title: 'Setting' },
        { title: 'Test' },
        { title: 'from ms', number: true },
        { title: 'below ms', number: true },
        { title: 'echoes', number: true },
      ],
      rows.flatMap((row) =>
        row.counts.flatMap((number, k) =>
          number === 0
            ? []
            : [
                [
                  row.path,
                  row.setting,
                  row.test,
                  milliseconds(edgeMs(row, k)),
                  milliseconds(edgeMs(row, k + 1)),
                  formatCount(number),
                ],
              ],
        ),
      ),
    ),
  };
}

/** "nine of ten take 0.15 to 0.35 ms through Weft over UDP, idle; 0.011 to 0.022 ms through the kernel's VXLAN" */
function spreadFinding(rows: readonly LatencyRow[]): string {
  const subject = subjectOf(rows)!;
  const base = rows.find(
    ({ path, test, setting }) => path === 'kernel-vxlan' && test === subject.test && setting === subject.setting,
  );
  const most = (row: LatencyRow): string =>
    `${milliseconds(quantileMs(row, 0.05))} to ${milliseconds(quantileMs(row, 0.95))} ms through ${phraseOf(row.path)}`;
  const others = base === undefined || base === subject ? '' : `; ${most(base)}`;
  return `nine of ten take ${most(subject)}, ${wordsOf(subject.test)}${others}`;
}

/** The middle, on the logarithmic axis, of the bucket that holds it. */
function quantileMs(row: LatencyRow, share: number): number {
  let before = 0;
  const bucket = row.counts.findIndex((number) => {
    before += number;
    return before >= share * row.count;
  });
  return edgeMs(row, Math.max(bucket, 0) + 0.5);
}

function rank(test: string): number {
  return LOADS.findIndex(([name]) => name === test);
}

function medianOf({ setting, test, path }: LatencyRow, results: BenchReport['results']): number {
  const row = results.find(
    (other) => other.metric === 'p50' && other.setting === setting && other.test === test && other.path === path,
  );
  return row?.median ?? 0;
}

/** Where bucket `k` begins. */
function edgeMs({ first, bucketsPerOctave }: LatencyRow, k: number): number {
  return 2 ** ((first + k) / bucketsPerOctave) / 1000;
}

function columnsOf(row: LatencyRow): NonNullable<BarRow['columns']> {
  const most = Math.max(...row.counts);
  const tone = isWeft(row.path) ? 'weft' : 'other';
  return row.counts.flatMap((number, k) =>
    number === 0 ? [] : [{ from: edgeMs(row, k), to: edgeMs(row, k + 1), tone, height: number / most } as const],
  );
}
