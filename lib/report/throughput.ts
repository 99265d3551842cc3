/** How fast TCP goes: one, four and sixteen streams, and both directions at once. Pure. */
import type { BenchReport, ResultRow } from '../bench/report.ts';
import { type BarRow, barPlot } from './bars.ts';
import { notMeasured, type Section, type SectionPart } from './figure.ts';
import { count, figure, linearScale } from './numbers.ts';
import { beside, bySetting, dotsOf, READING, repeatBars, repeatTable } from './repeats.ts';
import { isWeft, phraseOf, rowsOf, settingPhrase, subjectOf } from './rows.ts';

const STREAMS = [
  ['tcp1', 'One TCP stream'],
  ['tcp4', 'Four TCP streams'],
  ['tcp16', 'Sixteen TCP streams'],
] as const;

export function throughputSection(report: BenchReport): Section {
  const streams = STREAMS.map(([test, words]) => streamFigure(report, test, words));
  return { id: 'throughput', title: 'Throughput', parts: [...streams, bothWaysFigure(report)] };
}

function streamFigure(report: BenchReport, test: string, words: string): SectionPart {
  const rows = rowsOf(report, { test, metric: 'throughput' });
  if (rows.length === 0) return notMeasured(words.toLowerCase().replace('tcp', 'TCP'));
  const retransmits = (row: ResultRow): string => count(beside(report, row, 'retransmits')?.median ?? 0);
  return {
    id: test,
    finding: `${words}: ${compare(rows, 'Gb/s')}.`,
    picture: repeatBars(rows, 'Gb/s'),
    reading: READING,
    numbers: repeatTable(`${words}, Gb/s`, 'Gb/s', rows, [{ title: 'retransmits', cell: retransmits }]),
  };
}

/**
 * "Weft over UDP reaches 0.53 of the kernel's VXLAN (6.3 of 12 Gb/s), 0.20 on one core; plain routing 2.1": the first path of
 * ours that was measured beside kernel-vxlan, in the first setting and then in the others.
 */
export function compare(rows: readonly ResultRow[], unit: string): string {
  const subject = subjectOf(rows);
  if (subject === undefined) return 'nothing was measured';
  const base = rows.find(({ path, setting }) => path === 'kernel-vxlan' && setting === subject.setting);
  if (base === undefined || base === subject || subject.ratioToKernelVxlan === null)
    return `${phraseOf(subject.path)} carries ${figure(subject.median)} ${unit} ${settingPhrase(subject.setting)}`;
  const first = `${phraseOf(subject.path)} reaches ${figure(subject.ratioToKernelVxlan)} of ${phraseOf(base.path)} ${settingPhrase(subject.setting)} (${figure(subject.median)} of ${figure(base.median)} ${unit})`;
  const others = rows.flatMap(({ path, setting, ratioToKernelVxlan: ratio }) =>
    path === subject.path && setting !== subject.setting && ratio !== null
      ? `${figure(ratio)} ${settingPhrase(setting)}`
      : [],
  );
  const plain = rows.find(({ path, setting }) => path === 'plain-routing' && setting === subject.setting);
  const routing =
    plain === undefined || plain.ratioToKernelVxlan === null
      ? ''
      : `; plain routing ${figure(plain.ratioToKernelVxlan)}`;
  return `${[first, ...others].join(', ')}${routing}`;
}

function bothWaysFigure(report: BenchReport): SectionPart {
  const rows = rowsOf(report, { test: 'bidir', metric: 'throughput' });
  if (rows.length === 0) return notMeasured('both directions at once');
  // The throughput is the sum of both.
  const backOf = (row: ResultRow): number => beside(report, row, 'back')?.median ?? 0;
  const bar = (row: ResultRow): BarRow => ({
    label: row.path,
    value: figure(row.median),
    segments: [
      { from: 0, to: row.median - backOf(row), tone: isWeft(row.path) ? 'weft' : 'other' },
      { from: row.median - backOf(row), to: row.median, tone: isWeft(row.path) ? 'weft-2' : 'other-2' },
    ],
    spread: [row.min, row.max],
    dots: dotsOf(row),
  });
  const subject = subjectOf(rows)!;
  const one = rowsOf(report, { test: 'tcp1', metric: 'throughput', setting: subject.setting, path: subject.path })[0];
  const beside1 = one === undefined ? '' : `, beside ${figure(one.median)} in one direction alone`;
  return {
    id: 'bidir',
    finding: `Both directions at once: ${phraseOf(subject.path)} carries ${figure(subject.median)} Gb/s in all${beside1}.`,
    picture: barPlot({
      scale: linearScale(rows.flatMap(({ samples }) => samples)),
      axis: 'Gb/s',
      groups: bySetting(rows, bar),
    }),
    reading:
      'Bar: median of both directions together, of which the lighter part came back; line and dots: rounds. Blue is Weft.',
    numbers: repeatTable('Both directions, Gb/s', 'Gb/s', rows, [
      { title: 'back', cell: (row) => figure(backOf(row)) },
    ]),
  };
}
