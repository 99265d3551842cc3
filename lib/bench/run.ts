/** One run of `weft bench`: every contender under every setting, interleaved, round after round. */
import { readFileSync } from 'node:fs';
import { messageOf, WeftError } from '../error.ts';
import { execInNetns } from '../lab/netns.ts';
import type { Bed, Contender } from './bed.ts';
import { type BedSet, INNER_MTU, UNDERLAY_MTU, underlayQdisc, withBeds } from './beds.ts';
import { ipCounter, residentBytes } from './cpu-time.ts';
import { describeEnvironment } from './environment.ts';
import { timeFibLookups } from './fib-timing.ts';
import { CONGESTION_CONTROL, OMITTED_SECONDS } from './iperf3.ts';
import { measureRtt } from './measure-rtt.ts';
import { measureTcp } from './measure-tcp.ts';
import { MAX_LOSS, SMALL_PACKET_BYTES, UdpBench } from './measure-udp.ts';
import { PING_RESOLUTION_MS } from './ping-output.ts';
import {
  type BenchReport,
  type Failure,
  type GeneratorCeiling,
  type Method,
  type Sample,
  SCHEMA,
  type TestName,
  toRows,
} from './report.ts';
import { type Setting, SettingSwitch } from './setting.ts';
import { judge } from './thresholds.ts';
import { GENERATOR_TEXT } from './traffic-protocol.ts';

export interface BenchOptions {
  readonly rounds: number;
  readonly settings: readonly Setting[];
  readonly contenders: readonly Contender[];
  readonly tests: readonly TestName[];
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
  const fib = timeFibLookups([2, 10_000], host.random);
  const id = `b${host.pid.toString(36)}`;
  return withBeds({ contenders: options.contenders, id, log: host.log }, async (beds, signal) => {
    const startedAt = host.now();
    const run = new Run(options, host, beds, signal);
    const measured = await run.measureAll();
    const parts = { results: toRows(measured.samples), fib, daemon: readDaemon(beds) };
    return {
      schema: SCHEMA,
      startedAt: startedAt.toISOString(),
      durationSeconds: Math.round((host.now().getTime() - startedAt.getTime()) / 1000),
      environment,
      method: await describeMethod(options, beds, measured),
      ...parts,
      generatorCeiling: measured.ceilings,
      offloads: await readOffloads(beds),
      fragments: measured.fragments,
      thresholds: judge(parts),
      failures: measured.failures,
    };
  });
}

interface Measured {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly ceilings: readonly GeneratorCeiling[];
  readonly fragments: Partial<Record<Contender, number>>;
  readonly tcpMss: number | null;
  readonly oneCoreCpu: number;
}

class Run {
  readonly #options: BenchOptions;
  readonly #host: BenchHost;
  readonly #beds: BedSet;
  readonly #signal: AbortSignal;
  readonly #switch: SettingSwitch;
  readonly #udp = new Map<Contender, UdpBench>();
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
    const before = await this.#fragments();
    try {
      for (let round = 1; round <= this.#options.rounds; round++) {
        for (const setting of this.#options.settings) {
          const processes = () => [...this.#udp.values()].flatMap(({ pids }) => pids);
          await this.#switch.within(setting, processes, () => this.#measureSetting(round, setting));
        }
      }
    } finally {
      for (const udp of this.#udp.values()) await udp.stop();
    }
    const after = await this.#fragments();
    return {
      samples: this.#samples,
      failures: this.#failures,
      ceilings: [...this.#ceilings.values()],
      fragments: Object.fromEntries(after.map(([contender, count], i) => [contender, count - before[i]![1]])),
      tcpMss: this.#tcpMss,
      oneCoreCpu: this.#switch.oneCpu,
    };
  }

  async #measureSetting(round: number, setting: Setting): Promise<void> {
    const { beds } = this.#beds;
    for (const test of this.#options.tests) {
      // Every round begins with another contender: none always comes first after a pause, or after the same neighbour.
      for (let i = 0; i < beds.length; i++) {
        const bed = beds[(i + round - 1) % beds.length]!;
        await this.#measureOne(round, setting, test, bed);
        if (this.#signal.aborted) throw new WeftError('INTERRUPTED', 'Interrupted');
      }
    }
  }

  async #measureOne(round: number, setting: Setting, test: TestName, bed: Bed): Promise<void> {
    const { contender } = bed;
    const where = `round ${round}/${this.#options.rounds}  ${setting}  ${test}  ${contender}`;
    try {
      const result = await this.#measure(test, bed, setting);
      this.#samples.push({ round, setting, test, contender, ...result.sample });
      this.#host.log(`${where}  ${result.text}`);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#failures.push({ round, setting, test, contender, message: messageOf(error) });
      this.#host.log(`${where}  FAILED: ${messageOf(error)}`);
    }
  }

  async #measure(test: TestName, bed: Bed, setting: Setting): Promise<Result> {
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

  async #measureUdp(bed: Bed, setting: Setting): Promise<Result> {
    const udp = this.#udp.get(bed.contender) ?? new UdpBench(bed);
    this.#udp.set(bed.contender, udp);
    try {
      const { packetsPerSecond, loss, limit, flood } = await udp.measure(this.#options.udpTrialSeconds);
      if (bed.contender === 'direct' && !this.#ceilings.has(setting))
        this.#ceilings.set(setting, { setting, ...flood });
      return {
        sample: { values: { rate: packetsPerSecond, loss }, limit },
        text: `${Math.round(packetsPerSecond)} packets/s (${limit})`,
      };
    } catch (error) {
      // Requests and replies may be out of step now: the next measurement gets processes of its own.
      this.#udp.delete(bed.contender);
      await udp.stop();
      throw error;
    }
  }

  async #fragments(): Promise<[Contender, number][]> {
    const counts: [Contender, number][] = [];
    for (const { contender, namespaces } of this.#beds.beds) {
      const texts = await Promise.all(namespaces.map((netns) => execInNetns(netns, ['cat', '/proc/net/snmp'])));
      counts.push([contender, texts.reduce((sum, { stdout }) => sum + ipCounter(stdout, 'FragCreates'), 0)]);
    }
    return counts;
  }
}

interface Result {
  readonly sample: Pick<Sample, 'values' | 'limit'>;
  /** For the progress line. */
  readonly text: string;
}

async function describeMethod(options: BenchOptions, beds: BedSet, measured: Measured): Promise<Method> {
  const lab = beds.labs[0];
  return {
    rounds: options.rounds,
    congestionControl: CONGESTION_CONTROL,
    tcpSeconds: options.tcpSeconds,
    tcpOmittedSeconds: OMITTED_SECONDS,
    qdisc: lab === undefined ? 'unknown' : await underlayQdisc(lab),
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

function readDaemon(beds: BedSet): BenchReport['daemon'] {
  const pids = beds.beds.find(({ contender }) => contender === 'weft-udp')?.daemonPids;
  if (pids === undefined) return null;
  return {
    readySeconds: beds.readySeconds,
    residentBytes: pids.map((pid) => residentBytes(readFileSync(`/proc/${pid}/status`, 'utf8'))),
  };
}

async function readOffloads(beds: BedSet): Promise<BenchReport['offloads']> {
  const entries = beds.beds
    .filter(({ daemonPids }) => daemonPids.length > 0)
    .map(async ({ contender }) => [contender, await beds.offloads(contender)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
