/** The ticks as what the three strips draw: one axis of time, and values or gaps over it. Pure. */
import type { PageTick } from '../../ui/messages.ts';

type Value = number | null;

/** One column of values for each series; `times` in seconds since the epoch, rising. */
export interface Columns {
  readonly times: readonly number[];
  readonly columns: readonly (readonly Value[])[];
}

export type Unit = 'packets' | 'bits';

/** Our choice: a pause so long, beside what the tick itself spans, is a gap. */
const GAP_SECONDS = 1.5;

/** Of each tick `read`, undefined where nothing came between two of them. */
function columns(ticks: readonly PageTick[], read: readonly ((tick: PageTick) => Value)[]): Columns {
  const times: number[] = [];
  const result: Value[][] = read.map(() => []);
  for (const tick of ticks) {
    const at = Date.parse(tick.at) / 1000;
    // A clock that was set back: what is drawn has to rise, and what is still to come was not.
    while ((times.at(-1) ?? Number.NEGATIVE_INFINITY) >= at) {
      times.pop();
      for (const column of result) column.pop();
    }
    const last = times.at(-1);
    if (last !== undefined && at - tick.seconds - last > GAP_SECONDS) {
      times.push(last + 0.5);
      for (const column of result) column.push(null);
    }
    times.push(at);
    for (const [k, of] of read.entries()) result[k]!.push(of(tick));
  }
  return { times, columns: result };
}

export function trafficColumns(ticks: readonly PageTick[], unit: Unit): Columns {
  const of = (name: 'outbound' | 'inbound') => (tick: PageTick) =>
    unit === 'packets' ? tick[name].packets : tick[name].bytes * 8;
  return columns(ticks, [of('outbound'), of('inbound')]);
}

export function rttColumns(ticks: readonly PageTick[]): Columns {
  return columns(ticks, [({ rtt }) => rtt?.median ?? null, ({ rtt }) => rtt?.p90 ?? null]);
}

/** Our choice: so many reasons have a line of their own. */
const MOST_REASONS = 3;
const OTHERS = 'others';

/** The reasons that have a line: the most frequent of these ticks, then OTHERS if there are more. In the order of their names. */
export function dropLines(ticks: readonly PageTick[]): string[] {
  const sums = new Map<string, number>();
  for (const { drops, seconds } of ticks)
    for (const [reason, rate] of Object.entries(drops)) sums.set(reason, (sums.get(reason) ?? 0) + rate * seconds);
  const names = [...sums].toSorted(([, a], [, b]) => b - a).map(([reason]) => reason);
  const lines = names.slice(0, MOST_REASONS).toSorted();
  return names.length > MOST_REASONS ? [...lines, OTHERS] : lines;
}

export function dropColumns(ticks: readonly PageTick[], lines: readonly string[]): Columns {
  const own = new Set(lines);
  const others = ({ drops }: PageTick): number =>
    Object.entries(drops).reduce((sum, [reason, rate]) => (own.has(reason) ? sum : sum + rate), 0);
  return columns(
    ticks,
    lines.map((line) => (line === OTHERS ? others : ({ drops }: PageTick) => drops[line] ?? 0)),
  );
}

/** Our choice: seconds that the axis spans, the first that has room for all there is. */
const SPANS = [60, 120, 300, 600] as const;

/** The axis: it ends now, and grows in steps. Undefined without ticks. */
export function span(ticks: readonly PageTick[]): readonly [from: number, to: number] | undefined {
  const last = ticks.at(-1);
  if (last === undefined) return undefined;
  const to = Date.parse(last.at) / 1000;
  // Of a clock that was set back the first is not the earliest.
  const seconds = to - Math.min(...ticks.map(({ at }) => Date.parse(at))) / 1000;
  return [to - (SPANS.find((each) => each >= seconds) ?? SPANS.at(-1)!), to];
}

/** The end of a scale from 0 for a largest value: 1, 2 or 5 times a power of ten, so that it does not move with each tick. */
export function niceTop(most: number, least: number): number {
  const value = Math.max(most, least);
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value) ?? 10 * power;
}

/**
 * Where names stand beside the ends of their lines: as near as can be, `apart` from each other, between `top` and `bottom`.
 * `wished` is from the lowest up, where y grows downwards; too many of them run out of the bottom.
 */
export function placeNames(wished: readonly number[], top: number, bottom: number, apart: number): number[] {
  const places: number[] = [];
  let lowest = bottom;
  for (const y of wished) {
    places.push(Math.min(y, lowest));
    lowest = places.at(-1)! - apart;
  }
  // What was pushed out at the top comes back, and pushes those below it.
  let highest = top;
  for (let k = places.length - 1; k >= 0 && places[k]! < highest; k--) {
    places[k] = highest;
    highest += apart;
  }
  return places;
}
