/** One run of `weft bench`: every contender under every setting, interleaved, round after round. */
import { messageOf, WeftError } from '../error.ts';
import { CONGESTION_CONTROL, OMITTED_SECONDS } from '../measure/iperf3.ts';
import { PING_RESOLUTION_MS } from '../measure/ping-output.ts';
import { measureRtt } from '../measure/rtt.ts';
import { longestTcpSeconds, measureTcp } from '../measure/tcp.ts';
import { GENERATOR_TEXT } from '../measure/traffic-protocol.ts';
import { MAX_LOSS, SMALL_PACKET_BYTES, UdpBench } from '../measure/udp.ts';
import { type BedSet, UNDERLAY_MTU, underlayQdisc, withBeds } from './beds.ts';
import type { ContenderBed } from './contenders.ts';
import { CONTENDERS, type Contender, isWanted, type Selection } from './contenders.ts';
import { describeEnvironment } from './environment.ts';
import { timeFdbLookups, timeFibLookups } from './lookup-timing.ts';
import { SETTINGS, type Setting, TESTS, type TestName } from './matrix.ts';
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

/** Builds the beds, measures, removes them. Throws WeftError NOT_ROOT, TOOL_MISSING, DAEMON_FAILED, INTERRUPTED, ... */
export async function runBench(options: BenchOptions, host: BenchHost): Promise<BenchReport> {
  const environment = await describeEnvironment();
  const fib = timeFibLookups([2, 10_000], host.random).map(({ entries, ...rest }) => ({ routes: entries, ...rest }));
  const fdb = timeFdbLookups([2, 10_000], host.random);
  const id = `b${host.pid.toString(36)}`;
  const contenders = CONTENDERS.filter((contender) =>
    SETTINGS.some((setting) => testsOf(options.selection, setting, contender).length > 0),
  );
  return withBeds(
    { contenders, id, stormSeconds: longestTcpSeconds(options.tcpSeconds), log: host.log },
    async (beds, signal) => {
      const startedAt = host.now();
      const run = new Run(options, host, beds, signal);
      const measured = await run.measureAll();
      const parts = { results: toRows(measured.samples), fib, fdb, daemon: readDaemons(beds) };
      const { offloads, fragments, storm } = beds.observations;
      return {
        schema: SCHEMA,
        startedAt: startedAt.toISOString(),
        durationSeconds: Math.round((host.now().getTime() - startedAt.getTime()) / 1000),
        environment,
        method: await describeMethod(options, beds, measured),
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

function testsOf(selection: Selection, setting: Setting, contender: Contender): TestName[] {
  return TESTS.filter((test) => isWanted(selection, setting, test, contender));
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
  readonly #beds: BedSet;
  readonly #signal: AbortSignal;
  readonly #switch: SettingSwitch;
  /** Of each pair of namespaces: the paths between two pods share theirs. */
  readonly #udp = new Map<string, UdpBench>();
  readonly #samples: Sample[] = [];
  readonly #failures: Failure[] = [];
  readonly #ceilings = new Map<Setting, GeneratorCeiling>();
  #tcpMss: number | null = null;

  constructor(options: BenchOptions, host: BenchHost, beds: BedSet, signal: AbortSignal) {
    this.#options = options;
    this.#host = host;
    this.#beds = beds;
    this.#signal = signal;
    this.#switch = new SettingSwitch(beds, host.pid);
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
      this.#beds.contenders.some((contender) => testsOf(selection, setting, contender).length > 0);
    return SETTINGS.filter(isMeasured);
  }

  /** One contender after the other: its daemons start, all its tests run, its daemons stop. */
  async #measureSetting(round: number, setting: Setting): Promise<void> {
    const { contenders } = this.#beds;
    // Every round begins with another contender: none always comes first after a pause, or after the same neighbour.
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round - 1) % contenders.length]!;
      const tests = testsOf(this.#options.selection, setting, contender);
      if (tests.length > 0) await this.#measureContender(round, setting, contender, tests);
      if (this.#signal.aborted) throw new WeftError('INTERRUPTED', 'Interrupted');
    }
  }

  async #measureContender(
    round: number,
    setting: Setting,
    contender: Contender,
    tests: readonly TestName[],
  ): Promise<void> {
    const left = new Set(tests);
    try {
      await this.#beds.within(contender, async (bed) => {
        for (const test of tests) {
          await this.#measureOne(round, setting, test, bed);
          left.delete(test);
          if (this.#signal.aborted) return;
        }
      });
    } catch (error) {
      if (this.#signal.aborted) return;
      for (const test of left.size > 0 ? left : tests) this.#fail({ round, setting, test, contender }, error);
    }
  }

  async #measureOne(round: number, setting: Setting, test: TestName, bed: ContenderBed): Promise<void> {
    const place = { round, setting, test, contender: bed.contender };
    try {
      const result = await this.#measure(test, bed, setting);
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

  #describe({ round, setting, test, contender }: Place): string {
    return `round ${round}/${this.#options.rounds}  ${setting}  ${test}  ${contender}`;
  }

  async #measure(test: TestName, bed: ContenderBed, setting: Setting): Promise<Result> {
    if (test === 'udp64') return this.#measureUdp(bed, setting);
    if (test === 'rtt') {
      const { p50Ms, p99Ms, lost } = await measureRtt(bed, this.#options.pings, this.#options.pingIntervalSeconds);
      return {
        sample: { values: { p50: p50Ms, p99: p99Ms, lost } },
        text: `p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(3)} ms`,
      };
    }
    const tcp = await measureTcp(bed, test === 'tcp1' ? 1 : 4, this.#options.tcpSeconds);
    if (this.#tcpMss === null || bed.contender === 'kernel-vxlan') this.#tcpMss = tcp.mss;
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

  async #measureUdp({ contender, client, server }: ContenderBed, setting: Setting): Promise<Result> {
    const pair = `${client.netns} ${server.netns}`;
    const udp = this.#udp.get(pair) ?? new UdpBench(client.netns, server.netns);
    this.#udp.set(pair, udp);
    try {
      const { packetsPerSecond, loss, limit, flood } = await udp.measure(server.address, this.#options.udpTrialSeconds);
      if (contender === 'direct' && !this.#ceilings.has(setting)) this.#ceilings.set(setting, { setting, ...flood });
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

async function describeMethod(options: BenchOptions, beds: BedSet, measured: Measured): Promise<Method> {
  return {
    rounds: options.rounds,
    congestionControl: CONGESTION_CONTROL,
    tcpSeconds: options.tcpSeconds,
    tcpOmittedSeconds: OMITTED_SECONDS,
    qdisc: await underlayQdisc(beds.lab),
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

function readDaemons({ observations }: BedSet): BenchReport['daemon'] {
  const residentBytes = Object.values(observations.residentBytes);
  if (observations.readySeconds.length === 0) return null;
  return { readySeconds: observations.readySeconds, residentBytes };
}
