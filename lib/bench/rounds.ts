/** The measurements of a run in the order of its plan, as long as it is neither interrupted nor out of time. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error.ts';
import { sampleControl } from './control.ts';
import { type Durations, type PricedVisit, priceControl, priceVisit } from './costs.ts';
import { Estimate, formatLeft, type Piece } from './estimate.ts';
import { SETTINGS } from './matrix.ts';
import { Measurer } from './measurer.ts';
import type { ControlSample } from './noise.ts';
import type { PathLab } from './path-lab.ts';
import type { NamedPath } from './paths.ts';
import type { Visit } from './plan.ts';
import type { Failure, Sample } from './report.ts';
import type { ScalePoint } from './scale.ts';
import { SettingSwitch } from './setting.ts';

export interface RoundsOptions {
  readonly plan: readonly Visit[];
  readonly rounds: number;
  readonly durations: Durations;
  /** What is measured once, after the rounds. */
  readonly points: readonly ScalePoint[];
  /** By `clock`: no measurement is begun that would be over later; undefined: there is time. */
  readonly endBy: number | undefined;
  /** Seconds, from any origin. */
  readonly clock: () => number;
  readonly pid: number;
  readonly log: (line: string) => void;
}

/** Our choice: by Ctrl-C our children end too, and that may be seen before the signal is. */
const SIGNAL_MS = 50;

/** Where the scales are measured: their network is of backend udp. */
export const SCALE_PLACE = { setting: 'free', path: 'weft-udp' } as const;

export class Rounds {
  readonly measurer: Measurer;
  readonly samples: Sample[] = [];
  readonly failures: Failure[] = [];
  readonly controls: ControlSample[] = [];
  /** Pieces of points that were tried. */
  readonly measuredPoints: Piece[] = [];
  readonly estimate: Estimate;
  readonly #options: RoundsOptions;
  readonly #pathLab: PathLab;
  readonly #signal: AbortSignal;
  readonly #switch: SettingSwitch;
  readonly #visits: readonly PricedVisit[];
  readonly #controls: readonly Piece[];
  #outOfTime = false;

