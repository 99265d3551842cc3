/** A report as a full run makes it: every path in its settings by all its tests, five rounds, all scales. The numbers are made up. */
import { toLatencyRows } from '../../lib/bench/latencies.ts';
import { SETTINGS, type TestName } from '../../lib/bench/matrix.ts';
import { PATHS, type PathName, setupOf } from '../../lib/bench/paths.ts';
import { testsOf } from '../../lib/bench/plan.ts';
import { type BenchReport, type Sample, SCHEMA, toRows } from '../../lib/bench/report.ts';
import { type StageTimes, toStageRows } from '../../lib/bench/stage-times.ts';
import { judge } from '../../lib/bench/thresholds.ts';
import { random } from '../random.ts';

const ROUNDS = 5;
/** Gb/s of one stream: about what the development machine has. */
const SPEED: Partial<Record<PathName, number>> = {
  direct: 11,
  'kernel-vxlan': 12,
  'plain-routing': 12.5,
  'weft-udp': 6.2,
};

/** The same each time. */
export function fullReport(): BenchReport {
  const { next } = random(12);
  const about = (value: number): number => value * (0.9 + next(2000) / 10_000);
  const samples = Array.from({ length: ROUNDS }, (_, round) =>
    SETTINGS.flatMap((setting) =>
      PATHS.flatMap((path) =>
        testsOf({ settings: undefined, paths: undefined, tests: undefined, flanneld: true }, setting, path).map(
          (test): Sample => ({ round: round + 1, setting, test, path, ...valuesOf(test, path, about) }),
        ),
      ),
    ),
  ).flat();
  const results = toRows(samples);
  const figures = {
    results,
    stages: toStageRows(samples),
    latencies: toLatencyRows(samples),
    fib: [2, 10_000].map((routes) => ({ routes, nanosecondsPerLookup: about(5) })),
    fdb: [2, 10_000].map((entries) => ({ entries, nanosecondsPerLookup: about(6) })),
    daemon: daemonFigures(about),
  };
  return { ...figures, ...circumstances(about), thresholds: judge(figures) };
}

type About = (value: number) => number;

function valuesOf(test: TestName, path: PathName, about: About): Pick<Sample, 'values' | 'limit' | 'stages' | 'rttMs'> {
  const speed = SPEED[path] ?? (path.endsWith('-off') ? 0.7 : 5);
  const daemon = setupOf(path).kind === 'direct' || setupOf(path).kind === 'kernel-vxlan' ? 0 : 1;
  const stages = setupOf(path).kind === 'weft' ? { stages: stagesOf(path, about) } : {};
  if (test.startsWith('udp'))
    return {
      values: { rate: about(speed * 30_000), loss: path === 'weft-vxlan' && test === 'udp64' ? about(0.0005) : 0 },
      limit: 'sender',
      ...stages,
    };
  if (test.startsWith('rtt')) {
    const slow = test === 'rtt' ? 1 : test === 'rtt-half' ? 3 : 9;
    const load = test === 'rtt' ? {} : { load: about(speed / 2) };
    const p50 = (slow * 0.3) / speed;
    const rttMs = Array.from({ length: 500 }, () => p50 * 2 ** (about(1) * 6 - 6));
    return { values: { p50: about(p50), p99: about(3 * p50), lost: 0, ...load }, rttMs };
  }
  const [user, kernel] = [about(0.2 / speed), about(1.4 / speed)];
  const ours = daemon === 0 ? {} : { daemonCpu: user + kernel / 2, daemonUser: user, daemonKernel: kernel / 2 };
  const back = test === 'bidir' ? { back: about(speed * 0.45) } : {};
  const machine = { machineCpu: 2 * user + 2 * kernel, machineUser: 2 * user, machineKernel: 2 * kernel };
  const values = { throughput: about(speed), ...back, ...machine, ...ours, retransmits: Math.round(about(20)) };
  return { values, ...stages };
}

