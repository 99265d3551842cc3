/** The result of `weft bench --peer`: types of its JSON, and how samples become rows. Keys are stable within a schema. */
import { ratioTo, type Summary, summarize } from '../../measure/statistics.ts';
import { type Metric, type TestName, UNITS } from '../matrix.ts';
import type { Method } from '../method.ts';
import type { Environment } from '../report.ts';
import type { Role } from './handshake.ts';

export const FAR_SCHEMA = 'weft-bench-far/1';

/** What is measured on each path, named as in the lab's report; `rtt-full`: echoes beside one TCP stream to the far side. */
export const FAR_TESTS = ['tcp1', 'tcp4', 'udp64', 'rtt', 'rtt-full'] as const satisfies readonly TestName[];
export type FarTest = (typeof FAR_TESTS)[number];

/** `overlay` is the one that runs; the others are the benchmark's own weftds. */
export const FAR_PATHS = ['underlay', 'overlay', 'weft-udp', 'weft-vxlan'] as const;
export type FarPath = (typeof FAR_PATHS)[number];

/** CPU seconds of machine and weftd are per 10^9 bytes of payload; `load`: of the stream beside echoes. No test sends both ways. */
export type FarMetric = Exclude<Metric, 'back'>;

/** Which way the payload goes; a round trip goes both. */
export type Direction = 'to-far' | 'from-far' | 'both';

/** One figure of one measurement. */
export interface FarSample {
  readonly round: number;
  readonly path: FarPath;
  readonly test: FarTest;
  readonly direction: Direction;
  readonly metric: FarMetric;
  /** Whose CPU time it is; null of what is of both. */
  readonly side: Role | null;
  readonly value: number;
  /** What limited a UDP rate. */
  readonly limit?: string;
}

export interface FarRow extends Summary {
  readonly path: FarPath;
  readonly test: FarTest;
  readonly direction: Direction;
  readonly metric: FarMetric;
  readonly side: Role | null;
  readonly unit: string;
  readonly samples: readonly number[];
  /** Median over the median of the underlay by the same test; null without one, or where that is 0. */
  readonly ratioToUnderlay: number | null;
  /** Of the samples of a UDP rate, in order. */
  readonly limits?: readonly string[];
}

export interface FarSideReport {
  /** On the underlay. */
  readonly address: string;
  readonly isRoot: boolean;
  readonly environment: Environment;
}

export interface FarFailure {
  readonly round: number;
  readonly path: FarPath;
  /** null: the path itself could not be made. */
  readonly test: FarTest | null;
  readonly direction: Direction | null;
  readonly message: string;
}

export interface NotMeasured {
  readonly path: FarPath;
  /** null: nothing of the path. */
  readonly test: FarTest | null;
  readonly why: string;
}

export interface FarReport {
  readonly schema: typeof FAR_SCHEMA;
  readonly startedAt: string;
  readonly durationSeconds: number;
  /** A signal ended the run; what is here was measured before. */
  readonly interrupted: boolean;
  /** Why the far side was lost before the end; null: it was not. */
  readonly lost: string | null;
  readonly near: FarSideReport;
  readonly far: FarSideReport;
  readonly method: Method;
  /** Network, backend and MTU of the running overlay; null where there is none. */
  readonly overlay: { readonly name: string; readonly backend: string; readonly mtu: number } | null;
  /** TCP's MSS on each path, bytes: what its MTU leaves. */
  readonly tcpMss: Readonly<Partial<Record<FarPath, number>>>;
  readonly results: readonly FarRow[];
  /** The most that the weftd of a path had resident after a TCP run, bytes. */
  readonly residentBytes: Readonly<Partial<Record<FarPath, Readonly<Record<Role, number>>>>>;
  readonly notMeasured: readonly NotMeasured[];
  readonly failures: readonly FarFailure[];
}

/** Rows in the order of FAR_TESTS, FAR_PATHS and, within a path, of the first samples. */
export function toFarRows(samples: readonly FarSample[]): FarRow[] {
  const groups = new Map<string, FarSample[]>();
  for (const sample of samples) {
    const key = `${keyOf(sample)} ${sample.path}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  const rows = [...groups.values()].map(rowOf);
  const bases = new Map(rows.filter(({ path }) => path === 'underlay').map((row) => [keyOf(row), row.median]));
  const place = ({ test, path }: FarRow): number =>
    FAR_TESTS.indexOf(test) * FAR_PATHS.length + FAR_PATHS.indexOf(path);
  return rows
    .map((row) => ({ ...row, ratioToUnderlay: ratioTo(row.median, bases.get(keyOf(row))) }))
    .sort((a, b) => place(a) - place(b));
}

function keyOf({ test, direction, metric, side }: FarSample | FarRow): string {
  return `${test} ${direction} ${metric} ${String(side)}`;
}

function rowOf(group: readonly FarSample[]): FarRow {
  // A group has at least the sample that made it.
  const { path, test, direction, metric, side } = group[0]!;
  const values = group.map(({ value }) => value);
  const limits = group.map(({ limit }) => limit).filter((limit) => limit !== undefined);
  return {
    path,
    test,
    direction,
    metric,
    side,
    unit: UNITS[metric],
    samples: values,
    ...summarize(values),
    ratioToUnderlay: null,
    ...(metric === 'rate' && { limits }),
  };
}

export function findFarRow(
  rows: readonly FarRow[],
  wanted: Pick<FarRow, 'path' | 'test' | 'direction' | 'metric' | 'side'>,
): FarRow | undefined {
  return rows.find((row) => row.path === wanted.path && keyOf(row) === keyOf(wanted as FarRow));
}
