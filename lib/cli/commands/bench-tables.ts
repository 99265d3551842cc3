/** The tables of a report of `weft bench`, one a test, of TCP another for its CPU time: 80 columns. */
import { isTcp, isUdp, LOADS, type Metric, PACKET_SIZES, STREAMS, type TestName } from '../../bench/matrix.ts';
import { findRow, type ResultRow } from '../../bench/report.ts';
import { formatDecimal } from '../../units.ts';
import { type Column, formatTable } from '../table.ts';

interface Layout {
  readonly title: string;
  /** The figure that is compared. */
  readonly main: Metric;
  readonly mainTitle: string;
  readonly digits: number;
  /** More columns, without spread. `of`: the same measurement's row of another metric. */
  readonly others: readonly {
    readonly title: string;
    readonly cell: (of: (metric: Metric) => ResultRow | undefined, row: ResultRow) => string | undefined;
  }[];
}

type Other = Layout['others'][number];

function plain(title: string, metric: Metric, digits: number): Other {
  return { title, cell: (of) => number(of(metric)?.median, digits) };
}

/** A median with its spread, and how much of it was the kernel's. */
function cpuTime(title: string, all: Metric, kernel: Metric): Other[] {
  return [
    plain(title, all, 2),
    { title: '±', cell: (of) => deviation(of(all), 2) },
    {
      title: 'kernel',
      cell: (of) => {
        const [whole, part] = [of(all)?.median ?? 0, of(kernel)?.median];
        return part === undefined || whole === 0 ? undefined : `${Math.round((part / whole) * 100)} %`;
      },
    },
  ];
}

const RTT_OTHERS: Layout['others'] = [plain('p99 ms', 'p99', 3), plain('lost', 'lost', 0)];

function layoutOf(test: TestName): Layout {
  if (isTcp(test)) {
    const { bothWays } = STREAMS[test];
    const others = [...(bothWays ? [plain('back', 'back', 2)] : []), plain('retransmits', 'retransmits', 0)];
    const title = bothWays ? `${tcpTitle(test)}; back: what of it came back` : tcpTitle(test);
    return { title, main: 'throughput', mainTitle: 'Gb/s', digits: 2, others };
  }
  if (isUdp(test)) return udpLayout(PACKET_SIZES[test]);
  const beside = {
    0: 'idle',
    0.5: 'beside one TCP stream at half of its speed',
    1: 'beside one TCP stream at full speed',
  };
  const others = LOADS[test] === 0 ? RTT_OTHERS : [...RTT_OTHERS, plain('load Gb/s', 'load', 2)];
  return { title: `Round trip, ${beside[LOADS[test]]}`, main: 'p50', mainTitle: 'p50 ms', digits: 3, others };
}

function tcpTitle(test: keyof typeof STREAMS): string {
  const { streams, bothWays } = STREAMS[test];
  return `TCP, ${streams} stream${streams === 1 ? '' : 's'}${bothWays ? ' in each direction at once' : ''}`;
}

function udpLayout(packetBytes: number): Layout {
  return {
    title: `UDP, ${packetBytes}-byte packets, highest rate without loss`,
    main: 'rate',
    mainTitle: 'packets/s',
    digits: 0,
    others: [
      { title: 'Gb/s', cell: (_, { median }) => number((median * packetBytes * 8) / 1e9, 2) },
      { title: 'limited by', cell: (_, { limits = [] }) => mostFrequent(limits) },
    ],
  };
}

/** '' where it was not measured. */
export function formatTest(rows: readonly ResultRow[], test: TestName): string {
  const layout = layoutOf(test);
  const lines = rows.filter((row) => row.test === test && row.metric === layout.main);
  if (lines.length === 0) return '';
  const repeated = lines.some(({ samples }) => samples.length > 1);
  const compared = lines.some(({ ratioToKernelVxlan }) => ratioToKernelVxlan !== null);
  const spread: Other[] = [
    { title: '±', cell: (_, row) => deviation(row, layout.digits) },
    {
      title: 'min–max',
      cell: (_, row) => `${extreme(row, row.min, layout.digits)}–${extreme(row, row.max, layout.digits)}`,
    },
  ];
  const speed = formatLines(layout.title, rows, lines, [
    { title: layout.mainTitle, cell: (_, { median }) => number(median, layout.digits) },
    ...(repeated ? spread : []),
    ...(compared
      ? [{ title: 'ratio', cell: (_: unknown, row: ResultRow) => number(row.ratioToKernelVxlan ?? undefined, 3) }]
      : []),
    ...layout.others,
  ]);
  if (!isTcp(test)) return speed;
  const cpu = formatLines(`${tcpTitle(test)}: CPU seconds for a GB of payload`, rows, lines, [
    ...cpuTime('CPU s/GB', 'machineCpu', 'machineKernel'),
    ...cpuTime('weftd s/GB', 'daemonCpu', 'daemonKernel'),
  ]);
  return cpu === '' ? speed : `${speed}\n${cpu}`;
}

/** A table of rows that are about one test. Columns without a single figure are left out: no daemon was there. '' without any. */
function formatLines(
  title: string,
  rows: readonly ResultRow[],
  lines: readonly ResultRow[],
  columns: readonly Other[],
): string {
  const cells = lines.map((row) =>
    columns.map(({ cell }) => cell((metric) => findRow(rows, row.setting, row.test, metric, row.path), row)),
  );
  const shown = columns.flatMap((_, index) => (cells.some((line) => line[index] !== undefined) ? [index] : []));
  if (shown.length === 0) return '';
  // One setting is said once, in the title: there is no room for it beside long numbers.
  const settings = [...new Set(lines.map(({ setting }) => setting))];
  const [only, ...more] = settings;
  const table = formatTable(
    [
      ...(more.length === 0 ? [] : [{ title: 'Setting' }]),
      { title: 'Path' },
      ...shown.map((index): Column => ({ title: columns[index]!.title, align: 'right' })),
    ],
    lines.map((row, line) => [
      ...(more.length === 0 ? [] : [row.setting]),
      row.path,
      ...shown.map((index) => cells[line]![index] ?? '-'),
    ]),
  );
  return `${title}${more.length === 0 ? `, ${only}` : ''}\n${table}`;
}

/** undefined for one sample, which has none. */
function deviation(row: ResultRow | undefined, digits: number): string | undefined {
  return row === undefined || row.samples.length === 1 ? undefined : number(row.deviation, digits);
}

/** "10.42*": an outlier. Of outliers at one end the farthest is the end itself. */
function extreme({ samples, outliers }: ResultRow, value: number, digits: number): string {
  const isOutlier = outliers.some((index) => samples[index] === value);
  return `${number(value, digits)}${isOutlier ? '*' : ''}`;
}

/** "sender 4/5": what it was in most rounds. */
function mostFrequent(limits: readonly string[]): string | undefined {
  const counts = [...new Set(limits)].map(
    (limit) => [limit, limits.filter((other) => other === limit).length] as const,
  );
  const [first] = counts.toSorted(([, a], [, b]) => b - a);
  if (first === undefined) return undefined;
  return limits.length === 1 ? first[0] : `${first[0]} ${first[1]}/${limits.length}`;
}

function number(value: number | undefined, digits: number): string | undefined {
  return value === undefined ? undefined : formatDecimal(value, digits);
}
