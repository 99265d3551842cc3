/** One run of `weft bench`: every path under every setting, interleaved, round after round. */
import { WeftError } from '../error.ts';
import { longestTcpSeconds } from '../measure/tcp-client.ts';
import { readCpuTimes } from './control.ts';
import type { Durations } from './costs.ts';
import { describeEnvironment } from './environment.ts';
import { formatLeft } from './estimate.ts';
import { toLatencyRows } from './latencies.ts';
import { timeFdbLookups, timeRouteScale } from './lookup-timing.ts';
import { describeMethod } from './method.ts';
import { judgeNoise, type NoiseFigures } from './noise.ts';
import { type PathLab, UNDERLAY_MTU, underlayQdisc, withPathLab } from './path-lab.ts';
import type { Selection } from './paths.ts';
import { type NotMeasured, notMeasured, pathsOf, planRun, scalesOf } from './plan.ts';
import { INNER_MTU } from './pod-link.ts';
import { programsOf, requirePrograms } from './programs.ts';
import { type BenchReport, type LabMethod, type ResultRow, SCHEMA, toRows } from './report.ts';
import { Rounds, type RoundsOptions, SCALE_PLACE } from './rounds.ts';
import { ScaleSeries } from './scale.ts';
import { toStageRows } from './stage-times.ts';
import { STORM_FRAMES_PER_SECOND } from './storm.ts';
import { judge } from './thresholds.ts';

export interface BenchOptions extends Durations {
  readonly rounds: number;
  readonly selection: Selection;
  /** The run ends within so many seconds of the process's start, with less measured if need be; undefined: it takes its time. */
  readonly budgetSeconds: number | undefined;
  /** The file of flanneld; undefined: its paths are not measured. */
  readonly flanneld: string | undefined;
}

/** What the caller lends: clocks, chance, its process id, and places for progress lines and for the report. */
export interface BenchHost {
  readonly now: () => Date;
  /** Seconds since the process started. */
  readonly clock: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly pid: number;
  /** PATH: where other programs are looked for. */
  readonly searchPath: string;
  readonly log: (line: string) => void;
  /** Called once, before the lab is removed: a signal that ended the measurements ends the process next. */
  readonly report: (report: BenchReport) => void;
}

