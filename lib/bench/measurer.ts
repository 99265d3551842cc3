/** Runs one test over one path. */
import { measureRtt } from '../measure/rtt.ts';
import { measureTcp } from '../measure/tcp.ts';
import { UdpBench } from '../measure/udp.ts';
import type { Durations } from './costs.ts';
import type { Setting, TestName } from './matrix.ts';
import type { NamedPath } from './paths.ts';
import type { GeneratorCeiling, Sample } from './report.ts';

/** What a test came to. */
export interface Outcome extends Pick<Sample, 'values' | 'limit'> {
  /** For the progress line. */
  readonly text: string;
}

export class Measurer {
  readonly #durations: Durations;
  /** Of each pair of namespaces: the paths between two pods share theirs. */
  readonly #udp = new Map<string, UdpBench>();
  readonly #ceilings = new Map<Setting, GeneratorCeiling>();
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
    switch (test) {
      case 'udp64':
        return this.#udpRate(path, setting);
      case 'rtt':
        return this.#rtt(path);
      case 'tcp1':
        return this.#tcp(path, 1);
      case 'tcp4':
        return this.#tcp(path, 4);
    }
  }

  async #tcp(path: NamedPath, streams: number): Promise<Outcome> {
    const tcp = await measureTcp(path, streams, this.#durations.tcpSeconds);
    if (this.#tcpMss === null || path.name === 'kernel-vxlan') this.#tcpMss = tcp.mss;
    const {
      gigabitsPerSecond: throughput,
      machineCpuSecondsPerGB: machineCpu,
      daemonCpuSecondsPerGB: daemonCpu,
      retransmits,
    } = tcp;
    return {
      values: { throughput, machineCpu, retransmits, ...(daemonCpu !== undefined && { daemonCpu }) },
      text: `${throughput.toFixed(2)} Gb/s, ${machineCpu.toFixed(2)} CPU s/GB`,
    };
  }

  async #rtt(path: NamedPath): Promise<Outcome> {
    const { pings, pingIntervalSeconds } = this.#durations;
    const { p50Ms: p50, p99Ms: p99, lost } = await measureRtt(path, pings, pingIntervalSeconds);
    return { values: { p50, p99, lost }, text: `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms` };
  }

  async #udpRate({ name, client, server }: NamedPath, setting: Setting): Promise<Outcome> {
    const pair = `${client.netns} ${server.netns}`;
    const udp = this.#udp.get(pair) ?? new UdpBench(client.netns, server.netns);
    this.#udp.set(pair, udp);
    try {
      const {
        packetsPerSecond: rate,
        loss,
        limit,
        flood,
      } = await udp.measure(server.address, this.#durations.udpTrialSeconds);
      if (name === 'direct' && !this.#ceilings.has(setting)) this.#ceilings.set(setting, { setting, ...flood });
      return { values: { rate, loss }, limit, text: `${Math.round(rate)} packets/s (${limit})` };
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
