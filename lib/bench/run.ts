/** One run of `weft bench`: every path under every setting, interleaved, round after round. */
import { messageOf, WeftError } from '../error.ts';
import { CONGESTION_CONTROL, OMITTED_SECONDS } from '../measure/iperf3.ts';
import { PING_RESOLUTION_MS } from '../measure/ping-output.ts';
import { measureRtt } from '../measure/rtt.ts';
import { measureTcp } from '../measure/tcp.ts';
import { longestTcpSeconds } from '../measure/tcp-client.ts';
import { GENERATOR_TEXT } from '../measure/traffic-protocol.ts';
import { MAX_LOSS, SMALL_PACKET_BYTES, UdpBench } from '../measure/udp.ts';
import { describeEnvironment } from './environment.ts';
import { timeFdbLookups, timeFibLookups } from './lookup-timing.ts';
import { SETTINGS, type Setting, TESTS, type TestName } from './matrix.ts';
import { type PathLab, UNDERLAY_MTU, underlayQdisc, withPathLab } from './path-lab.ts';
import { isWanted, type NamedPath, PATHS, type PathName, type Selection } from './paths.ts';
import { INNER_MTU } from './pod-link.ts';
import {
  type BenchReport,
  type Failure,
  type GeneratorCeiling,
  type Method,
  type Sample,
  SCHEMA,
  toRows,
} from './report.ts';
import { SettingSwitch } from './setting.ts';
import { STORM_FRAMES_PER_SECOND } from './storm.ts';
import { judge } from './thresholds.ts';

export interface BenchOptions {
  readonly rounds: number;
  readonly selection: Selection;
  /** Of a TCP run that count. */
  readonly tcpSeconds: number;
  readonly udpTrialSeconds: number;
  readonly pings: number;
  readonly pingIntervalSeconds: number;
}

/** What the caller lends: the clock, chance, its process id and a place for progress lines. */
export interface BenchHost {
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  readonly pid: number;
  readonly log: (line: string) => void;
}

/** Builds the paths, measures, removes them. Throws WeftError NOT_ROOT, TOOL_MISSING, DAEMON_FAILED, INTERRUPTED, ... */
export async function runBench(options: BenchOptions, host: BenchHost): Promise<BenchReport> {
  const environment = await describeEnvironment();
  const fib = timeFibLookups([2, 10_000], host.random).map(({ entries, ...rest }) => ({ routes: entries, ...rest }));
  const fdb = timeFdbLookups([2, 10_000], host.random);
  const id = `b${host.pid.toString(36)}`;
  const paths = PATHS.filter((path) =>
    SETTINGS.some((setting) => testsOf(options.selection, setting, path).length > 0),
  );
  return withPathLab(
    { paths, id, stormSeconds: longestTcpSeconds(options.tcpSeconds), log: host.log },
    async (pathLab, signal) => {
      const startedAt = host.now();
      const run = new Run(options, host, pathLab, signal);
      const measured = await run.measureAll();
      const parts = { results: toRows(measured.samples), fib, fdb, daemon: readDaemons(pathLab) };
      const { offloads, fragments, storm } = pathLab.observations;
      return {
        schema: SCHEMA,
        startedAt: startedAt.toISOString(),
        durationSeconds: Math.round((host.now().getTime() - startedAt.getTime()) / 1000),
        environment,
        method: await describeMethod(options, pathLab, measured),
        ...parts,
        generatorCeiling: measured.ceilings,
        offloads,
        storm: storm === null ? null : { framesPerSecond: STORM_FRAMES_PER_SECOND, ...storm },
        fragments,
        thresholds: judge(parts),
        failures: measured.failures,
      };
    },
  );
}

function testsOf(selection: Selection, setting: Setting, path: PathName): TestName[] {
  return TESTS.filter((test) => isWanted(selection, setting, test, path));
}

interface Measured {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly ceilings: readonly GeneratorCeiling[];
  readonly tcpMss: number | null;
  readonly oneCoreCpu: number;
}

class Run {
  readonly #options: BenchOptions;
  readonly #host: BenchHost;
  readonly #pathLab: PathLab;
  readonly #signal: AbortSignal;
  readonly #switch: SettingSwitch;
  /** Of each pair of namespaces: the paths between two pods share theirs. */
  readonly #udp = new Map<string, UdpBench>();
  readonly #samples: Sample[] = [];
  readonly #failures: Failure[] = [];
  readonly #ceilings = new Map<Setting, GeneratorCeiling>();
  #tcpMss: number | null = null;

  constructor(options: BenchOptions, host: BenchHost, pathLab: PathLab, signal: AbortSignal) {
    this.#options = options;
    this.#host = host;
    this.#pathLab = pathLab;
    this.#signal = signal;
    this.#switch = new SettingSwitch(pathLab, host.pid);
  }

