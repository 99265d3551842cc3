/** One run of `weft bench --peer`: every path between the two machines, interleaved, round after round. */
import { messageOf, WeftError } from '../../error.ts';
import { CONGESTION_CONTROL, OMITTED_SECONDS } from '../../measure/iperf3.ts';
import { PING_RESOLUTION_MS } from '../../measure/ping-output.ts';
import { GENERATOR_TEXT } from '../../measure/traffic-protocol.ts';
import { MAX_LOSS, SMALL_PACKET_BYTES } from '../../measure/udp.ts';
import {
  type Direction,
  FAR_SCHEMA,
  type FarFailure,
  type FarPath,
  type FarReport,
  type FarSample,
  type FarTest,
  type NotMeasured,
  toFarRows,
} from './far-report.ts';
import type { Role } from './handshake.ts';
import { type BetweenPlan, planPaths } from './plan.ts';
import type { PairBackend, Place } from './requests.ts';
import {
  measureRttBetween,
  measureRttUnderLoad,
  measureTcpBetween,
  measureUdpBetween,
  type Outcome,
  type Sides,
} from './two-sides.ts';

export interface BetweenOptions {
  readonly rounds: number;
  readonly tests: readonly FarTest[];
  readonly tcpSeconds: number;
  readonly udpTrialSeconds: number;
  readonly pings: number;
  readonly pingIntervalSeconds: number;
}

export interface BetweenHost {
  readonly now: () => Date;
  readonly log: (line: string) => void;
  /** Aborted: the run ends with what it has. */
  readonly signal: AbortSignal;
  readonly addresses: Readonly<Record<Role, string>>;
}

/** Where the connection is gone, nothing more can be measured. */
const LOST_CODES: readonly string[] = ['FAR_LOST', 'FAR_SIDE_ENDED'];

const PLACES: Readonly<Record<FarPath, Place>> = {
  underlay: 'underlay',
  overlay: 'overlay',
  'weft-udp': 'pair',
  'weft-vxlan': 'pair',
};
const BACKENDS: Readonly<Partial<Record<FarPath, PairBackend>>> = { 'weft-udp': 'udp', 'weft-vxlan': 'vxlan' };
const BOTH_WAYS = ['to-far', 'from-far'] as const;
const DIRECTIONS: Readonly<Record<FarTest, readonly Direction[]>> = {
  tcp1: BOTH_WAYS,
  tcp4: BOTH_WAYS,
  udp64: BOTH_WAYS,
  rtt: ['both'],
  'rtt-load': ['both'],
};

/** Resolves to a report also when the far side is lost on the way. Codes: those of a far side that is lost before anything is measured. */
export async function runBetween(options: BetweenOptions, host: BetweenHost, sides: Sides): Promise<FarReport> {
  const startedAt = host.now();
  const plan = await planPaths(sides, options.tests);
  const run = new BetweenRun(options, host, sides, plan);
  await run.measureAll();
  const side = (role: Role) => {
    const { environment, isRoot } = plan.descriptions[role];
    return { address: host.addresses[role], isRoot, environment };
  };
  return {
    schema: FAR_SCHEMA,
    startedAt: startedAt.toISOString(),
    durationSeconds: Math.round((host.now().getTime() - startedAt.getTime()) / 1000),
    interrupted: host.signal.aborted,
    lost: host.signal.aborted ? null : run.lost,
    near: side('near'),
    far: side('far'),
    method: describeMethod(options),
    overlay: plan.overlay,
    tcpMss: Object.fromEntries(run.tcpMss),
    results: toFarRows(run.samples),
    residentBytes: Object.fromEntries(run.residentBytes),
    notMeasured: [...plan.notMeasured, ...run.notReached()],
    failures: run.failures,
  };
}

class BetweenRun {
  readonly #options: BetweenOptions;
  readonly #host: BetweenHost;
  readonly #sides: Sides;
  readonly #plan: BetweenPlan;
  readonly samples: FarSample[] = [];
  readonly failures: FarFailure[] = [];
  readonly tcpMss = new Map<FarPath, number>();
  readonly residentBytes = new Map<FarPath, Readonly<Record<Role, number>>>();
  lost: string | null = null;

  constructor(options: BetweenOptions, host: BetweenHost, sides: Sides, plan: BetweenPlan) {
    this.#options = options;
    this.#host = host;
    this.#sides = sides;
    this.#plan = plan;
  }

  async measureAll(): Promise<void> {
    const { paths } = this.#plan;
    for (let round = 1; round <= this.#options.rounds; round++) {
      // Every round begins with another path: none always comes after the same neighbour.
      for (let i = 0; i < paths.length && this.#goesOn; i++)
        await this.#measurePath(round, paths[(i + round - 1) % paths.length]!);
    }
  }

  /** What was planned and has neither a sample nor a failure. */
  notReached(): NotMeasured[] {
    const why = this.#host.signal.aborted ? 'the run was interrupted before' : 'the far side was lost before';
    const isThere = (path: FarPath, test: FarTest) =>
      this.samples.some((sample) => sample.path === path && sample.test === test) ||
      this.failures.some((failure) => failure.path === path && (failure.test ?? test) === test);
    return this.#plan.paths.flatMap((path) =>
      this.#plan.tests.filter((test) => !isThere(path, test)).map((test) => ({ path, test, why })),
    );
  }

