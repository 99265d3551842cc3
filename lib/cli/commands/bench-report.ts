/** The report of `weft bench` for people. */
import { type Metric, SETTING_TEXT, SETTINGS, TESTS, type TestName } from '../../bench/matrix.ts';
import { pathText } from '../../bench/paths.ts';
import {
  type BenchReport,
  type DaemonFigures,
  findRow,
  type ResultRow,
  type StormFigures,
  type Threshold,
} from '../../bench/report.ts';
import { summarize } from '../../measure/statistics.ts';
import { SMALL_PACKET_BYTES } from '../../measure/udp.ts';
import { type Column, formatFields, formatTable } from '../table.ts';
import { formatBytes, formatCount } from '../units.ts';
import { formatRun } from './bench-run.ts';

interface Layout {
  readonly title: string;
  /** The figure that is compared. */
  readonly main: Metric;
  readonly mainTitle: string;
  readonly digits: number;
  /** More medians, without spread. */
  readonly others: readonly { readonly metric: Metric; readonly title: string; readonly digits: number }[];
}

const TCP_OTHERS: Layout['others'] = [
  { metric: 'machineCpu', title: 'CPU s/GB', digits: 2 },
  { metric: 'daemonCpu', title: 'weftd s/GB', digits: 2 },
  { metric: 'retransmits', title: 'retransmits', digits: 0 },
];

const LAYOUTS: Readonly<Record<TestName, Layout>> = {
  tcp1: { title: 'TCP, 1 stream', main: 'throughput', mainTitle: 'Gb/s', digits: 2, others: TCP_OTHERS },
  tcp4: { title: 'TCP, 4 streams', main: 'throughput', mainTitle: 'Gb/s', digits: 2, others: TCP_OTHERS },
  udp64: {
    title: 'UDP, 64-byte packets, highest rate without loss',
    main: 'rate',
    mainTitle: 'packets/s',
    digits: 0,
    others: [],
  },
  rtt: {
    title: 'Round trip, idle',
    main: 'p50',
    mainTitle: 'p50 ms',
    digits: 3,
    others: [
      { metric: 'p99', title: 'p99 ms', digits: 3 },
      { metric: 'lost', title: 'lost', digits: 0 },
    ],
  },
};

export function formatReport(report: BenchReport): string {
  const tables = TESTS.map((test) => formatTest(report.results, test)).filter((text) => text !== '');
  return [
    formatConditions(report),
    ...tables,
    formatNotes(report),
    formatThresholds(report.thresholds),
    ...(report.failures.length > 0 ? [formatFailures(report)] : []),
    formatRun(report),
  ].join('\n');
}

function formatConditions({ environment, method, durationSeconds }: BenchReport): string {
  const e = environment;
  return formatFields([
    ['Machine', `${e.cpus} x ${e.cpu}, ${formatBytes(e.memoryBytes)}, load ${e.loadAverage.toFixed(2)} before the run`],
    ['Software', `Linux ${e.kernel}, Node ${e.node}, Weft ${e.weft}, commit ${e.commit ?? 'unknown'}`],
    [
      'Rounds',
      `${method.rounds}, interleaved, ${durationSeconds} s in all; table: median, ± median deviation, min–max, * outlier`,
    ],
    [
      'TCP',
      `congestion control ${method.congestionControl} (the system's own is ${e.defaultCongestionControl}), ` +
        `${method.tcpSeconds} s after ${method.tcpOmittedSeconds} s that do not count, MSS ${method.tcpMss ?? '-'}`,
    ],
    [
      'Network',
      `inner MTU ${method.innerMtu} for all, underlay MTU ${method.underlayMtu}, underlay queue ${method.qdisc}`,
    ],
    [
      'UDP',
      `IPv4 packets of ${method.smallPacketBytes} bytes (20 IP + 8 UDP + ${method.smallPacketBytes - 28}), loss up to ` +
        `${method.maxLoss * 100} %, trials of ${method.udpTrialSeconds} s\n${method.generator}`,
    ],
    [
      'RTT',
      `${method.pings} echoes every ${method.pingIntervalSeconds * 1000} ms, resolution ${method.rttResolutionMs} ms`,
    ],
    ...SETTINGS.map((setting): [string, string] => [
      setting,
      `${SETTING_TEXT[setting]}${setting === 'one-core' ? ` (CPU ${method.oneCoreCpu})` : ''}`,
    ]),
  ]);
}

