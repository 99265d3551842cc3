/** The tables of a report of `weft bench`, one a test. */
import { isTcp, isUdp, LOADS, type Metric, PACKET_SIZES, STREAMS, type TestName } from '../../bench/matrix.ts';
import { findRow, type ResultRow } from '../../bench/report.ts';
import { type Column, formatTable } from '../table.ts';
import { formatCount } from '../units.ts';

interface Layout {
  readonly title: string;
  /** The figure that is compared. */
  readonly main: Metric;
  readonly mainTitle: string;
  readonly digits: number;
  /** More columns, without spread. `median`: of another metric of the same measurement. */
  readonly others: readonly {
    readonly title: string;
    readonly align: 'left' | 'right';
    readonly cell: (median: (metric: Metric) => number | undefined, row: ResultRow) => string | undefined;
  }[];
}

type Other = Layout['others'][number];

function plain(title: string, metric: Metric, digits: number): Other {
  return { title, align: 'right', cell: (median) => number(median(metric), digits) };
}

/** How much of the CPU time was the kernel's. */
function kernelShare(all: Metric, kernel: Metric): Other {
  return {
    title: 'kernel',
    align: 'right',
    cell: (median) => {
      const [whole, part] = [median(all) ?? 0, median(kernel)];
      return part === undefined || whole === 0 ? undefined : `${Math.round((part / whole) * 100)} %`;
    },
  };
}

const TCP_OTHERS: Layout['others'] = [
  plain('CPU s/GB', 'machineCpu', 2),
  kernelShare('machineCpu', 'machineKernel'),
  plain('weftd s/GB', 'daemonCpu', 2),
  kernelShare('daemonCpu', 'daemonKernel'),
  plain('retransmits', 'retransmits', 0),
];
const RTT_OTHERS: Layout['others'] = [plain('p99 ms', 'p99', 3), plain('lost', 'lost', 0)];

function layoutOf(test: TestName): Layout {
  if (isTcp(test)) {
    const { streams, bothWays } = STREAMS[test];
    const count = `${streams} stream${streams === 1 ? '' : 's'}`;
    const others = bothWays ? [plain('of it back', 'back', 2), ...TCP_OTHERS] : TCP_OTHERS;
    const title = `TCP, ${count}${bothWays ? ' in each direction at once' : ''}`;
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

function udpLayout(packetBytes: number): Layout {
  return {
    title: `UDP, ${packetBytes}-byte packets, highest rate without loss`,
    main: 'rate',
    mainTitle: 'packets/s',
    digits: 0,
    others: [
      { title: 'Gb/s', align: 'right', cell: (_, { median }) => number((median * packetBytes * 8) / 1e9, 2) },
      { title: 'limited by', align: 'left', cell: (_, { limits = [] }) => countLimits(limits) },
    ],
  };
}

/** '' where it was not measured. */
export function formatTest(rows: readonly ResultRow[], test: TestName): string {
  const { title, main, mainTitle, digits, others } = layoutOf(test);
  const lines = rows.filter((row) => row.test === test && row.metric === main);
  if (lines.length === 0) return '';
  // A column without a single figure says nothing: no daemon was there.
  const cells = lines.map((row) =>
    others.map(({ cell }) => cell((metric) => findRow(rows, row.setting, test, metric, row.path)?.median, row)),
  );
  const shown = others.flatMap((_, index) => (cells.some((line) => line[index] !== undefined) ? [index] : []));
  const columns: Column[] = [
    { title: 'Setting' },
    { title: 'Path' },
    { title: mainTitle, align: 'right' },
    { title: '±', align: 'right' },
    { title: 'min–max', align: 'right' },
    { title: 'of kernel-vxlan', align: 'right' },
    ...shown.map((index): Column => ({ title: others[index]!.title, align: others[index]!.align })),
  ];
  const table = lines.map((row, line) => [
    row.setting,
    row.path,
    number(row.median, digits) ?? '',
    row.samples.length === 1 ? '-' : (number(row.deviation, digits) ?? ''),
    `${extreme(row, row.min, digits)}–${extreme(row, row.max, digits)}`,
    row.ratioToKernelVxlan === null ? '-' : row.ratioToKernelVxlan.toFixed(3),
    ...shown.map((index) => cells[line]![index] ?? '-'),
  ]);
  return `${title}\n${formatTable(columns, table)}`;
}

/** "10.42*": an outlier. Of outliers at one end the farthest is the end itself. */
function extreme({ samples, outliers }: ResultRow, value: number, digits: number): string {
  const isOutlier = outliers.some((index) => samples[index] === value);
  return `${number(value, digits)}${isOutlier ? '*' : ''}`;
}

/** "sender 3, loss 2" */
function countLimits(limits: readonly string[]): string {
  return [...new Set(limits)].map((limit) => `${limit} ${limits.filter((other) => other === limit).length}`).join(', ');
}

function number(value: number | undefined, digits: number): string | undefined {
  if (value === undefined) return undefined;
  return digits === 0 ? formatCount(value) : value.toFixed(digits);
}
