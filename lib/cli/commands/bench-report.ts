/** The report of `weft bench` for people. */
import { isTcp, isUdp, SETTING_TEXT, SETTINGS, TESTS, type TestName } from '../../bench/matrix.ts';
import { pathText } from '../../bench/paths.ts';
import type { BenchReport, DaemonFigures, StormFigures } from '../../bench/report.ts';
import { summarize } from '../../measure/statistics.ts';
import { SMALL_PACKET_BYTES } from '../../measure/udp.ts';
import { formatBytes, formatCount } from '../../units.ts';
import { type Column, formatFields, formatTable } from '../table.ts';
import { formatRun, roundsOf } from './bench-run.ts';
import { formatScale } from './bench-scale.ts';
import { formatStageCosts } from './bench-stages.ts';
import { formatTest } from './bench-tables.ts';

const COLUMNS = 80;

export function formatReport(report: BenchReport): string {
  const tables = TESTS.map((test) => formatTest(report.results, test)).filter((text) => text !== '');
  return [
    formatConditions(report),
    ...tables,
    formatStageCosts(report.stages),
    ...formatScale(report.scale),
    formatNotes(report),
    formatPaths(report),
    formatThresholds(report),
    ...(report.failures.length > 0 ? [formatFailures(report)] : []),
    formatRun(report),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

/** What was measured on, and how: of methods and settings those that this run used. */
function formatConditions({ environment: e, method, durationSeconds, results }: BenchReport): string {
  const has = (kind: (test: TestName) => boolean): boolean => results.some(({ test }) => kind(test));
  const settings = SETTINGS.filter((setting) => results.some((row) => row.setting === setting));
  const when = (holds: boolean, ...field: [string, string]): [string, string][] => (holds ? [field] : []);
  const fields: [string, string][] = [
    ['Machine', `${e.cpus} x ${e.cpu}, ${formatBytes(e.memoryBytes)}, load ${e.loadAverage.toFixed(2)} before the run`],
    ['Software', `Linux ${e.kernel}, Node ${e.node}, Weft ${e.weft}, commit ${e.commit ?? 'unknown'}`],
    ['Rounds', `${formatRounds(method.rounds, roundsOf(results))}, ${durationSeconds} s in all`],
    ...when(results.length > 0, 'Tables', 'median, ± median deviation, min–max, * outlier; ratio: to kernel-vxlan'),
    ...when(
      has(isTcp),
      'TCP',
      `congestion control ${method.congestionControl} (the system's own is ${e.defaultCongestionControl}), ` +
        `${method.tcpSeconds} s after ${method.tcpOmittedSeconds} s that do not count, MSS ${method.tcpMss ?? '-'}`,
    ),
    [
      'Network',
      `inner MTU ${method.innerMtu} for all, underlay MTU ${method.underlayMtu}, underlay queue ${method.qdisc}`,
    ],
    ...when(
      has(isUdp),
      'UDP',
      `IPv4 packets, header included; loss up to ${method.maxLoss * 100} %, trials of ${method.udpTrialSeconds} s\n` +
        method.generator,
    ),
    ...when(
      has((test) => !isTcp(test) && !isUdp(test)),
      'RTT',
      `${method.pings} echoes every ${method.pingIntervalSeconds * 1000} ms, resolution ${method.rttResolutionMs} ms`,
    ),
    ...settings.map((setting): [string, string] => [
      setting,
      `${SETTING_TEXT[setting]}${setting === 'one-core' ? ` (CPU ${method.oneCoreCpu})` : ''}`,
    ]),
  ];
  return formatFields(fields, COLUMNS);
}

/** `done`: 0 where only what grows with the network was measured, which is once. */
function formatRounds(planned: number, done: number): string {
  if (done === 0) return '1';
  return `${done === planned ? '' : `${done} of `}${planned}, interleaved`;
}

/** What its figures are to be read with. */
function formatNotes(report: BenchReport): string {
  const fields: [string, string][] = [];
  // Where the kernel carries the packets there are none.
  for (const [path, statuses] of Object.entries(report.offloads))
    if (statuses.length > 0) fields.push([`Offloads of ${path}`, formatOffloads(statuses)]);
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
  const fragments = Object.entries(report.fragments).filter(([, count]) => count > 0);
  if (report.results.length > 0)
    fields.push([
      'IP fragments made',
      fragments.length === 0 ? 'none' : fragments.map(([path, count]) => `${path} ${count}`).join(', '),
    ]);
  return formatFields(fields, COLUMNS);
}

/** Those in use, and below them each reason with those that are off for it. */
function formatOffloads(statuses: NonNullable<BenchReport['offloads']['weft-udp']>): string {
  const on = [...new Set(statuses.filter(({ active }) => active).map(({ name }) => name))];
  const off = new Map<string, Set<string>>();
  for (const { active, name, reason } of statuses)
    if (!active) off.set(reason, (off.get(reason) ?? new Set()).add(name));
  const reasons = [...off].map(([reason, names]) => `${[...names].join(', ')}: ${reason}`);
  return [on.length === 0 ? 'none in use' : `in use ${on.join(', ')}`, ...reasons].join('\n');
}

/** What the names in the tables mean. */
function formatPaths({ results }: BenchReport): string {
  const paths = [...new Set(results.map(({ path }) => path))];
  return paths.length === 0
    ? ''
    : formatFields(
        paths.map((path) => [path, pathText(path)]),
        COLUMNS,
      );
}

function formatDaemons({ readySeconds, residentBytesOf }: DaemonFigures): [string, string][] {
  const ready = summarize(readySeconds);
  const seconds = `${ready.median.toFixed(2)} s (${ready.min.toFixed(2)}–${ready.max.toFixed(2)})`;
  const fields: [string, string][] = [['weftd ready after', `median ${seconds}, ${readySeconds.length} starts`]];
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

/** Of those that this run measured. */
function formatThresholds({ thresholds, results }: BenchReport): string {
  const measured = thresholds.filter((threshold) => threshold.measured !== null);
  if (measured.length === 0) return '';
  const rows = measured.map(({ name, comparison, limit, unit, measured: figure, state }) => [
    name,
    `${comparison === 'at least' ? '≥' : '≤'} ${limit}${unit === '' ? '' : ` ${unit}`}`,
    figure?.toFixed(3) ?? '',
    state,
  ]);
  const columns: Column[] = [
    { title: 'Threshold' },
    { title: 'Wanted' },
    { title: 'Measured', align: 'right' },
    { title: 'State' },
  ];
  const others = thresholds.length - measured.length;
  const notes = [
    ...(roundsOf(results) === 1 ? ['By one round: a hint, not a verdict.'] : []),
    ...(others > 0 ? [`${others} more thresholds are of what was not measured.`] : []),
  ];
  return `${formatTable(columns, rows)}${notes.map((note) => `${note}\n`).join('')}`;
}

function formatFailures({ failures }: BenchReport): string {
  const lines = failures.map(
    ({ round, setting, test, path, message }) => `round ${round} ${setting} ${test} ${path}: ${message}\n`,
  );
  return `Measurements that failed\n${lines.join('')}`;
}