function formatTest(rows: readonly ResultRow[], test: TestName): string {
  const layout = LAYOUTS[test];
  const lines = rows.filter((row) => row.test === test && row.metric === layout.main);
  if (lines.length === 0) return '';
  const columns: Column[] = [
    { title: 'Setting' },
    { title: 'Path' },
    { title: layout.mainTitle, align: 'right' },
    { title: '±', align: 'right' },
    { title: 'min–max', align: 'right' },
    { title: 'of kernel-vxlan', align: 'right' },
    ...layout.others.map(({ title }): Column => ({ title, align: 'right' })),
    ...(test === 'udp64' ? [{ title: 'limited by' }] : []),
  ];
  const cells = lines.map((row) => [
    row.setting,
    row.path,
    number(row.median, layout.digits),
    row.samples.length === 1 ? '-' : number(row.deviation, layout.digits),
    `${extreme(row, row.min, layout.digits)}–${extreme(row, row.max, layout.digits)}`,
    row.ratioToKernelVxlan === null ? '-' : row.ratioToKernelVxlan.toFixed(3),
    ...layout.others.map(({ metric, digits }) => {
      const other = findRow(rows, row.setting, test, metric, row.path);
      return other === undefined ? '-' : number(other.median, digits);
    }),
    ...(test === 'udp64' ? [countLimits(row.limits ?? [])] : []),
  ]);
  return `${layout.title}\n${formatTable(columns, cells)}`;
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

function number(value: number, digits: number): string {
  return digits === 0 ? formatCount(value) : value.toFixed(digits);
}

function formatNotes(report: BenchReport): string {
  const fields: [string, string][] = [];
  for (const [path, statuses] of Object.entries(report.offloads)) {
    const on = [...new Set(statuses.filter(({ active }) => active).map(({ name }) => name))];
    const off = [...new Set(statuses.filter(({ active }) => !active).map(({ name, reason }) => `${name}: ${reason}`))];
    // Where the kernel carries the packets there are none.
    if (statuses.length === 0) continue;
    const inUse = on.length === 0 ? 'no offload in use' : `in use ${on.join(', ')}`;
    fields.push([`Offloads of ${path}`, [inUse, ...off].join('\n')]);
  }
  for (const { setting, sentPerSecond, receivedPerSecond } of report.generatorCeiling) {
    fields.push([
      `UDP generator, ${setting}`,
      `floods the direct path with ${formatCount(sentPerSecond)} packets/s, ${formatCount(receivedPerSecond)} arrive`,
    ]);
  }
  for (const { routes, nanosecondsPerLookup } of report.fib) {
    fields.push([`FIB lookup, ${formatCount(routes)} routes`, `${nanosecondsPerLookup.toFixed(2)} ns`]);
  }
  for (const { entries, nanosecondsPerLookup } of report.fdb) {
    fields.push([`FDB lookup, ${formatCount(entries)} leases`, `${nanosecondsPerLookup.toFixed(2)} ns`]);
  }
  if (report.daemon !== null) fields.push(...formatDaemons(report.daemon));
  if (report.storm !== null) fields.push(['Storm', formatStorm(report.storm)]);
  const fragments = Object.entries(report.fragments).map(([path, count]) => `${path} ${count}`);
  fields.push(['IP fragments made', fragments.join(', ')]);
  const paths = [...new Set(report.results.map(({ path }) => path))];
  for (const path of paths) fields.push([path, pathText(path)]);
  return formatFields(fields);
}

function formatDaemons({ readySeconds, residentBytesOf }: DaemonFigures): [string, string][] {
  const ready = summarize(readySeconds);
  const seconds = `${ready.median.toFixed(2)} s (${ready.min.toFixed(2)}–${ready.max.toFixed(2)})`;
  const fields: [string, string][] = [['weftd ready after', `${seconds}, ${readySeconds.length} starts`]];
  const resident = Object.entries(residentBytesOf).map(([path, bytes]) => `${path} ${formatBytes(bytes)}`);
  if (resident.length > 0) fields.push(['weftd resident', `${resident.join(', ')}`]);
  return fields;
}

function formatStorm({ framesPerSecond, offered, flooded, limited }: StormFigures): string {
  return (
    `${formatCount(framesPerSecond)} broadcasts of ${SMALL_PACKET_BYTES} bytes a second; of ${formatCount(offered)} offered ` +
    `the limiter dropped ${formatCount(limited)}, ${formatCount(flooded)} BUM frames left`
  );
}

function formatThresholds(thresholds: readonly Threshold[]): string {
  const rows = thresholds.map(({ name, comparison, limit, unit, measured, state }) => [
    name,
    `${comparison} ${limit}${unit === '' ? '' : ` ${unit}`}`,
    measured === null ? '-' : measured.toFixed(3),
    state,
  ]);
  const columns: Column[] = [
    { title: 'Threshold' },
    { title: 'Wanted' },
    { title: 'Measured', align: 'right' },
    { title: 'State' },
  ];
  return formatTable(columns, rows);
}

function formatFailures({ failures }: BenchReport): string {
  const lines = failures.map(
    ({ round, setting, test, path, message }) => `round ${round} ${setting} ${test} ${path}: ${message}\n`,
  );
  return `Measurements that failed\n${lines.join('')}`;
}
