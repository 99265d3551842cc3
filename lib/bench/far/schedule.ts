/** In which order a run measures, and what each step takes as far as one knows. Pure. */
import { type Durations, echoSeconds, tcpRunSeconds, udpSearchSeconds } from '../costs.ts';
import { Estimate, formatLeft, type Piece } from '../estimate.ts';
import type { Direction, FarPath, FarTest } from './far-report.ts';

export interface Repeats extends Durations {
  readonly rounds: number;
}

/** One measurement. */
export interface Step {
  readonly test: FarTest;
  readonly direction: Direction;
  readonly piece: Piece;
}

/** All of a path in a round. */
export interface Visit {
  readonly round: number;
  readonly path: FarPath;
  /** Starting and stopping what carries it. */
  readonly around: Piece;
  readonly steps: readonly Step[];
}

const BOTH_WAYS = ['to-far', 'from-far'] as const;
const DIRECTIONS: Readonly<Record<FarTest, readonly Direction[]>> = {
  tcp1: BOTH_WAYS,
  tcp4: BOTH_WAYS,
  udp64: BOTH_WAYS,
  rtt: ['both'],
  'rtt-full': ['both'],
};

/** From runs on the development machine: trials, as the underlay limits the rate; seconds. */
const UDP_TRIALS = 8;
const PAIR_SECONDS = 4;

/** Every round begins with another path: none always comes after the same neighbour. */
export function scheduleOf(paths: readonly FarPath[], tests: readonly FarTest[], durations: Repeats): Visit[] {
  const rounds = Array.from({ length: durations.rounds }, (_, index) => index + 1);
  return rounds.flatMap((round) =>
    paths.map((_, index): Visit => {
      const path = paths[(index + round - 1) % paths.length]!;
      return { round, path, around: aroundOf(path), steps: tests.flatMap((test) => stepsOf(test, path, durations)) };
    }),
  );
}

function aroundOf(path: FarPath): Piece {
  const isPair = path !== 'underlay' && path !== 'overlay';
  return {
    kinds: [`around ${path}`, `around ${isPair ? 'pair' : 'what is there'}`],
    planned: isPair ? PAIR_SECONDS : 0,
  };
}

function stepsOf(test: FarTest, path: FarPath, durations: Durations): Step[] {
  return DIRECTIONS[test].map((direction) => ({
    test,
    direction,
    piece: {
      kinds: [`${test} ${direction} ${path}`, `${test} ${path}`, test],
      planned: plannedSeconds(test, durations),
    },
  }));
}

function plannedSeconds(test: FarTest, durations: Durations): number {
  switch (test) {
    case 'udp64':
      return udpSearchSeconds(durations.udpTrialSeconds, UDP_TRIALS);
    case 'rtt':
      return echoSeconds(durations);
    default:
      return tcpRunSeconds(durations.tcpSeconds);
  }
}

/** What is over of a run, in words: "34 %, about 2 min left". */
export class Progress {
  readonly #estimate: Estimate;
  readonly #clock: () => number;

  /** `clock`: seconds. */
  constructor(visits: readonly Visit[], clock: () => number) {
    const pieces = visits.flatMap(({ around, steps }) => [around, ...steps.map(({ piece }) => piece)]);
    this.#estimate = new Estimate(pieces, clock);
    this.#clock = clock;
  }

  /** Begins a piece; the function returned ends it. */
  begin(piece: Piece): (hasWorked: boolean) => void {
    const start = this.#clock();
    return (hasWorked) => this.#estimate.done(piece, hasWorked ? this.#clock() - start : undefined);
  }

  get text(): string {
    const { share, leftSeconds } = this.#estimate.now();
    return leftSeconds === 0 ? '100 %' : `${Math.floor(share * 100)} %, ${formatLeft(leftSeconds)}`;
  }
}
