/** CPU seconds for a gigabyte, user and kernel, weftd and the rest of the machine; and memory. Pure. */
import type { BenchReport, ResultRow } from '../bench/report.ts';
import { type BarRow, barPlot, type Tone } from './bars.ts';
import { notMeasured, type Section, type SectionPart } from './figure.ts';
import { type Html, table } from './html.ts';
import { figure, figures, linearScale } from './numbers.ts';
import { beside, bySetting, dotsOf } from './repeats.ts';
import { byPath, isWeft, phraseOf, rowsOf, settingPhrase, subjectOf } from './rows.ts';

const LEGEND: readonly (readonly [Tone, string])[] = [
  ['weft', 'weftd, its own'],
  ['weft-2', 'weftd, in the kernel'],
  ['other', 'all else, user'],
  ['other-2', 'all else, kernel'],
];

export function cpuSection(report: BenchReport): Section {
  return { id: 'cpu', title: 'CPU and memory', parts: [cpuFigure(report), memoryFigure(report)] };
}

function cpuFigure(report: BenchReport): SectionPart {
  const rows = rowsOf(report, { test: 'tcp1', metric: 'machineCpu' });
  if (rows.length === 0) return notMeasured('CPU time for a gigabyte');
  const subject = subjectOf(rows)!;
  const base = rows.find(({ path, setting }) => path === 'kernel-vxlan' && setting === subject.setting);
  const daemon = beside(report, subject, 'daemonCpu');
  const daemons = daemon === undefined ? '' : `, ${figure(daemon.median)} of them in weftd`;
  const than = base === undefined || base === subject ? '' : `; through ${phraseOf(base.path)} ${figure(base.median)}`;
  return {
    id: 'cpu-gb',
    finding: `A gigabyte by one TCP stream through ${phraseOf(subject.path)} takes ${figure(subject.median)} CPU seconds of the machine ${settingPhrase(subject.setting)}${daemons}${than}.`,
    picture: barPlot({
      scale: linearScale(rows.flatMap((row) => [row.max, partsOf(report, row).at(-1)?.to ?? 0])),
      axis: 's/GB',
      groups: bySetting(
        rows,
        (row): BarRow => ({
          label: row.path,
          value: figure(row.median),
          segments: partsOf(report, row),
          spread: [row.min, row.max],
          dots: dotsOf(row),
        }),
      ),
      legend: LEGEND,
    }),
    reading:
      'Bar: medians of the rounds; line and dots: the machine in each round. Busy CPU seconds of both hosts, of sender and receiver too, for 10⁹ bytes of payload.',
    numbers: cpuTable(report),
  };
}

/** Side by side: the daemons' user and kernel time, then what the rest of the machine has of each. */
function partsOf(report: BenchReport, row: ResultRow): { from: number; to: number; tone: Tone }[] {
  const of = (metric: string): number => beside(report, row, metric)?.median ?? 0;
  const parts: [Tone, number][] = [
    ['weft', of('daemonUser')],
    ['weft-2', of('daemonKernel')],
    ['other', of('machineUser') - of('daemonUser')],
    ['other-2', of('machineKernel') - of('daemonKernel')],
  ];
  let sum = 0;
  return parts.flatMap(([tone, value]) => {
    // Medians of different metrics may be of different rounds, and a difference of them below 0.
    if (value <= 0) return [];
    const from = sum;
    sum += value;
    return [{ from, to: sum, tone }];
  });
}

function cpuTable(report: BenchReport): Html {
  const metrics = ['machineCpu', 'machineUser', 'machineKernel', 'daemonCpu', 'daemonUser', 'daemonKernel'];
  const titles = ['Path', 'Setting', 'Test', 'machine', '±', 'user', 'kernel', 'weftd', 'user', 'kernel'];
  const rows = ['tcp1', 'tcp4', 'tcp16', 'bidir'].flatMap((test) => rowsOf(report, { test, metric: 'machineCpu' }));
  return table(
    'CPU seconds for a gigabyte',
    titles.map((title, index) => ({ title, number: index > 2 })),
    rows.map((row) => {
      const cells = metrics
        .map((metric) => beside(report, row, metric))
        .map((cell) => (cell === undefined ? '-' : figure(cell.median)));
      const deviation = row.samples.length > 1 ? figure(row.deviation) : '-';
      return [row.path, row.setting, row.test, cells[0] ?? '-', deviation, ...cells.slice(1)];
    }),
  );
}

function memoryFigure({ daemon }: BenchReport): SectionPart {
  const resident = Object.entries(daemon?.residentBytesOf ?? {}).toSorted(([a], [b]) => byPath(a, b));
  if (daemon === null || resident.length === 0) return notMeasured('memory of the daemons');
  const values = resident.map(([, bytes]) => bytes / 1e6);
  const ready = daemon.readySeconds;
  const start = ready.length === 0 ? '' : `; it is ready ${figures(ready)} s after its start`;
  return {
    id: 'memory',
    finding: `After its load a daemon has ${figures(values)} MB resident${start}.`,
    picture: barPlot({
      scale: linearScale(values),
      axis: 'MB',
      groups: [
        {
          title: '',
          rows: resident.map(([path, bytes]) => ({
            label: path,
            value: figure(bytes / 1e6),
            segments: [{ from: 0, to: bytes / 1e6, tone: isWeft(path) ? 'weft' : 'other' }],
          })),
        },
      ],
    }),
    reading: 'The most that a daemon of the path had, of both hosts and all rounds.',
    numbers: table(
      'Resident memory',
      [{ title: 'Path' }, { title: 'MB', number: true }],
      resident.map(([path, bytes]) => [path, figure(bytes / 1e6)]),
    ),
  };
}