/** Our choice: lab and daemons go in a second on a machine that does nothing else. */
const REMOVAL_SECONDS = 4;
/** Our choice: what is measured when a signal comes has lost its namespace, and ends by that at once. */
const LAST_WORDS_MS = 10_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Builds the paths, measures, reports, removes them. Throws WeftError NOT_ROOT, TOOL_MISSING, DAEMON_FAILED, INTERRUPTED, ... */
export async function runBench(options: BenchOptions, host: BenchHost): Promise<void> {
  const { selection } = options;
  requirePrograms(programsOf(planRun(selection, 1), scalesOf(selection).length > 0), host.searchPath);
  const environment = await describeEnvironment();
  const fib = timeRouteScale([2, 10_000], host.random).map(({ routes, nanosecondsPerLookup }) => ({
    routes,
    nanosecondsPerLookup,
  }));
  const fdb = timeFdbLookups([2, 10_000], host.random);
  const labOptions = {
    paths: pathsOf(options.selection),
    id: `b${host.pid.toString(36)}`,
    flanneld: options.flanneld,
    stormSeconds: longestTcpSeconds(options.tcpSeconds),
    log: host.log,
    lastWordsMs: LAST_WORDS_MS,
  };
  const onSignal = () => host.log('interrupted: the lab is being removed');
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    await withPathLab(labOptions, async (pathLab, signal) => {
      const report = await measure(options, host, pathLab, signal);
      host.report({ ...report, environment, fib, fdb, thresholds: judge({ ...report, fib, fdb }) });
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

type Measured = Omit<BenchReport, 'environment' | 'fib' | 'fdb' | 'thresholds'>;

async function measure(
  options: BenchOptions,
  host: BenchHost,
  pathLab: PathLab,
  signal: AbortSignal,
): Promise<Measured> {
  const startedAt = host.now();
  const startSeconds = host.clock();
  const qdisc = await underlayQdisc(pathLab.lab);
  const { budgetSeconds } = options;
  const series = new ScaleSeries(pathLab, options, host.random);
  const work = planWork(options, series);
  const endBy = budgetSeconds === undefined ? undefined : budgetSeconds - REMOVAL_SECONDS;
  const rounds = new Rounds({ ...host, ...work, durations: options, endBy }, pathLab, signal);
  const count = [...work.plan.flatMap(({ tests }) => tests), ...work.points].length;
  host.log(`the lab is there: ${count} measurements, ${formatLeft(rounds.estimate.now().leftSeconds)}`);
  const stealShare = await stealDuring(() => rounds.run());
  const { samples, failures, controls, measurer, measuredPoints } = rounds;
  if (signal.aborted && samples.length === 0 && measuredPoints.length === 0)
    throw new WeftError('INTERRUPTED', 'Interrupted');
  const results = toRows(samples);
  const { offloads, fragments, storm } = pathLab.observations;
  return {
    schema: SCHEMA,
    startedAt: startedAt.toISOString(),
    // Not by the wall clock, which may be set meanwhile.
    durationSeconds: Math.round(host.clock() - startSeconds),
    interrupted: signal.aborted,
    budget: budgetSeconds === undefined ? null : { seconds: budgetSeconds, usedUp: rounds.outOfTime },
    notMeasured: missing(work, rounds),
    estimate: rounds.estimate.check(),
    noise: noiseOf(results, controls, stealShare),
    method: methodOf(work.rounds, options, qdisc, rounds),
    results,
    stages: toStageRows(samples),
    latencies: toLatencyRows(samples),
    scale: series.figures,
    daemon: readDaemons(pathLab),
    generatorCeiling: measurer.ceilings,
    offloads,
    storm: storm === null ? null : { framesPerSecond: STORM_FRAMES_PER_SECOND, ...storm },
    fragments,
    failures,
  };
}

/** What is measured in each round, and what once, after them. */
type Work = Pick<RoundsOptions, 'plan' | 'rounds' | 'points'>;

function planWork({ selection, rounds: wanted }: BenchOptions, series: ScaleSeries): Work {
  // Scales alone are measured once.
  const rounds = pathsOf(selection).length === 0 ? 1 : wanted;
  return { plan: planRun(selection, rounds), rounds, points: series.points(scalesOf(selection)) };
}

function missing({ plan, points }: Work, { samples, failures, measuredPoints }: Rounds): NotMeasured[] {
  const missed = points.filter(({ piece }) => !measuredPoints.includes(piece)).map(({ test }) => test);
  return [
    ...notMeasured(plan, [...samples, ...failures]),
    ...[...new Set(missed)].map((test) => ({ ...SCALE_PLACE, test, rounds: 1 })),
  ];
}

/** Share of the CPU time of this machine that the hypervisor gave to others meanwhile. */
async function stealDuring(body: () => Promise<void>): Promise<number> {
  const before = readCpuTimes();
  await body();
  const after = readCpuTimes();
  return (after.steal - before.steal) / Math.max(after.all - before.all, 1e-9);
}

function noiseOf(results: readonly ResultRow[], controls: NoiseFigures['controls'], stealShare: number): NoiseFigures {
  const direct = results.filter(
    ({ path, test, metric }) => path === 'direct' && test === 'tcp1' && metric === 'throughput',
  );
  return judgeNoise({ controls, stealShare, direct: direct.map(({ setting, samples }) => ({ setting, samples })) });
}

function methodOf(rounds: number, durations: Durations, qdisc: string, { measurer, oneCpu }: Rounds): LabMethod {
  return {
    ...describeMethod(rounds, durations),
    qdisc,
    underlayMtu: UNDERLAY_MTU,
    innerMtu: INNER_MTU,
    tcpMss: measurer.tcpMss,
    oneCoreCpu: oneCpu,
  };
}

function readDaemons({ observations }: PathLab): BenchReport['daemon'] {
  const { readySeconds, residentBytes } = observations;
  if (readySeconds.length === 0) return null;
  return { readySeconds, residentBytes: Object.values(residentBytes), residentBytesOf: residentBytes };
}
