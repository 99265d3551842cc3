/** Single measurements between two sides: each asks both for their part. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuPerGB } from '../../measure/cpu-time.ts';
import { OMITTED_SECONDS } from '../../measure/iperf3.ts';
import { formatRtt } from '../../measure/rtt.ts';
import type { ReceiveReply, ReceiveRequest, SendReply, SendRequest } from '../../measure/traffic-protocol.ts';
import { UdpRateSearch } from '../../measure/udp.ts';
import type { UdpReceiver, UdpSender } from '../../measure/udp-ends.ts';
import type { Direction, FarMetric, FarSample } from './far-report.ts';
import type { Role } from './handshake.ts';
import type { Place, Side, Usage } from './requests.ts';

export interface Sides {
  readonly near: Side;
  readonly far: Side;
}

/** What one measurement gives, before it is known for which round, path and test. */
export interface Outcome {
  readonly figures: readonly Pick<FarSample, 'metric' | 'side' | 'value' | 'limit'>[];
  /** For the progress line. */
  readonly text: string;
  readonly mss?: number;
  readonly residentBytes?: Readonly<Record<Role, number>>;
}

const figure = (metric: FarMetric, value: number, side: Role | null = null) => ({ metric, side, value });

/** The near side calls whoever sends, so that its firewall need not let anybody in. */
export async function measureTcpBetween(
  { near, far }: Sides,
  place: Place,
  options: { readonly streams: number; readonly seconds: number; readonly direction: Direction },
): Promise<Outcome> {
  const usage = () => Promise.all([near, far].map((side) => side.ask({ type: 'usage', place })));
  const { streams, seconds, direction } = options;
  await far.ask({ type: 'tcp-serve', place });
  const before = await usage();
  const reverse = direction === 'from-far';
  const result = await near.ask({ type: 'tcp-call', place, streams, seconds, reverse });
  const after = await usage();
  const cpu = (['near', 'far'] as const).flatMap((side, index) =>
    cpuFigures(side, before[index]!, after[index]!, result.totalBytes),
  );
  const throughput = result.bitsPerSecond / 1e9;
  const [own, others] = after.map(({ residentBytes }) => residentBytes);
  return {
    figures: [figure('throughput', throughput), ...cpu, figure('retransmits', result.retransmits)],
    text: `${throughput.toFixed(2)} Gb/s`,
    mss: result.mss,
    ...(typeof own === 'number' && typeof others === 'number' && { residentBytes: { near: own, far: others } }),
  };
}

function cpuFigures(side: Role, before: Usage, after: Usage, bytes: number): Outcome['figures'] {
  const machine = cpuPerGB(before.machine, after.machine, bytes);
  const figures = [
    figure('machineCpu', machine.user + machine.kernel, side),
    figure('machineUser', machine.user, side),
    figure('machineKernel', machine.kernel, side),
  ];
  if (before.daemon === null || after.daemon === null) return figures;
  const daemon = cpuPerGB(before.daemon, after.daemon, bytes);
  return [
    ...figures,
    figure('daemonCpu', daemon.user + daemon.kernel, side),
    figure('daemonUser', daemon.user, side),
    figure('daemonKernel', daemon.kernel, side),
  ];
}

export async function measureUdpBetween(
  { near, far }: Sides,
  place: Place,
  options: { readonly seconds: number; readonly direction: Direction },
): Promise<Outcome> {
  const [from, to] = options.direction === 'to-far' ? [near, far] : [far, near];
  const search = new UdpRateSearch(new SideUdpEnd(from, place), new SideUdpEnd(to, place));
  // Each side knows the address of the other.
  const { packetsPerSecond, loss, limit } = await search.measure('', options.seconds);
  return {
    figures: [{ ...figure('rate', packetsPerSecond), limit }, figure('loss', loss)],
    text: `${Math.round(packetsPerSecond)} packets/s, limited by ${limit}`,
  };
}

/** The end of a UDP trial on a side. */
class SideUdpEnd implements UdpSender, UdpReceiver {
  readonly #side: Side;
  readonly #place: Place;

  constructor(side: Side, place: Place) {
    this.#side = side;
    this.#place = place;
  }

  send({ payloadSize, trial, rate, seconds }: Omit<SendRequest, 'type'>): Promise<Omit<SendReply, 'type'>> {
    return this.#side.ask({ type: 'udp-send', place: this.#place, payloadSize, trial, rate, seconds });
  }

  async listen({ payloadSize, trial, firstWithinMs, quietMs }: Omit<ReceiveRequest, 'type'>): Promise<void> {
    await this.#side.ask({ type: 'udp-listen', place: this.#place, payloadSize, trial, firstWithinMs, quietMs });
  }

  received(): Promise<Omit<ReceiveReply, 'type'>> {
    return this.#side.ask({ type: 'udp-received', place: this.#place });
  }
}

interface Echoes {
  readonly count: number;
  readonly intervalSeconds: number;
}

export async function measureRttBetween({ near }: Sides, place: Place, echoes: Echoes): Promise<Outcome> {
  const sample = await near.ask({ type: 'ping', place, ...echoes });
  const { p50Ms, p99Ms, lost } = sample;
  return {
    figures: [figure('p50', p50Ms), figure('p99', p99Ms), figure('lost', lost)],
    text: formatRtt(sample),
  };
}

/** Echoes while one TCP stream goes to the far side as fast as it can; as many as fit into its time. */
export async function measureRttUnderLoad(
  sides: Sides,
  place: Place,
  options: Echoes & { readonly seconds: number },
): Promise<Outcome> {
  const { near, far } = sides;
  const { intervalSeconds, seconds } = options;
  const count = Math.max(1, Math.min(options.count, Math.floor((seconds * 0.9) / intervalSeconds)));
  await far.ask({ type: 'tcp-serve', place });
  const load = near.ask({ type: 'tcp-call', place, streams: 1, seconds, reverse: false });
  // Settled below; until then its failure is nobody's.
  load.catch(() => undefined);
  await Promise.race([delay(OMITTED_SECONDS * 1000), load]);
  const outcome = await measureRttBetween(sides, place, { count, intervalSeconds });
  const { bitsPerSecond } = await load;
  return { ...outcome, figures: [...outcome.figures, figure('load', bitsPerSecond / 1e9)] };
}
