/** Numbers and axes of the report. Pure. */
import { formatCount } from '../units.ts';

/** Three digits that count, thousands with commas: 0.0412, 6.31, 42.7, 146,514. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return formatCount(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return value === 0 ? '0' : value.toFixed(size >= 0.1 ? 2 : size >= 0.01 ? 3 : 4);
}

/** From the least to the greatest, and once where both read alike: "1.80 to 3.06", "99.1". At least one value. */
export function figures(values: readonly number[]): string {
  const [least, most] = [figure(Math.min(...values)), figure(Math.max(...values))];
  return least === most ? least : `${least} to ${most}`;
}

/** How many: 2, 1,000; a median of counts may lie between two. */
export function count(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : figure(value);
}

/** Round-trip times in ms, as far as a resolution of 1 us goes: 0.004, 0.045, 0.21, 2.83. */
export function milliseconds(value: number): string {
  return value < 0.1 ? value.toFixed(3) : figure(value);
}

/** Where values lie on an axis, 0 to 100. */
export interface Scale {
  readonly ticks: readonly number[];
  readonly percent: (value: number) => number;
}

const STEPS = [1, 2, 5, 10] as const;
/** A file may hold any number: what lies nowhere lies at the left. */
const clamp = (percent: number): number => (Number.isNaN(percent) ? 0 : Math.min(100, Math.max(0, percent)));

/** From 0 to the first round number that no value exceeds, with about `most` steps. */
export function linearScale(values: readonly number[], most = 5): Scale {
  const top = Math.max(...values.filter(Number.isFinite), 0);
  if (top === 0) return { ticks: [0], percent: () => 0 };
  const raw = top / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * (STEPS.find((factor) => factor * power >= raw * (1 - 1e-9)) ?? 10);
  const count = Math.ceil(top / step - 1e-9);
  const end = count * step;
  return {
    ticks: Array.from({ length: count + 1 }, (_, k) => round(k * step)),
    percent: (value) => clamp((value / end) * 100),
  };
}

/** Between round numbers (1, 2, 5, 10) around the values, which are above 0; others lie at the left end. */
export function logScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return { ticks: [1, 10], percent: () => 0 };
  const low = Math.min(...positive);
  const high = Math.max(...positive);
  const first = Math.floor(Math.log10(low));
  const all: number[] = [];
  for (let power = first; power <= Math.ceil(Math.log10(high)) + 1; power++)
    for (const factor of [1, 2, 5]) all.push(round(factor * 10 ** power));
  const from = all.findLast((tick) => tick <= low) ?? all[0]!;
  const to = all.find((tick) => tick >= high && tick > from) ?? all.at(-1)!;
  const within = all.filter((tick) => tick >= from && tick <= to);
  // Many decades have room for their powers of ten alone.
  const ticks = within.length <= 8 ? within : within.filter((tick) => Number.isInteger(round(Math.log10(tick))));
  const span = Math.log(to / from);
  return { ticks, percent: (value) => clamp(value <= 0 ? 0 : (Math.log(value / from) / span) * 100) };
}

/** Without what binary fractions add: 0.30000000000000004 is 0.3. */
function round(value: number): number {
  return Number(value.toPrecision(12));
}
