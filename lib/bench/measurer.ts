/** Runs one test over one path. */
import { measureLoadedRtt } from '../measure/loaded-rtt.ts';
import { formatRtt, measureRtt } from '../measure/rtt.ts';
import { measureTcp } from '../measure/tcp.ts';
import { UdpBench } from '../measure/udp.ts';
import type { Durations } from './costs.ts';
import {
  isTcp,
  isUdp,
  LOADS,
  PACKET_SIZES,
  type Setting,
  STREAMS,
  type TcpTest,
  type TestName,
  type UdpTest,
} from './matrix.ts';
import type { NamedPath, StageReading } from './paths.ts';
import type { GeneratorCeiling, Sample } from './report.ts';
import { stageTimes } from './stage-times.ts';

/** What a test came to. */
export interface Outcome extends Pick<Sample, 'values' | 'limit' | 'stages' | 'rttMs'> {
  /** For the progress line. */
  readonly text: string;
}

export class Measurer {
  readonly #durations: Durations;
  /** Of each pair of namespaces: the paths between two pods share theirs. */
  readonly #udp = new Map<string, UdpBench>();
  readonly #ceilings = new Map<Setting, GeneratorCeiling>();
  /** The latest Gb/s of one stream, by setting and path. */
  readonly #oneStream = new Map<string, number>();
  #tcpMss: number | null = null;

  constructor(durations: Durations) {
    this.#durations = durations;
  }

  /** What it started and goes on running. */
  get pids(): number[] {
    return [...this.#udp.values()].flatMap(({ pids }) => pids);
  }

  /** As the sender of kernel-vxlan, or of the first path measured, had it; null without a TCP test. */
  get tcpMss(): number | null {
    return this.#tcpMss;
  }

  get ceilings(): GeneratorCeiling[] {
    return [...this.#ceilings.values()];
  }

  measure(test: TestName, path: NamedPath, setting: Setting): Promise<Outcome> {
    if (isTcp(test)) return withStages(path, () => this.#tcp(test, path, setting));
    if (isUdp(test)) return withStages(path, () => this.#udpRate(test, path, setting));
    return LOADS[test] === 0 ? this.#rtt(path) : this.#loadedRtt(LOADS[test], path, setting);
  }

  async #tcp(test: TcpTest, path: NamedPath, setting: Setting): Promise<Outcome> {
    const { streams, bothWays } = STREAMS[test];
    const tcp = await measureTcp(path, streams, this.#durations.tcpSeconds, { bothWays });
    if (this.#tcpMss === null || path.name === 'kernel-vxlan') this.#tcpMss = tcp.mss;
    const throughput = tcp.gigabitsPerSecond;
    if (test === 'tcp1') this.#oneStream.set(`${setting} ${path.name}`, throughput);
    const { machineCpuSecondsPerGB: machineCpu, daemonCpuSecondsPerGB: daemonCpu, retransmits } = tcp;
    const daemon =
      tcp.daemonCpu === undefined || daemonCpu === undefined
        ? {}
        : { daemonCpu, daemonUser: tcp.daemonCpu.user, daemonKernel: tcp.daemonCpu.kernel };
    const machine = { machineCpu, machineUser: tcp.machineCpu.user, machineKernel: tcp.machineCpu.kernel };
    const back = bothWays ? { back: tcp.backGigabitsPerSecond } : {};
    return {
      values: { throughput, ...back, ...machine, ...daemon, retransmits },
      text: `${throughput.toFixed(2)} Gb/s, ${machineCpu.toFixed(2)} CPU s/GB`,
    };
  }

  async #rtt(path: NamedPath): Promise<Outcome> {
    const { pings, pingIntervalSeconds } = this.#durations;
    const sample = await measureRtt(path, pings, pingIntervalSeconds);
    const { p50Ms: p50, p99Ms: p99, lost, rttMs } = sample;
    return { values: { p50, p99, lost }, rttMs, text: formatRtt(sample) };
  }

  /** `share` of what one stream reaches; where that was not measured, it is now. */
  async #loadedRtt(share: number, path: NamedPath, setting: Setting): Promise<Outcome> {
    const { pings, pingIntervalSeconds } = this.#durations;
    const key = `${setting} ${path.name}`;
    if (share < 1 && !this.#oneStream.has(key)) await this.#tcp('tcp1', path, setting);
    const bitsPerSecond = share < 1 ? share * (this.#oneStream.get(key) ?? 0) * 1e9 : undefined;
    const sample = await measureLoadedRtt(path, pings, pingIntervalSeconds, bitsPerSecond);
    const { p50Ms: p50, p99Ms: p99, lost, rttMs, gigabitsPerSecond: load } = sample;
    return {
      values: { p50, p99, lost, load },
      rttMs,
      text: `${formatRtt(sample)} beside ${load.toFixed(2)} Gb/s`,
    };
  }

  async #udpRate(test: UdpTest, { name, client, server }: NamedPath, setting: Setting): Promise<Outcome> {
    const pair = `${client.netns} ${server.netns}`;
    const udp = this.#udp.get(pair) ?? new UdpBench(client.netns, server.netns);
    this.#udp.set(pair, udp);
    try {
      const {
        packetsPerSecond: rate,
        loss,
        limit,
        flood,
      } = await udp.measure(server.address, this.#durations.udpTrialSeconds, PACKET_SIZES[test]);
      if (test === 'udp64' && name === 'direct' && !this.#ceilings.has(setting))
        this.#ceilings.set(setting, { setting, ...flood });
      return { values: { rate, loss }, limit, text: `${Math.round(rate)} packets/s, limited by ${limit}` };
    } catch (error) {
      // Requests and replies may be out of step now: the next measurement gets processes of its own.
      this.#udp.delete(pair);
      await udp.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const udp of this.#udp.values()) await udp.stop();
  }
}

/** With what the stage clocks saw meanwhile. They are read before and after, not while something is measured. */
async function withStages(path: NamedPath, measure: () => Promise<Outcome>): Promise<Outcome> {
  // A daemon that does not answer spoils no measurement of its packets.
  const read = (): Promise<StageReading | undefined> =>
    path.readStages?.().catch(() => undefined) ?? Promise.resolve(undefined);
  const before = await read();
  const outcome = await measure();
  const after = before === undefined ? undefined : await read();
  return before === undefined || after === undefined ? outcome : { ...outcome, stages: stageTimes(before, after) };
}
