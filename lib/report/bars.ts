/**
 * Plots of one row a path: HTML with a small SVG in each row, whose places are shares of its width. So text keeps its size on a
 * phone and on paper, colours follow the theme by themselves, and nothing needs a script. Pure.
 */
import { type Html, html } from './html.ts';
import { figure, type Scale } from './numbers.ts';

/** Classes of report.css: what is Weft's, what it is compared with, and parts of a whole. */
export type Tone = 'weft' | 'weft-2' | 'other' | 'other-2' | 'part-1' | 'part-2' | 'part-3' | 'part-4';

interface Segment {
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
}

export interface BarRow {
  readonly label: string;
  /** At the end of the row, with its unit if the axis does not say it. */
  readonly value: string;
  /** Side by side, each from one value of the axis to another. */
  readonly segments: readonly Segment[];
  /** From the least to the greatest. */
  readonly spread?: readonly [number, number] | undefined;
  readonly dots?: readonly { readonly at: number; readonly hollow: boolean }[];
  /** Instead of bars: heights from 0 to 1, each from one value of the axis to another. */
  readonly columns?: readonly (Segment & { readonly height: number })[];
}

export interface BarGroup {
  /** Above the rows; '' where there is one group only. */
  readonly title: string;
  readonly rows: readonly BarRow[];
}

export interface BarPlot {
  readonly scale: Scale;
  /** What the axis says: "Gb/s". */
  readonly axis: string;
  readonly groups: readonly BarGroup[];
  /** What the tones of parts mean. */
  readonly legend?: readonly (readonly [tone: Tone, text: string])[];
}

const HEIGHT = 22;
const MIDDLE = HEIGHT / 2;
const BAR = 12;

export function barPlot({ scale, axis, groups, legend = [] }: BarPlot): Html {
  const keys = legend.map(
    ([tone, text]) =>
      html`<li><svg class="key" aria-hidden="true"><rect width="100%" height="100%" class="${tone}"/></svg>${text}</li>`,
  );
  return html`${legend.length === 0 ? undefined : html`<ul class="legend">${keys}</ul>`}<div class="bars">${groups.map(
    (group) =>
      html`${group.title === '' ? undefined : html`<p class="group">${group.title}</p>`}${group.rows.map((row) => barRow(row, scale))}`,
  )}${axisRow(scale, axis)}</div>`;
}

function barRow(row: BarRow, scale: Scale): Html {
  const { label, value, segments, spread, dots = [], columns = [] } = row;
  const at = (x: number): string => `${share(scale.percent(x))}%`;
  const width = (from: number, to: number): string => `${share(scale.percent(to) - scale.percent(from))}%`;
  const tall = columns.length > 0;
  const height = tall ? 2 * HEIGHT : HEIGHT;
  const middle = tall ? height - 5 : MIDDLE;
  return html`<div class="bar"><span class="name">${label}</span><svg class="track${tall ? ' tall' : ''}" aria-hidden="true">${scale.ticks.map(
    (tick) => html`<line class="grid" x1="${at(tick)}" x2="${at(tick)}" y1="0" y2="100%"/>`,
  )}${segments.map(
    ({ from, to, tone }) =>
      html`<rect class="${tone}" x="${at(from)}" width="${width(from, to)}" y="${MIDDLE - BAR / 2}" height="${BAR}"/>`,
  )}${columns.map(
    ({ from, to, tone, height: part }) =>
      html`<rect class="${tone}" x="${at(from)}" width="${width(from, to)}" y="${share((1 - part) * (height - 2) + 2)}" height="${share(part * (height - 2))}"/>`,
  )}${spread === undefined || spread[0] === spread[1] ? undefined : whisker(at(spread[0]), at(spread[1]), middle)}${dots.map(
    ({ at: x, hollow }) =>
      html`<circle class="${hollow ? 'dot hollow' : 'dot'}" cx="${at(x)}" cy="${middle}" r="2.5"/>`,
  )}</svg><span class="value">${value}</span></div>`;
}

function whisker(from: string, to: string, middle: number): Html {
  const end = (x: string): Html =>
    html`<line class="whisker" x1="${x}" x2="${x}" y1="${middle - 4}" y2="${middle + 4}"/>`;
  return html`<line class="halo" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/><line class="whisker" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>${end(from)}${end(to)}`;
}

function axisRow({ ticks, percent }: Scale, axis: string): Html {
  const anchor = (place: number): string => (place < 5 ? 'start' : place > 95 ? 'end' : 'middle');
  return html`<div class="bar axis" aria-hidden="true"><span class="name"></span><svg class="track">${ticks.map(
    (tick) => {
      const place = percent(tick);
      return html`<text x="${share(place)}%" y="14" text-anchor="${anchor(place)}">${figureOfTick(tick)}</text>`;
    },
  )}</svg><span class="value">${axis}</span></div>`;
}

/** 0.05 and not 0.050: ticks are round. */
function figureOfTick(tick: number): string {
  return tick >= 1000 ? figure(tick) : String(tick);
}

/** Two decimal places: a hundredth of a hundredth of the width. */
function share(value: number): number {
  return Math.round(value * 100) / 100;
}
