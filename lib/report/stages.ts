/** What a packet costs in each stage of weftd, stacked. Pure. */
import type { BenchReport } from '../bench/report.ts';
import type { StageRow } from '../bench/stage-times.ts';
import { type BarGroup, type BarRow, barPlot, type Tone } from './bars.ts';
import { packetBytes } from './curves.ts';
import { notMeasured, type Section, type SectionPart } from './figure.ts';
import { type Html, html, table } from './html.ts';
import { figure, linearScale } from './numbers.ts';
import { byPath, groupBy, phraseOf, subjectOf } from './rows.ts';

/** Tones by the order of a turn: our own code is what stands out, around it are waking and system calls. */
const TONES: Readonly<Record<string, Tone>> = {
  'wake-up': 'part-1',
  read: 'part-2',
  receive: 'part-2',
  code: 'weft',
  send: 'part-3',
  write: 'part-3',
};
const LEGEND: readonly (readonly [Tone, string])[] = [
  ['part-1', 'wake-up'],
  ['part-2', 'read, receive'],
  ['weft', 'our code'],
  ['part-3', 'send, write'],
];
const ENDS: Readonly<Record<string, string>> = { sender: 'at the sender', receiver: 'at the receiver' };

export function stagesSection(report: BenchReport): Section {
  const rows = (report.stages ?? []).filter(({ setting }) => setting === 'free');
  const tests = [...groupBy(rows.length > 0 ? rows : (report.stages ?? []), ({ test }) => test)];
  // The smallest packets, and TCP by one stream: the extremes. All others are in the table.
  const shown = tests.filter(([test]) => test === 'tcp1' || packetBytes(test) === 64);
  const figures = (shown.length > 0 ? shown : tests.slice(0, 1)).map(([test, group]) => stageFigure(test, group));
  const parts =
    tests.length === 0 ? [notMeasured('what a packet costs in each stage')] : [...figures, allTests(report)];
  return { id: 'stages', title: 'Cost of a packet, by stage', parts };
}

function stageFigure(test: string, rows: readonly StageRow[]): SectionPart {
  const ordered = rows.toSorted((a, b) => byPath(a.path, b.path));
  const groups = ['sender', 'receiver'].map(
    (side): BarGroup => ({
      title: ENDS[side] ?? side,
      rows: [
        ...groupBy(
          ordered.filter((row) => row.side === side),
          ({ path }) => path,
        ),
      ].map(([path, group]) => stack(path, group)),
    }),
  );
  const totals = groups.flatMap((group) => group.rows.map((row) => row.segments.at(-1)?.to ?? 0));
  const what = packetBytes(test) === undefined ? 'of one TCP stream' : `of ${packetBytes(test)} bytes`;
  return {
    id: `stages-${test}`,
    finding: `${finding(rows, what)}.`,
    picture: barPlot({
      scale: linearScale(totals),
      axis: 'ns',
      groups: groups.filter((group) => group.rows.length > 0),
      legend: LEGEND,
    }),
    reading:
      'Mean nanoseconds for each inner packet, medians of the rounds, by the stage clock of one round in 64. What a packet waits in a queue is not in it.',
    numbers: stageTable(`Stages, ${test}`, ordered),
  };
}

function stack(label: string, rows: readonly StageRow[]): BarRow {
  let sum = 0;
  const segments = rows.map(({ stage, median }) => {
    const from = sum;
    sum += median;
    return { from, to: sum, tone: TONES[stage] ?? 'part-1' };
  });
  return { label, value: figure(sum), segments };
}

/** "A packet of one TCP stream through Weft over UDP costs weftd 812 ns at the sender and 640 at the receiver, our own code takes 90 and 120 ns of it" */
function finding(rows: readonly StageRow[], what: string): string {
  const path = subjectOf(rows)?.path ?? '';
  const sum = (side: string, stage?: string): number =>
    rows
      .filter((row) => row.path === path && row.side === side && (stage === undefined || row.stage === stage))
      .reduce((all, { median }) => all + median, 0);
  const sides = ['sender', 'receiver'].filter((side) => sum(side) > 0);
  const each = sides.map((side) => `${figure(sum(side))} ns ${ENDS[side] ?? side}`).join(' and ');
  const own = sides.map((side) => figure(sum(side, 'code'))).join(' and ');
  return `A packet ${what} through ${phraseOf(path)} costs weftd ${each}; our own code takes ${own} ns of it`;
}

function allTests({ stages = [] }: BenchReport): Html {
  const rows = stages.toSorted((a, b) => byPath(a.path, b.path));
  return html`<details><summary>Stages of all tests and settings</summary>${stageTable('Stages of all tests', rows)}</details>`;
}

function stageTable(caption: string, rows: readonly StageRow[]): Html {
  const titles = ['Path', 'Setting', 'Test', 'End', 'Stage', 'ns a packet', '±', 'min', 'max'];
  return table(
    caption,
    titles.map((title, index) => ({ title, number: index > 4 })),
    rows.map((row) => [
      row.path,
      row.setting,
      row.test,
      row.side,
      row.stage,
      figure(row.median),
      row.samples.length > 1 ? figure(row.deviation) : '-',
      figure(row.min),
      figure(row.max),
    ]),
  );
}
