/** The report of `weft bench --peer` for people: 80 columns. */
import {
  type Direction,
  FAR_TESTS,
  type FarMetric,
  type FarReport,
  type FarRow,
  type FarSideReport,
  type FarTest,
  findFarRow,
} from '../../bench/far/far-report.ts';
import type { Role } from '../../bench/far/handshake.ts';
import { formatBytes, formatDecimal } from '../../units.ts';
import { type Column, formatFields, formatTable } from '../table.ts';

interface Cell {
  readonly title: string;
  readonly metric: FarMetric;
  /** `each`: of both machines, "here/far". */
  readonly sides: 'none' | 'each';
  readonly digits: number;
}

const COLUMNS = 80;

interface Layout {
  readonly title: string;
  /** The figure that is compared. */
  readonly main: FarMetric;
  readonly mainTitle: string;
  readonly digits: number;
  /** More medians, without spread. */
  readonly others: readonly Cell[];
}

const cell = (title: string, metric: FarMetric, digits: number, sides: Cell['sides'] = 'none'): Cell => ({
  title,
  metric,
  sides,
  digits,
});
const TCP_OTHERS = [cell('CPU s/GB', 'machineCpu', 2, 'each'), cell('weftd s/GB', 'daemonCpu', 2, 'each')];
const RTT: Omit<Layout, 'title'> = {
  main: 'p50',
  mainTitle: 'p50 ms',
  digits: 3,
  others: [cell('p99 ms', 'p99', 3), cell('lost', 'lost', 0)],
};
const TCP: Omit<Layout, 'title'> = { main: 'throughput', mainTitle: 'Gb/s', digits: 2, others: TCP_OTHERS };

const CPU_WORDS = 'CPU seconds per GB: here/far, of the machine and of weftd';
const LAYOUTS: Readonly<Record<FarTest, Layout>> = {
  tcp1: { title: `TCP, 1 stream; ${CPU_WORDS}`, ...TCP },
  tcp4: { title: `TCP, 4 streams; ${CPU_WORDS}`, ...TCP },
  udp64: {
    title: 'UDP, 64-byte packets, highest rate without loss',
    main: 'rate',
    mainTitle: 'packets/s',
    digits: 0,
    others: [],
  },
  rtt: { title: 'Round trip, idle', ...RTT },
  'rtt-full': {
    title: 'Round trip beside one TCP stream to the far side',
    ...RTT,
    others: [...RTT.others, cell('stream Gb/s', 'load', 2)],
  },
};

const WAYS: Readonly<Record<Direction, string>> = { 'to-far': 'to far', 'from-far': 'from far', both: '' };

export function formatFarReport(report: FarReport): string {
  const tables = FAR_TESTS.map((test) => formatTest(report.results, test)).filter((text) => text !== '');
  return [formatConditions(report), ...tables, formatEnd(report)].filter((text) => text !== '').join('\n');
}

function formatConditions(report: FarReport): string {
  const { near, far, method, overlay, tcpMss } = report;
  const mss = Object.entries(tcpMss).map(([path, bytes]) => `${path} ${bytes}`);
  const fields: (readonly [string, string])[] = [
    ['Here', describeSide(near)],
    ['Far side', describeSide(far)],
    ['Rounds', `${method.rounds}, interleaved, ${report.durationSeconds} s in all`],
    ['Tables', 'median, min–max; ratio: to the underlay, same way'],
    ...(overlay === null
      ? []
      : [
          [
            'Overlay',
            `${overlay.name === '' ? '' : `${overlay.name}, `}${overlay.backend}, MTU ${overlay.mtu}, as it runs`,
          ] as const,
        ]),
    [
      'TCP',
      `${method.congestionControl}, ${method.tcpSeconds} s after ${method.tcpOmittedSeconds} s that do not count`,
    ],
    ...(mss.length === 0 ? [] : [['MSS', mss.join(', ')] as const]),
    [
      'UDP',
      `IPv4 packets of ${method.smallPacketBytes} bytes, loss up to ${method.maxLoss * 100} %, trials of ${method.udpTrialSeconds} s`,
    ],
    ['RTT', `${method.pings} echoes every ${method.pingIntervalSeconds * 1000} ms, both times taken here`],
  ];
  return formatFields(fields, COLUMNS);
}

