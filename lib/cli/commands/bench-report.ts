/** The report of `weft bench` for people. */
import { SETTING_TEXT, SETTINGS, TESTS } from '../../bench/matrix.ts';
import { pathText } from '../../bench/paths.ts';
import type { BenchReport, DaemonFigures, StormFigures, Threshold } from '../../bench/report.ts';
import { summarize } from '../../measure/statistics.ts';
import { SMALL_PACKET_BYTES } from '../../measure/udp.ts';
import { type Column, formatFields, formatTable } from '../table.ts';
import { formatBytes, formatCount } from '../units.ts';
import { formatRun } from './bench-run.ts';
import { formatScale } from './bench-scale.ts';
import { formatTest } from './bench-tables.ts';

export function formatReport(report: BenchReport): string {
  const tables = TESTS.map((test) => formatTest(report.results, test)).filter((text) => text !== '');
  return [
    formatConditions(report),
    ...tables,
    ...formatScale(report.scale),
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
  if (fragments.length > 0) fields.push(['IP fragments made', fragments.join(', ')]);
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
