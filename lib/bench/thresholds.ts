/** The thresholds of the project's speed, and whether a run kept them. docs/performance.md says where the numbers come from. */
import type { LookupTiming } from './lookup-timing.ts';
import type { Metric, Setting, TestName } from './matrix.ts';
import type { PathName } from './paths.ts';
import { type BenchReport, findRow, type Threshold } from './report.ts';

type Measurements = Pick<BenchReport, 'results' | 'fib' | 'fdb' | 'daemon'>;

/** Takes the figure that has a threshold out of a run; undefined if the run did not measure it. */
type Measure = (run: Measurements) => number | undefined;

interface ThresholdSpec extends Pick<Threshold, 'name' | 'comparison' | 'limit' | 'unit'> {
  readonly measure: Measure;
}

function atLeast(limit: number, name: string, measure: Measure): ThresholdSpec {
  return { name, comparison: 'at least', limit, unit: '', measure };
}

function atMost(limit: number, name: string, measure: Measure, unit = ''): ThresholdSpec {
  return { name, comparison: 'at most', limit, unit, measure };
}

/** One path's median over another's in one run, named as a run's progress names them: "free tcp1 weft-udp over kernel-vxlan". */
function ratioOf(
  bound: typeof atLeast,
  limit: number,
  [setting, test, metric]: readonly [Setting, TestName, Metric],
  path: PathName,
  base: PathName,
): ThresholdSpec {
  return bound(limit, `${setting} ${test} ${path} over ${base}`, ({ results }) => {
    const above = findRow(results, setting, test, metric, path);
    const below = findRow(results, setting, test, metric, base);
    return above === undefined || below === undefined || below.median === 0 ? undefined : above.median / below.median;
  });
}

function largest(values: readonly number[] | undefined): number | undefined {
  return values === undefined || values.length === 0 ? undefined : Math.max(...values);
}

/** One path's throughput over another's, wherever it has a threshold. */
function tcpThresholds(
  limit: number,
  path: PathName,
  base: PathName,
  places: readonly (readonly [Setting, 'tcp1' | 'tcp4'])[],
): ThresholdSpec[] {
  return places.map(([setting, test]) => ratioOf(atLeast, limit, [setting, test, 'throughput'], path, base));
}

const THRESHOLDS: readonly ThresholdSpec[] = [
  ...tcpThresholds(0.5, 'weft-udp', 'kernel-vxlan', [['free', 'tcp1']]),
  ...tcpThresholds(0.24, 'weft-udp', 'kernel-vxlan', [['one-core', 'tcp1']]),
  ...tcpThresholds(0.25, 'weft-udp', 'kernel-vxlan', [['free', 'tcp4']]),
  ...tcpThresholds(0.6, 'weft-udp', 'kernel-vxlan', [['nic-like', 'tcp1']]),
  ...tcpThresholds(6, 'weft-udp', 'weft-udp-off', [['free', 'tcp1']]),
  ...tcpThresholds(0.06, 'weft-udp-off', 'kernel-vxlan', [['free', 'tcp1']]),
  ratioOf(atMost, 10, ['free', 'rtt', 'p50'], 'weft-udp', 'kernel-vxlan'),
  ratioOf(atLeast, 0.7, ['free', 'udp64', 'rate'], 'weft-udp', 'kernel-vxlan'),
  ...tcpThresholds(0.95, 'weft-vxlan', 'weft-udp', [
    ['free', 'tcp1'],
    ['one-core', 'tcp1'],
    ['nic-like', 'tcp1'],
    ['free', 'tcp4'],
  ]),
  ...tcpThresholds(2.5, 'kernel-to-weft', 'kernel-to-weft-off', [
    ['free', 'tcp1'],
    ['nic-like', 'tcp1'],
  ]),
  ...tcpThresholds(2, 'weft-ipip', 'weft-udp-off', [['free', 'tcp1']]),
  // Where the scheduler is free, one path of the kernel measured twice differs by more than 5 %.
  ...tcpThresholds(0.95, 'weft-host-gw', 'plain-routing', [
    ['one-core', 'tcp1'],
    ['nic-like', 'tcp1'],
  ]),
  ...tcpThresholds(0.9, 'segment-storm', 'segment', [['free', 'tcp1']]),
  ...tcpThresholds(0.9, 'segment-storm', 'storm-aside', [['free', 'tcp1']]),
  atMost(1.2, 'FIB lookup, 10,000 routes over 2', ({ fib }) =>
    lookupRatio(fib.map(({ routes, ...rest }) => ({ entries: routes, ...rest }))),
  ),
  atMost(1.2, 'FDB lookup, 10,000 leases over 2', ({ fdb }) => lookupRatio(fdb)),
  atMost(1, 'weftd ready after start', ({ daemon }) => largest(daemon?.readySeconds), 's'),
  atMost(150, 'weftd resident memory after the load', ({ daemon }) => megabytes(daemon?.residentBytes), 'MB'),
];

function lookupRatio(timings: readonly LookupTiming[]): number | undefined {
  const few = timings.find(({ entries }) => entries === 2)?.nanosecondsPerLookup;
  const many = timings.find(({ entries }) => entries === 10_000)?.nanosecondsPerLookup;
  return few === undefined || many === undefined ? undefined : many / few;
}

function megabytes(bytes: readonly number[] | undefined): number | undefined {
  const most = largest(bytes);
  return most === undefined ? undefined : most / 1e6;
}

/** Every threshold, measured or not. */
export function judge(run: Measurements): Threshold[] {
  return THRESHOLDS.map(({ measure, ...threshold }) => {
    const measured = measure(run);
    if (measured === undefined) return { ...threshold, measured: null, state: 'not measured' };
    const kept = threshold.comparison === 'at least' ? measured >= threshold.limit : measured <= threshold.limit;
    return { ...threshold, measured, state: kept ? 'ok' : 'MISSED' };
  });
}