  async measureAll(): Promise<Measured> {
    try {
      for (let round = 1; round <= this.#options.rounds; round++) {
        for (const setting of this.#settings) {
          const processes = () => [...this.#udp.values()].flatMap(({ pids }) => pids);
          await this.#switch.within(setting, processes, () => this.#measureSetting(round, setting));
        }
      }
    } finally {
      for (const udp of this.#udp.values()) await udp.stop();
    }
    return {
      samples: this.#samples,
      failures: this.#failures,
      ceilings: [...this.#ceilings.values()],
      tcpMss: this.#tcpMss,
      oneCoreCpu: this.#switch.oneCpu,
    };
  }

  get #settings(): readonly Setting[] {
    const { selection } = this.#options;
    const isMeasured = (setting: Setting) =>
      this.#pathLab.paths.some((path) => testsOf(selection, setting, path).length > 0);
    return SETTINGS.filter(isMeasured);
  }

  /** One path after the other: its daemons start, all its tests run, its daemons stop. */
  async #measureSetting(round: number, setting: Setting): Promise<void> {
    const { paths } = this.#pathLab;
    // Every round begins with another path: none always comes first after a pause, or after the same neighbour.
    for (let i = 0; i < paths.length; i++) {
      const path = paths[(i + round - 1) % paths.length]!;
      const tests = testsOf(this.#options.selection, setting, path);
      if (tests.length > 0) await this.#measurePath(round, setting, path, tests);
      if (this.#signal.aborted) throw new WeftError('INTERRUPTED', 'Interrupted');
    }
  }

  async #measurePath(round: number, setting: Setting, name: PathName, tests: readonly TestName[]): Promise<void> {
    const left = new Set(tests);
    try {
      await this.#pathLab.within(name, async (path) => {
        for (const test of tests) {
          await this.#measureOne(round, setting, test, path);
          left.delete(test);
          if (this.#signal.aborted) return;
        }
      });
    } catch (error) {
      if (this.#signal.aborted) return;
      for (const test of left.size > 0 ? left : tests) this.#fail({ round, setting, test, path: name }, error);
    }
  }

  async #measureOne(round: number, setting: Setting, test: TestName, path: NamedPath): Promise<void> {
    const place = { round, setting, test, path: path.name };
    try {
      const result = await this.#measure(test, path, setting);
      this.#samples.push({ ...place, ...result.sample });
      this.#host.log(`${this.#describe(place)}  ${result.text}`);
    } catch (error) {
      if (!this.#signal.aborted) this.#fail(place, error);
    }
  }

  #fail(place: Place, error: unknown): void {
    this.#failures.push({ ...place, message: messageOf(error) });
    this.#host.log(`${this.#describe(place)}  FAILED: ${messageOf(error)}`);
  }

  #describe({ round, setting, test, path }: Place): string {
    return `round ${round}/${this.#options.rounds}  ${setting}  ${test}  ${path}`;
  }

  async #measure(test: TestName, path: NamedPath, setting: Setting): Promise<Result> {
    if (test === 'udp64') return this.#measureUdp(path, setting);
    if (test === 'rtt') {
      const { p50Ms, p99Ms, lost } = await measureRtt(path, this.#options.pings, this.#options.pingIntervalSeconds);
      return {
        sample: { values: { p50: p50Ms, p99: p99Ms, lost } },
        text: `p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(3)} ms`,
      };
    }
    const tcp = await measureTcp(path, test === 'tcp1' ? 1 : 4, this.#options.tcpSeconds);
    if (this.#tcpMss === null || path.name === 'kernel-vxlan') this.#tcpMss = tcp.mss;
    const {
      gigabitsPerSecond: throughput,
      machineCpuSecondsPerGB: machineCpu,
      daemonCpuSecondsPerGB,
      retransmits,
    } = tcp;
    return {
      sample: {
        values: {
          throughput,
          machineCpu,
          retransmits,
          ...(daemonCpuSecondsPerGB !== undefined && { daemonCpu: daemonCpuSecondsPerGB }),
        },
      },
      text: `${throughput.toFixed(2)} Gb/s, ${machineCpu.toFixed(2)} CPU s/GB`,
    };
  }

  async #measureUdp({ name, client, server }: NamedPath, setting: Setting): Promise<Result> {
    const pair = `${client.netns} ${server.netns}`;
    const udp = this.#udp.get(pair) ?? new UdpBench(client.netns, server.netns);
    this.#udp.set(pair, udp);
    try {
      const { packetsPerSecond, loss, limit, flood } = await udp.measure(server.address, this.#options.udpTrialSeconds);
      if (name === 'direct' && !this.#ceilings.has(setting)) this.#ceilings.set(setting, { setting, ...flood });
      return {
        sample: { values: { rate: packetsPerSecond, loss }, limit },
        text: `${Math.round(packetsPerSecond)} packets/s (${limit})`,
      };
    } catch (error) {
      // Requests and replies may be out of step now: the next measurement gets processes of its own.
      this.#udp.delete(pair);
      await udp.stop();
      throw error;
    }
  }
}

type Place = Omit<Failure, 'message'>;

interface Result {
  readonly sample: Pick<Sample, 'values' | 'limit'>;
  /** For the progress line. */
  readonly text: string;
}

async function describeMethod(options: BenchOptions, pathLab: PathLab, measured: Measured): Promise<Method> {
  return {
    rounds: options.rounds,
    congestionControl: CONGESTION_CONTROL,
    tcpSeconds: options.tcpSeconds,
    tcpOmittedSeconds: OMITTED_SECONDS,
    qdisc: await underlayQdisc(pathLab.lab),
    underlayMtu: UNDERLAY_MTU,
    innerMtu: INNER_MTU,
    tcpMss: measured.tcpMss,
    smallPacketBytes: SMALL_PACKET_BYTES,
    maxLoss: MAX_LOSS,
    udpTrialSeconds: options.udpTrialSeconds,
    generator: GENERATOR_TEXT,
    pings: options.pings,
    pingIntervalSeconds: options.pingIntervalSeconds,
    rttResolutionMs: PING_RESOLUTION_MS,
    oneCoreCpu: measured.oneCoreCpu,
  };
}

function readDaemons({ observations }: PathLab): BenchReport['daemon'] {
  const residentBytes = Object.values(observations.residentBytes);
  if (observations.readySeconds.length === 0) return null;
  return { readySeconds: observations.readySeconds, residentBytes };
}