  get #goesOn(): boolean {
    return this.lost === null && !this.#host.signal.aborted;
  }

  async #measurePath(round: number, path: FarPath): Promise<void> {
    const backend = BACKENDS[path];
    try {
      if (backend !== undefined) await this.#startPair(backend);
      for (const test of this.#plan.tests)
        for (const direction of DIRECTIONS[test])
          if (this.#goesOn) await this.#measureOne({ round, path, test, direction });
    } catch (error) {
      this.#fail({ round, path, test: null }, error);
    } finally {
      if (backend !== undefined && this.#goesOn) await this.#stopPair(round, path);
    }
  }

  async #startPair(backend: PairBackend): Promise<void> {
    const { near, far } = this.#sides;
    const [own, others] = await allOf([near, far].map((side) => side.ask({ type: 'pair-start', backend })));
    await allOf([
      near.ask({ type: 'pair-join', vtepMac: others!.vtepMac }),
      far.ask({ type: 'pair-join', vtepMac: own!.vtepMac }),
    ]);
  }

  async #stopPair(round: number, path: FarPath): Promise<void> {
    const { near, far } = this.#sides;
    await allOf([near, far].map((side) => side.ask({ type: 'pair-stop' }))).catch((error: unknown) =>
      this.#fail({ round, path, test: null }, error),
    );
  }

  async #measureOne(place: Pick<FarSample, 'round' | 'path' | 'test' | 'direction'>): Promise<void> {
    const { path, test } = place;
    try {
      const outcome = await this.#measure(path, test, place.direction);
      for (const figure of outcome.figures) this.samples.push({ ...place, ...figure });
      if (outcome.mss !== undefined) this.tcpMss.set(path, outcome.mss);
      if (outcome.residentBytes !== undefined) this.#keepResident(path, outcome.residentBytes);
      this.#log(place, outcome.text);
    } catch (error) {
      this.#fail(place, error);
    }
  }

  #measure(path: FarPath, test: FarTest, direction: Direction): Promise<Outcome> {
    const place = PLACES[path];
    const { tcpSeconds: seconds, udpTrialSeconds, pings: count, pingIntervalSeconds: intervalSeconds } = this.#options;
    switch (test) {
      case 'tcp1':
      case 'tcp4':
        return measureTcpBetween(this.#sides, place, { streams: test === 'tcp1' ? 1 : 4, seconds, direction });
      case 'udp64':
        return measureUdpBetween(this.#sides, place, { seconds: udpTrialSeconds, direction });
      case 'rtt':
        return measureRttBetween(this.#sides, place, { count, intervalSeconds });
      case 'rtt-load':
        return measureRttUnderLoad(this.#sides, place, { count, intervalSeconds, seconds });
    }
  }

  #keepResident(path: FarPath, { near, far }: Readonly<Record<Role, number>>): void {
    const before = this.residentBytes.get(path);
    this.residentBytes.set(path, { near: Math.max(near, before?.near ?? 0), far: Math.max(far, before?.far ?? 0) });
  }

  #fail(place: Omit<FarFailure, 'message'> & { readonly direction?: Direction }, error: unknown): void {
    if (this.#host.signal.aborted) return;
    const message = messageOf(error);
    if (error instanceof WeftError && LOST_CODES.includes(error.code)) {
      this.lost ??= message;
      return;
    }
    const { round, path, test } = place;
    const hint = error instanceof WeftError && error.hint !== undefined ? `. ${error.hint}` : '';
    this.failures.push({ round, path, test, message: `${message}${hint}` });
    this.#log(place, `FAILED: ${message}`);
  }

  #log(
    { round, path, test, direction }: Omit<FarFailure, 'message'> & { readonly direction?: Direction },
    text: string,
  ): void {
    const words = [path, test ?? '', direction === undefined || direction === 'both' ? '' : direction];
    this.#host.log(
      `round ${round}/${this.#options.rounds}  ${words.filter((word) => word !== '').join('  ')}  ${text}`,
    );
  }
}

/** All to their ends, so that nothing runs on unseen; then the first error. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

function describeMethod(options: BetweenOptions): FarReport['method'] {
  return {
    rounds: options.rounds,
    congestionControl: CONGESTION_CONTROL,
    tcpSeconds: options.tcpSeconds,
    tcpOmittedSeconds: OMITTED_SECONDS,
    smallPacketBytes: SMALL_PACKET_BYTES,
    maxLoss: MAX_LOSS,
    udpTrialSeconds: options.udpTrialSeconds,
    generator: GENERATOR_TEXT,
    pings: options.pings,
    pingIntervalSeconds: options.pingIntervalSeconds,
    rttResolutionMs: PING_RESOLUTION_MS,
  };
}
