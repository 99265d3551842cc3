/** The result of `weft bench`: types of its JSON, and how samples become rows. Keys are stable within a schema. */
import type { OffloadStatus } from '../dataplane/stats.ts';
import { medianDeviation, outliersOf, ratioTo, summarize } from '../measure/statistics.ts';
import type { EstimateCheck } from './estimate.ts';
import type { LatencyRow } from './latencies.ts';
import type { LookupTiming } from './lookup-timing.ts';
import { type Metric, metricsOf, type ScaleName, type Setting, type TestName, UNITS } from './matrix.ts';
import type { Method } from './method.ts';
import type { NoiseFigures } from './noise.ts';
import type { PathName } from './paths.ts';
import type { NotMeasured } from './plan.ts';
import type { ScaleFigures } from './scale.ts';
import type { StageRow, StageTimes } from './stage-times.ts';
import type { StormCount } from './storm.ts';

export const SCHEMA = 'weft-bench/3';

/** One measurement of one path. */
export interface Sample {
  readonly round: number;
  readonly setting: Setting;
  readonly test: TestName;
  readonly path: PathName;
  readonly values: Readonly<Partial<Record<Metric, number>>>;
  /** What limited a UDP rate: `loss`, or `sender` when nothing was lost and the sending side could not offer more. */
  readonly limit?: string;
  /** Of TCP and UDP over weftd. */
  readonly stages?: StageTimes;
  /** Of a round-trip time: all of them. */
  readonly rttMs?: readonly number[];
}

export interface ResultRow {
  readonly setting: Setting;
  readonly test: TestName;
  readonly metric: Metric;
  readonly unit: string;
  readonly path: PathName;
  readonly samples: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median of the samples' distances from the median; 0 for one sample. */
  readonly deviation: number;
  /** Indices of samples that lie far from the others; none of fewer than five. */
  readonly outliers: readonly number[];
  /** Median over the median of kernel-vxlan in the same setting; null without one, or where that is 0. */
  readonly ratioToKernelVxlan: number | null;
  /** Of the samples of a UDP rate, in order. */
  readonly limits?: readonly string[];
}

export interface Failure {
  readonly round: number;
  readonly setting: Setting;
  readonly test: TestName | ScaleName;
  readonly path: PathName;
  readonly message: string;
}

export interface Environment {
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly weft: string;
  /** null outside a git checkout. */
  readonly commit: string | null;
  /** Load of the last minute before the run: near 0 on a machine that does nothing else. */
  readonly loadAverage: number;
  /** What programs get that do not ask for one. The runs name their own. */
  readonly defaultCongestionControl: string;
}

export interface LabMethod extends Method {
  readonly qdisc: string;
  readonly underlayMtu: number;
  readonly innerMtu: number;
  /** As the sender of kernel-vxlan, or of the first path measured, had it; null without a TCP test. */
  readonly tcpMss: number | null;
  readonly oneCoreCpu: number;
}

export interface BenchReport {
  readonly schema: typeof SCHEMA;
  readonly startedAt: string;
  readonly durationSeconds: number;
  /** A signal ended the run; what is here was measured before. */
  readonly interrupted: boolean;
  /** The seconds that the run had, the building of its lab included, and whether something was left out for want of time; null without. */
  readonly budget: { readonly seconds: number; readonly usedUp: boolean } | null;
  /** What was planned and neither measured nor failed. */
  readonly notMeasured: readonly NotMeasured[];
  /** How good the run's word about its own end was; null when it ended before its middle. */
  readonly estimate: EstimateCheck | null;
  readonly noise: NoiseFigures;
  readonly environment: Environment;
  readonly method: LabMethod;
  readonly results: readonly ResultRow[];
  /** Where a packet's time goes in the weftds of each path; absent in reports of before it was measured. */
  readonly stages?: readonly StageRow[];
  /** All round-trip times of each measurement, as histograms; absent as above. */
  readonly latencies?: readonly LatencyRow[];
  /** What the UDP generator offers and the receiver counts on the direct path without pacing, by setting. */
  readonly generatorCeiling: readonly GeneratorCeiling[];
  /** Offloads of the daemons after their load, each different answer once: a fallback in operation shows here. */
  readonly offloads: Readonly<Partial<Record<PathName, readonly OffloadStatus[]>>>;
  readonly fib: readonly RouteTiming[];
  readonly fdb: readonly LookupTiming[];
  /** What grows with the size of a network; empty lists for what was not measured. */
  readonly scale: ScaleFigures;
  readonly daemon: DaemonFigures | null;
  /** Of all measurements of segment-storm; null without one. */
  readonly storm: StormFigures | null;
  /** IpFragCreates on each path while it was measured; anything but 0 spoils the comparison. */
  readonly fragments: Readonly<Partial<Record<PathName, number>>>;
  readonly thresholds: readonly Threshold[];
  readonly failures: readonly Failure[];
}

/** A limit for one figure, and what this run measured of it. */
export interface Threshold {
  readonly name: string;
  readonly comparison: 'at least' | 'at most';
  readonly limit: number;
  readonly unit: string;
  /** null: this run did not measure it. */
  readonly measured: number | null;
  readonly state: 'ok' | 'MISSED' | 'not measured';
}

interface RouteTiming {
  readonly routes: number;
  readonly nanosecondsPerLookup: number;
}

export interface DaemonFigures {
  /** From the first start of each daemon until it said that it is ready. */
  readonly readySeconds: readonly number[];
  /** The most that a daemon of each path had resident after its load. */
  readonly residentBytes: readonly number[];
  /** The same by path. */
  readonly residentBytesOf: Readonly<Partial<Record<PathName, number>>>;
}

export interface StormFigures extends StormCount {
  readonly framesPerSecond: number;
}

export interface GeneratorCeiling {
  readonly setting: Setting;
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
}

/** Rows in the order setting, test, metric, path in which their first samples came. */
export function toRows(samples: readonly Sample[]): ResultRow[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.setting} ${sample.test} ${sample.path}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  const rows = [...groups.values()].flatMap((group) => rowsOf(group));
  return rows.map((row) => {
    const base = findRow(rows, row.setting, row.test, row.metric, 'kernel-vxlan');
    return { ...row, ratioToKernelVxlan: ratioTo(row.median, base?.median) };
  });
}

function rowsOf(group: readonly Sample[]): ResultRow[] {
  // A group has at least the sample that made it.
  const { setting, test, path } = group[0]!;
  return metricsOf(test).flatMap((metric) => {
    const values = group.map((sample) => sample.values[metric]).filter((value) => value !== undefined);
    if (values.length === 0) return [];
    const limits = group.map(({ limit }) => limit).filter((limit) => limit !== undefined);
    return {
      setting,
      test,
      metric,
      unit: UNITS[metric],
      path,
      samples: values,
      ...summarize(values),
      deviation: medianDeviation(values),
      outliers: outliersOf(values),
      ratioToKernelVxlan: null,
      ...(metric === 'rate' && { limits }),
    };
  });
}

export function findRow(
  rows: readonly ResultRow[],
  setting: Setting,
  test: TestName,
  metric: Metric,
  path: PathName,
): ResultRow | undefined {
  return rows.find((row) => row.setting === setting && row.test === test && row.metric === metric && row.path === path);
}