function stagesOf(path: PathName, about: About): StageTimes {
  const slow = path.endsWith('-off') ? 15 : 1;
  return {
    sender: { 'wake-up': about(200), read: about(300 * slow), code: about(90), send: about(500 * slow) },
    receiver: { 'wake-up': about(150), receive: about(200 * slow), code: about(150), write: about(300 * slow) },
  };
}

function daemonFigures(about: About): NonNullable<BenchReport['daemon']> {
  const paths = PATHS.filter((path) => setupOf(path).kind === 'weft');
  const bytes = paths.map(() => Math.round(about(96e6)));
  return {
    readySeconds: Array.from({ length: 11 }, () => about(0.7)),
    residentBytes: bytes,
    residentBytesOf: Object.fromEntries(paths.map((path, index) => [path, bytes[index]])),
  };
}

function circumstances(
  about: About,
): Omit<BenchReport, 'results' | 'stages' | 'latencies' | 'fib' | 'fdb' | 'daemon' | 'thresholds'> {
  return {
    schema: SCHEMA,
    startedAt: '2026-11-29T15:03:28.912Z',
    durationSeconds: 1731,
    interrupted: false,
    budget: null,
    notMeasured: [{ setting: 'free', test: 'rtt-full', path: 'weft-ipip', rounds: 1 }],
    estimate: { atSeconds: 800, leftSeconds: 900, tookSeconds: 931, error: -0.033 },
    noise: {
      controls: Array.from({ length: ROUNDS }, () => ({ loopMs: about(18), othersShare: about(0.02) })),
      stealShare: 0.001,
      direct: [],
      verdict: 'quiet',
      reasons: [],
    },
    environment: {
      kernel: '6.18.0',
      cpu: 'AMD EPYC',
      cpus: 2,
      memoryBytes: 25_276_026_880,
      node: 'v20.20.2',
      weft: '0.1.0',
      commit: '2294128',
      loadAverage: 0.03,
      defaultCongestionControl: 'bbr',
    },
    method: {
      rounds: ROUNDS,
      congestionControl: 'cubic',
      tcpSeconds: 2,
      tcpOmittedSeconds: 1,
      qdisc: 'noqueue',
      underlayMtu: 1500,
      innerMtu: 1450,
      tcpMss: 1398,
      smallPacketBytes: 64,
      maxLoss: 0.001,
      udpTrialSeconds: 0.5,
      generator: 'numbered datagrams by sendmmsg',
      pings: 500,
      pingIntervalSeconds: 0.002,
      rttResolutionMs: 0.001,
      oneCoreCpu: 0,
    },
    generatorCeiling: [{ setting: 'free', sentPerSecond: about(619_000), receivedPerSecond: about(600_000) }],
    offloads: {
      'weft-udp': [
        { name: 'udp-gso', active: true, reason: 'in use' },
        { name: 'tun-uso', active: false, reason: 'TUNSETOFFLOAD refused USO: EINVAL' },
      ],
    },
    scale: {
      routes: [2, 100, 10_000, 100_000].map((routes) => ({
        routes,
        nanosecondsPerLookup: about(5),
        loadMs: routes / 350 + 0.2,
      })),
      peers: [2, 100, 1000].map((peers) => ({
        peers,
        knownSeconds: about(1.3),
        packetsPerSecond: about(140_000),
        limit: 'sender',
        residentBytes: about(98e6 + peers * 2e4),
        restCpuShare: about(0.02),
      })),
      leases: [0, 100, 1000].map((perSecond) => ({
        perSecond,
        leases: perSecond * 3,
        gigabitsPerSecond: about(6 - perSecond / 400),
        lastSeconds: perSecond / 1000,
      })),
    },
    storm: { framesPerSecond: 10_000, offered: 74_540, flooded: 2133, limited: 4144 },
    fragments: Object.fromEntries(PATHS.map((path) => [path, 0])),
    failures: [{ round: 2, setting: 'free', test: 'udp64', path: 'weft-ipip', message: 'no packet came back' }],
  };
}
