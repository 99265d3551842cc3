/** What a run of `weft bench --peer` measures, one step after the other. */
import { messageOf, WeftError } from '../../error.ts';
import { STREAMS } from '../matrix.ts';
import type { Direction, FarFailure, FarPath, FarSample, FarTest, NotMeasured } from './far-report.ts';
import type { Role } from './handshake.ts';
import type { BetweenPlan } from './plan.ts';
import type { PairBackend, Place } from './requests.ts';
import { Progress, type Repeats, type Step, scheduleOf, type Visit } from './schedule.ts';
import {
  measureRttBetween,
  measureRttUnderLoad,
  measureTcpBetween,
  measureUdpBetween,
  type Outcome,
  type Sides,
} from './two-sides.ts';

export interface BetweenOptions extends Repeats {
  readonly tests: readonly FarTest[];
}

export interface BetweenHost {
  readonly now: () => Date;
  /** Seconds, from any origin. */
  readonly clock: () => number;
  readonly log: (line: string) => void;
  /** Aborted: the run ends with what it has. */
  readonly signal: AbortSignal;
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

/** Measures what was planned, and keeps what came of it. */
export class BetweenRun {
  readonly #options: BetweenOptions;
  readonly #host: BetweenHost;
  readonly #sides: Sides;
  readonly #plan: BetweenPlan;
  readonly #visits: readonly Visit[];
  readonly #progress: Progress;
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
    this.#visits = scheduleOf(plan.paths, plan.tests, options);
    this.#progress = new Progress(this.#visits, host.clock);
    host.log(`${options.rounds} × ${plan.paths.join(', ')}: ${this.#progress.text}`);
  }

  async measureAll(): Promise<void> {
    for (const visit of this.#visits) if (this.#goesOn) await this.#measurePath(visit);
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

  async #measurePath({ round, path, around, steps }: Visit): Promise<void> {
    const backend = BACKENDS[path];
    const done = this.#progress.begin(around);
    try {
      if (backend !== undefined) await this.#startPair(backend);
      done(true);
      for (const step of steps) if (this.#goesOn) await this.#measureOne({ round, path, ...step });
    } catch (error) {
      this.#skip({ around, steps });
      this.#fail({ round, path, test: null, direction: null }, error);
    } finally {
      if (backend !== undefined && this.#goesOn) await this.#stopPair(round, path);
    }
  }

  /** None of them will be measured. */
  #skip({ around, steps }: Pick<Visit, 'around' | 'steps'>): void {
    for (const piece of [around, ...steps.map((step) => step.piece)]) this.#progress.begin(piece)(false);
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
      this.#fail({ round, path, test: null, direction: null }, error),
    );
  }

  async #measureOne({ round, path, test, direction, piece }: Step & Pick<Visit, 'round' | 'path'>): Promise<void> {
    const place = { round, path, test, direction };
    const done = this.#progress.begin(piece);
    try {
      const outcome = await this.#measure(path, test, direction);
      done(true);
      for (const figure of outcome.figures) this.samples.push({ ...place, ...figure });
      if (outcome.mss !== undefined) this.tcpMss.set(path, outcome.mss);
      if (outcome.residentBytes !== undefined) this.#keepResident(path, outcome.residentBytes);
      this.#log(place, outcome.text);
    } catch (error) {
      done(false);
      this.#fail(place, error);
    }
  }

  #measure(path: FarPath, test: FarTest, direction: Direction): Promise<Outcome> {
    const place = PLACES[path];
    const { tcpSeconds: seconds, udpTrialSeconds, pings: count, pingIntervalSeconds: intervalSeconds } = this.#options;
    switch (test) {
      case 'tcp1':
      case 'tcp4':
        return measureTcpBetween(this.#sides, place, { streams: STREAMS[test].streams, seconds, direction });
      case 'udp64':
        return measureUdpBetween(this.#sides, place, { seconds: udpTrialSeconds, direction });
      case 'rtt':
        return measureRttBetween(this.#sides, place, { count, intervalSeconds });
      case 'rtt-full':
        return measureRttUnderLoad(this.#sides, place, { count, intervalSeconds, seconds });
    }
  }

  #keepResident(path: FarPath, { near, far }: Readonly<Record<Role, number>>): void {
    const before = this.residentBytes.get(path);
    this.residentBytes.set(path, { near: Math.max(near, before?.near ?? 0), far: Math.max(far, before?.far ?? 0) });
  }

  #fail(place: Omit<FarFailure, 'message'>, error: unknown): void {
    if (this.#host.signal.aborted) return;
    const message = messageOf(error);
    if (error instanceof WeftError && LOST_CODES.includes(error.code)) {
      this.lost ??= message;
      return;
    }
    const hint = error instanceof WeftError && error.hint !== undefined ? `. ${error.hint}` : '';
    this.failures.push({ ...place, message: `${message}${hint}` });
    this.#log(place, `FAILED: ${message}`);
  }

  #log({ round, path, test, direction }: Omit<FarFailure, 'message'>, text: string): void {
    const words = [path, test ?? '', direction === 'both' ? '' : (direction ?? '')];
    const head = `round ${round}/${this.#options.rounds}, ${this.#progress.text}`;
    this.#host.log(`${head}  ${words.filter((word) => word !== '').join('  ')}  ${text}`);
  }
}

/** All to their ends, so that nothing runs on unseen; then the first error. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