  constructor(options: RoundsOptions, pathLab: PathLab, signal: AbortSignal) {
    this.#options = options;
    this.#pathLab = pathLab;
    this.#signal = signal;
    this.#switch = new SettingSwitch(pathLab, options.pid);
    this.measurer = new Measurer(options.durations);
    this.#visits = options.plan.map((visit) => priceVisit(visit, options.durations));
    this.#controls = Array.from({ length: options.rounds }, priceControl);
    const pieces = this.#visits.flatMap(({ around, pieces: tests }) => [around, ...tests]);
    const points = options.points.map(({ piece }) => piece);
    this.estimate = new Estimate([...this.#controls, ...pieces, ...points], options.clock);
  }

  /** The CPU of setting one-core. */
  get oneCpu(): number {
    return this.#switch.oneCpu;
  }

  /** True when something was left out because it would have ended too late. */
  get outOfTime(): boolean {
    return this.#outOfTime;
  }

  /** Resolves when all is measured, or no more can be. */
  async run(): Promise<void> {
    try {
      for (let round = 1; round <= this.#options.rounds && !this.#isOver(); round++) await this.#round(round);
      for (const point of this.#options.points) await this.#point(point);
    } catch (error) {
      // The lab is being removed under us: what that breaks is no news.
      if (!this.#signal.aborted) throw error;
    } finally {
      await this.measurer.stop();
    }
  }

  async #round(round: number): Promise<void> {
    await this.#control(round);
    for (const setting of SETTINGS) {
      const visits = this.#visits.filter((visit) => visit.round === round && visit.setting === setting);
      if (visits.length === 0 || this.#isOver()) continue;
      await this.#switch.within(
        setting,
        () => this.measurer.pids,
        async () => {
          for (const visit of visits) await this.#visit(visit);
        },
      );
    }
  }

  async #control(round: number): Promise<void> {
    const own = [this.#options.pid, ...this.#pathLab.pids, ...this.measurer.pids];
    const start = this.#options.clock();
    this.controls.push(await sampleControl(own));
    this.estimate.done(this.#controls[round - 1]!, this.#options.clock() - start);
  }

  /** One path in one setting: its daemons start, all its tests run, its daemons stop. */
  async #visit({ round, setting, path: name, tests, around, pieces }: PricedVisit): Promise<void> {
    if (!this.#fits(around, pieces[0]!)) return;
    const left = new Set(tests);
    const start = this.#options.clock();
    let testSeconds = 0;
    try {
      await this.#pathLab.within(name, async (path) => {
        for (const [index, test] of tests.entries()) {
          if (!this.#fits(pieces[index]!)) break;
          testSeconds += await this.#test(pieces[index]!, { round, setting, test, path: name }, path);
          left.delete(test);
        }
      });
      this.estimate.done(around, this.#options.clock() - start - testSeconds);
    } catch (error) {
      await this.#settle();
      if (this.#signal.aborted) return;
      this.estimate.done(around, undefined);
      for (const [index, test] of tests.entries()) {
        // Without a test that is left it failed at its end: what was measured is worth nothing then.
        if (left.size > 0 && !left.has(test)) continue;
        const place = { round, setting, test, path: name };
        this.#say(place, this.#fail(pieces[index]!, place, error));
      }
    }
  }

  async #point({ test, piece, run }: ScalePoint): Promise<void> {
    if (!this.#fits(piece)) return;
    const place: Place = { round: this.#options.rounds, ...SCALE_PLACE, test };
    const start = this.#options.clock();
    let text: string;
    try {
      text = await run();
      this.estimate.done(piece, this.#options.clock() - start);
    } catch (error) {
      await this.#settle();
      if (this.#signal.aborted) return;
      text = this.#fail(piece, place, error);
    }
    this.measuredPoints.push(piece);
    this.#say(place, text);
  }

  /** Resolves to seconds. */
  async #test(piece: Piece, place: Omit<Sample, 'values' | 'limit'>, path: NamedPath): Promise<number> {
    const start = this.#options.clock();
    let text: string;
    try {
      const { text: said, ...sample } = await this.measurer.measure(place.test, path, place.setting);
      this.samples.push({ ...place, ...sample });
      text = said;
      this.estimate.done(piece, this.#options.clock() - start);
    } catch (error) {
      await this.#settle();
      if (this.#signal.aborted) return 0;
      text = this.#fail(piece, place, error);
    }
    this.#say(place, text);
    return this.#options.clock() - start;
  }

  #isOver(): boolean {
    return this.#signal.aborted || this.#outOfTime;
  }

  /** Whether there is time for them. If not, the run is over: what comes later would find less. */
  #fits(...pieces: readonly Piece[]): boolean {
    if (this.#isOver()) return false;
    const { endBy, clock } = this.#options;
    const seconds = pieces.reduce((sum, piece) => sum + this.estimate.secondsOf(piece), 0);
    this.#outOfTime = endBy !== undefined && clock() + seconds > endBy;
    return !this.#outOfTime;
  }

  async #settle(): Promise<void> {
    if (!this.#signal.aborted) await delay(SIGNAL_MS);
  }

  #fail(piece: Piece, place: Place, error: unknown): string {
    this.failures.push({ ...place, message: messageOf(error) });
    this.estimate.done(piece, undefined);
    return `FAILED: ${messageOf(error)}`;
  }

  /** "round 2/5, 34 %, about 7 min left  free tcp1 weft-udp  6.67 Gb/s" */
  #say({ round, setting, test, path }: Place, text: string): void {
    const { share, leftSeconds } = this.estimate.now();
    const where = `round ${round}/${this.#options.rounds}, ${Math.floor(share * 100)} %, ${formatLeft(leftSeconds)}`;
    this.#options.log(`${where}  ${setting} ${test} ${path}  ${text}`);
  }
}

type Place = Omit<Failure, 'message'>;
