/** Whether the machine was quiet enough that its figures can be believed: what is looked at, and the rule. Pure. */
import { median, medianDeviation } from '../measure/statistics.ts';

/** What a run looks at once a round, beside its measurements. */
export interface ControlSample {
  /** A fixed calculation on one CPU, milliseconds: the CPU's own speed, and who interrupts it. */
  readonly loopMs: number;
  /** CPU time that others used while the run rested, as a share of one CPU. */
  readonly othersShare: number;
}

export interface NoiseInput {
  /** One a round. */
  readonly controls: readonly ControlSample[];
  /** CPU time that the hypervisor gave to others during the measurements, as a share of all CPUs; 0 on real hardware. */
  readonly stealShare: number;
  /** Throughput of the direct path, one stream, by setting: no overlay, so what varies there is the machine. */
  readonly direct: readonly { readonly setting: string; readonly samples: readonly number[] }[];
}

export interface NoiseFigures extends NoiseInput {
  /** `noisy`: differences of this run are not to be believed. */
  readonly verdict: 'quiet' | 'noisy';
  /** Why `noisy`, a sentence each; empty otherwise. */
  readonly reasons: readonly string[];
}

/** Our choice, all of them, from runs on a quiet and on a busy virtual machine (ADR 31). */
const NOISE_LIMITS = {
  stealShare: 0.03,
  othersShare: 0.1,
  /** Slowest round of the fixed calculation over the fastest. */
  loopSpread: 1.25,
  /** Median absolute deviation of the direct path over its median. The scheduler alone makes more where it is free. */
  directDeviation: { free: 0.3, other: 0.12 },
} as const;
/** Fewer repeats say nothing about spread. */
export const LEAST_REPEATS = 3;

export function judgeNoise(input: NoiseInput): NoiseFigures {
  const reasons = [...ofMachine(input), ...ofDirectPath(input)];
  return { ...input, verdict: reasons.length === 0 ? 'quiet' : 'noisy', reasons };
}

function* ofMachine({ controls, stealShare }: NoiseInput): Generator<string> {
  if (stealShare > NOISE_LIMITS.stealShare)
    yield `the hypervisor gave ${percent(stealShare)} of the CPU time to others (at most ${percent(NOISE_LIMITS.stealShare)})`;
  if (controls.length === 0) return;
  const others = median(controls.map(({ othersShare }) => othersShare));
  if (others > NOISE_LIMITS.othersShare)
    yield `other programs used ${percent(others)} of a CPU while the run rested (at most ${percent(NOISE_LIMITS.othersShare)})`;
  const loops = controls.map(({ loopMs }) => loopMs);
  const spread = Math.max(...loops) / Math.min(...loops);
  if (spread > NOISE_LIMITS.loopSpread)
    yield `a fixed calculation took ${spread.toFixed(2)} times as long in one round as in another (at most ${NOISE_LIMITS.loopSpread})`;
}

function* ofDirectPath({ direct }: NoiseInput): Generator<string> {
  for (const { setting, samples } of direct) {
    if (samples.length < LEAST_REPEATS) continue;
    const deviation = medianDeviation(samples) / median(samples);
    const limit = setting === 'free' ? NOISE_LIMITS.directDeviation.free : NOISE_LIMITS.directDeviation.other;
    if (deviation > limit)
      yield `the direct path, ${setting}, varied by ${percent(deviation)} from round to round (at most ${percent(limit)})`;
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
