/**
 * What the report draws as curves: points with their spread, over something that grows. Node says them in sentences and tables,
 * the browser draws them (lib/page/report/curve.ts): both from here. Pure: of a report it
 * knows what it draws, so that the browser need not know the benchmark.
 */
import { formatCount } from '../units.ts';
import { groupBy, isWeft, type PlacedRow, rowsOf } from './rows.ts';

/** What of a BenchReport is drawn as curves. */
export interface CurveReport {
  readonly results: readonly (PlacedRow & { readonly median: number; readonly min: number; readonly max: number })[];
  readonly scale: {
    readonly routes: readonly {
      readonly routes: number;
      readonly nanosecondsPerLookup: number;
      readonly loadMs: number;
    }[];
    readonly peers: readonly {
      readonly peers: number;
      readonly packetsPerSecond: number;
      readonly residentBytes: number;
      readonly restCpuShare: number;
      readonly knownSeconds: number;
    }[];
    readonly leases: readonly { readonly perSecond: number; readonly gigabitsPerSecond: number }[];
  };
}

interface CurvePoint {
  readonly x: number;
  /** Where the plot has it: x itself, its logarithm, or its place in the row. */
  readonly at: number;
  readonly y: number;
  /** Of several rounds; both are y where it was measured once. */
  readonly min: number;
  readonly max: number;
}

export interface Curve {
  readonly name: string;
  /** Weft's, and not what it is compared with. */
  readonly ours: boolean;
  readonly points: readonly CurvePoint[];
}

export interface CurvePlot {
  readonly id: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Marks of the horizontal axis. */
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  /** At least one, each with at least two points. */
  readonly curves: readonly Curve[];
}

/** Those that this run has the figures for. */
export function curvePlots(report: CurveReport): CurvePlot[] {
  return [...packetPlots(report), ...scalePlots(report)].filter(({ curves }) => curves.length > 0);
}

/** Bytes of the packets of a UDP test, "udp1450"; undefined for another test. */
export function packetBytes(test: string): number | undefined {
  const bytes = /^udp(\d+)$/.exec(test)?.[1];
  return bytes === undefined ? undefined : Number(bytes);
}

/** Rows of all UDP tests, the smallest packets first. */
export function packetRows<Row extends PlacedRow>(report: { readonly results: readonly Row[] }, metric: string): Row[] {
  const tests = [...new Set(report.results.map(({ test }) => test))].filter((test) => packetBytes(test) !== undefined);
  return tests
    .toSorted((a, b) => (packetBytes(a) ?? 0) - (packetBytes(b) ?? 0))
    .flatMap((test) => rowsOf(report, { test, metric }));
}

function packetPlots(report: CurveReport): CurvePlot[] {
  const xLabel = 'bytes of an IPv4 packet';
  const plotOf = (id: string, metric: string, yLabel: string, factor: number): CurvePlot => {
    // Where the scheduler is free; other settings measure single sizes, if any.
    const rows = packetRows(report, metric).filter(({ setting }) => setting === 'free');
    const sizes = [...new Set(rows.map(({ test }) => packetBytes(test) ?? 0))];
    const curves = [...groupBy(rows, ({ path }) => path)].map(([name, group]) =>
      curve(
        name,
        isWeft(name),
        group.map((row) => {
          const x = packetBytes(row.test) ?? 0;
          return { x, at: x, y: row.median * factor, min: row.min * factor, max: row.max * factor };
        }),
      ),
    );
    return { id, xLabel, yLabel, ticks: sizes.map((at) => ({ at, text: formatCount(at) })), curves: drawable(curves) };
  };
  return [
    plotOf('packet-rate', 'rate', 'packets/s', 1),
    losing(plotOf('packet-loss', 'loss', '% of the packets lost', 100)),
  ];
}

/** Those that lost nothing would all lie on the axis. */
function losing(plot: CurvePlot): CurvePlot {
  return { ...plot, curves: plot.curves.filter(({ points }) => points.some(({ max }) => max > 0)) };
}

function scalePlots({ scale }: CurveReport): CurvePlot[] {
  const { routes, peers, leases } = scale;
  const logarithm = (x: number): number => Math.log10(Math.max(x, 1));
  const byRoutes = scalePlot(routes, ({ routes: x }) => x, logarithm, 'routes');
  const byPeers = scalePlot(peers, ({ peers: x }) => x, logarithm, 'peers');
  // From 0, which has no logarithm.
  const byLeases = scalePlot(
    leases,
    ({ perSecond }) => perSecond,
    (_, index) => index,
    'leases that arrive each second',
  );
  return [
    byRoutes('scale-routes', 'ns a lookup', (point) => point.nanosecondsPerLookup),
    byRoutes('scale-build', 'ms to build the table', (point) => point.loadMs),
    byPeers('scale-peers', 'packets/s', (point) => point.packetsPerSecond),
    byPeers('scale-memory', 'MB resident', (point) => point.residentBytes / 1e6),
    byPeers('scale-rest', '% of a CPU at rest', (point) => point.restCpuShare * 100),
    byPeers('scale-known', 's until all are known', (point) => point.knownSeconds),
    byLeases('scale-leases', 'Gb/s beside them', (point) => point.gigabitsPerSecond),
  ];
}

/** Of the points of one scale, each figure a plot. */
function scalePlot<Point>(
  points: readonly Point[],
  xOf: (point: Point) => number,
  place: (x: number, index: number) => number,
  xLabel: string,
): (id: string, yLabel: string, yOf: (point: Point) => number) => CurvePlot {
  return (id, yLabel, yOf) => {
    const made = points.map((point, index) => {
      const y = yOf(point);
      return { x: xOf(point), at: place(xOf(point), index), y, min: y, max: y };
    });
    const ticks = made.map(({ x, at }) => ({ at, text: formatCount(x) }));
    return { id, xLabel, yLabel, ticks, curves: drawable([curve('', true, made)]) };
  };
}

function curve(name: string, ours: boolean, points: readonly CurvePoint[]): Curve {
  return { name, ours, points: points.toSorted((a, b) => a.at - b.at) };
}

/** One point is no curve: the table has it. */
function drawable(curves: readonly Curve[]): Curve[] {
  return curves.filter(({ points }) => points.length > 1);
}
