/** What a report of `weft bench` says about its own run: the last lines, which people read first. */
import type { EstimateCheck } from '../../bench/estimate.ts';
import { LEAST_REPEATS, type NoiseFigures } from '../../bench/noise.ts';
import type { NotMeasured } from '../../bench/plan.ts';
import type { BenchReport } from '../../bench/report.ts';
import { fitText } from '../../fit-text.ts';
import { formatDuration } from '../../units.ts';

const COLUMNS = 80;

/** Whether it came to its end, what it left out, how good its estimate was, and whether its figures can be believed. */
export function formatRun(report: BenchReport): string {
  const { estimate, interrupted, budget, notMeasured, noise } = report;
  const lines: string[] = [];
  if (estimate !== null) lines.push(formatEstimate(estimate));
  if (notMeasured.length > 0) lines.push(`Not measured: ${formatNotMeasured(notMeasured)}`);
  if (interrupted) lines.push('INTERRUPTED: this is what was measured before.');
  if (budget?.usedUp === true)
    lines.push(`The ${budget.seconds} s of this run are used up: a longer --budget measures the rest.`);
  return [...lines, formatNoise(noise, roundsOf(report.results))].map((line) => `${fitText(line, COLUMNS)}\n`).join('');
}

/** How often the paths were measured: fewer than planned of a run that was broken off, 0 of one of scales alone. */
export function roundsOf(results: BenchReport['results']): number {
  return Math.max(0, ...results.map(({ samples }) => samples.length));
}

function formatEstimate({ leftSeconds, tookSeconds, error }: EstimateCheck): string {
  const off = `${Math.abs(error * 100).toFixed(0)} % too ${error < 0 ? 'little' : 'much'}`;
  return `At half of the run ${formatDuration(leftSeconds)} were said to be left, and it took ${formatDuration(tookSeconds)}: ${off}.`;
}

/** "free tcp1 weft-ipip, weft-host-gw; free rtt direct (2 rounds)" */
function formatNotMeasured(missing: readonly NotMeasured[]): string {
  const tests = new Map<string, string[]>();
  for (const { setting, test, path, rounds } of missing) {
    const key = `${setting} ${test}`;
    tests.set(key, [...(tests.get(key) ?? []), rounds === 1 ? path : `${path} (${rounds} rounds)`]);
  }
  return [...tests].map(([test, paths]) => `${test} ${paths.join(', ')}`).join('; ');
}

function formatNoise({ verdict, reasons, direct }: NoiseFigures, rounds: number): string {
  if (verdict === 'noisy') return `TOO NOISY TO BELIEVE: ${reasons.join('; ')}.`;
  if (rounds <= 1)
    return 'The machine was quiet, as far as one round can tell: one round shows that everything runs, not how fast.';
  return direct.some(({ samples }) => samples.length >= LEAST_REPEATS)
    ? 'The machine was quiet enough: its figures repeat.'
    : `The machine was quiet. Whether its figures repeat, only tcp1 of the direct path in ${LEAST_REPEATS} rounds tells.`;
}