function describeSide({ address, environment: e }: FarSideReport): string {
  return (
    `${address}: ${e.cpus} x ${e.cpu}, ${formatBytes(e.memoryBytes)}, load ${e.loadAverage.toFixed(2)}\n` +
    `Linux ${e.kernel}, Node ${e.node}, Weft ${e.weft}, commit ${e.commit ?? 'unknown'}`
  );
}

function formatTest(rows: readonly FarRow[], test: FarTest): string {
  const layout = LAYOUTS[test];
  const lines = rows.filter((row) => row.test === test && row.metric === layout.main);
  if (lines.length === 0) return '';
  // A single run has no spread.
  const isRepeated = lines.some(({ samples }) => samples.length > 1);
  const right = (title: string): Column => ({ title, align: 'right' });
  const columns: Column[] = [
    { title: 'Path' },
    { title: 'Way' },
    right(layout.mainTitle),
    ...(isRepeated ? [right('min–max')] : []),
    right('ratio'),
    ...layout.others.map(({ title }) => right(title)),
    ...(test === 'udp64' ? [{ title: 'limited by' }] : []),
  ];
  const cells = lines.map((row) => [
    row.path,
    WAYS[row.direction],
    formatDecimal(row.median, layout.digits),
    ...(isRepeated ? [`${formatDecimal(row.min, layout.digits)}–${formatDecimal(row.max, layout.digits)}`] : []),
    formatRatio(row.ratioToUnderlay),
    ...layout.others.map(({ metric, sides, digits }) => {
      const of = (side: Role | null): string => {
        const other = findFarRow(rows, { ...row, metric, side });
        return other === undefined ? '-' : formatDecimal(other.median, digits);
      };
      if (sides === 'none') return of(null);
      const each = `${of('near')}/${of('far')}`;
      return each === '-/-' ? '-' : each;
    }),
    ...(test === 'udp64' ? [[...new Set(row.limits ?? [])].join(', ')] : []),
  ]);
  return `${layout.title}\n${formatTable(columns, cells)}`;
}

function formatRatio(ratio: number | null): string {
  if (ratio === null) return '-';
  return ratio.toFixed(ratio < 10 ? 3 : 1);
}

/** A line for each path and reason, with all tests that it is true of. */
function groupMissing({ notMeasured }: FarReport): string[] {
  const groups = new Map<string, string[]>();
  for (const { path, test, why } of notMeasured) {
    const tests = groups.get(`${path}\0${why}`) ?? [];
    groups.set(`${path}\0${why}`, test === null ? tests : [...tests, test]);
  }
  return [...groups].map(([key, tests]) => {
    const [path = '', why = ''] = key.split('\0');
    return `  ${path}${tests.length === 0 ? '' : ` ${tests.join(', ')}`}: ${why}\n`;
  });
}

function formatEnd(report: FarReport): string {
  const resident = Object.entries(report.residentBytes).map(
    ([path, { near, far }]) => `weftd of ${path} resident: ${formatBytes(near)} here, ${formatBytes(far)} far\n`,
  );
  const missing = groupMissing(report);
  const failures = report.failures.map(
    ({ round, path, test, direction, message }) =>
      `  round ${round} ${[path, test ?? '', WAYS[direction ?? 'both']].filter((word) => word !== '').join(' ')}: ${message}\n`,
  );
  return [
    resident.join(''),
    missing.length === 0 ? '' : `Not measured\n${missing.join('')}`,
    failures.length === 0 ? '' : `Failed\n${failures.join('')}`,
    report.results.length > 0 && report.results.every(({ samples }) => samples.length === 1)
      ? 'One round: it shows that everything runs, not how fast.\n'
      : '',
    report.lost === null ? '' : `${report.lost}\nThe report has what was measured before.\n`,
    report.interrupted ? 'Interrupted: the report has what was measured before.\n' : '',
  ]
    .filter((text) => text !== '')
    .join('\n');
}
