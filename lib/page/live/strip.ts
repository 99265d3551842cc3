/** One strip over the axis of time: its title, its values at the cursor, and its lines with their names at the ends. */
import { formatTimeOfDay } from '../../units.ts';
import { el, setText } from '../kit/dom.ts';
import { type AlignedData, axis, colour, type Options, plot } from '../kit/plot.ts';
import { type Columns, niceTop, placeNames } from './series.ts';
import { NOTHING } from './words.ts';

type Plot = ReturnType<typeof plot>;

export interface Strip {
  readonly title: string;
  /** Of a value at the cursor and at the axis. */
  readonly format: (value: number) => string;
  readonly tick: (value: number) => string;
  /** The smallest end of the scale. */
  readonly least: number;
  readonly lines: readonly { readonly name: string; readonly colour: string; readonly dashed?: true }[];
  readonly data: Columns;
}

const HEIGHT = 104;
const AXIS_HEIGHT = 30;
const LEFT = 62;
/** Room for names at the ends of lines. */
const RIGHT = 92;
/** Characters for which there is room. */
const MOST_DRAWN = 13;

export class Slot {
  readonly element: HTMLElement;
  readonly head: HTMLElement;
  readonly #title = el('h3');
  readonly #values = el('p', { class: 'values' });
  readonly #target = el('div', { class: 'plot' });
  readonly #isLast: boolean;
  #plot: Plot | undefined;
  #shape = '';
  #strip: Strip | undefined;
  #range: readonly [number, number] = [0, 60];

  constructor(title: string, isLast: boolean) {
    setText(this.#title, title);
    this.#isLast = isLast;
    this.head = el('div', { class: 'strip-head' }, this.#title, this.#values);
    this.element = el('div', { class: 'strip' }, this.head, this.#target);
  }

  draw(strip: Strip, range: readonly [number, number] | undefined): void {
    this.#strip = strip;
    if (range !== undefined) this.#range = range;
    setText(this.#title, strip.title);
    const data = [strip.data.times, ...strip.data.columns] as AlignedData;
    const shape = JSON.stringify([strip.title, strip.lines]);
    if (this.#plot === undefined || shape !== this.#shape) {
      this.#plot?.destroy();
      this.#shape = shape;
      this.#plot = plot(this.#target, strip.title, this.#options(strip), data);
    } else this.#plot.setData(data);
    this.#plot.root.setAttribute('aria-label', `${strip.title}: ${this.#words(undefined)}`);
    this.#say();
  }

  forget(): void {
    this.#shape = '';
  }

  resize(): void {
    const width = Math.max(200, this.#target.clientWidth);
    if (this.#plot !== undefined && this.#plot.width !== width)
      this.#plot.setSize({ width, height: this.#plot.height });
  }

  /** Values at the cursor, or the last ones. */
  #say(): void {
    const index = this.#plot?.cursor.idx ?? undefined;
    const values = this.#strip?.lines.map(({ name }, k) => [name, this.#valueAt(k, index)] as const) ?? [];
    const key = values.map(([name]) => name).join();
    if (this.#values.dataset.key !== key) {
      this.#values.dataset.key = key;
      this.#values.replaceChildren(...values.flatMap(([name]) => [el('span', { class: 'name' }, name), el('b')]));
    }
    for (const [k, [, value]] of values.entries()) setText(this.#values.children[2 * k + 1]!, value);
  }

  #valueAt(line: number, index: number | undefined): string {
    const column = this.#strip?.data.columns[line] ?? [];
    const value = column[index ?? column.length - 1];
    return value === null || value === undefined ? NOTHING : this.#strip!.format(value);
  }

  #words(index: number | undefined): string {
    return this.#strip?.lines.map(({ name }, k) => `${name} ${this.#valueAt(k, index)}`).join(', ') ?? '';
  }

  #options(strip: Strip): Omit<Options, 'width'> {
    // Asked once: each time it makes the browser work out all styles.
    const colours = strip.lines.map((line) => colour(line.colour));
    const font = getComputedStyle(document.body).fontFamily;
    return {
      height: this.#isLast ? HEIGHT + AXIS_HEIGHT : HEIGHT,
      padding: [8, RIGHT, this.#isLast ? 0 : 8, 0],
      legend: { show: false },
      cursor: { sync: { key: 'time' }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: true, range: () => [this.#range[0], this.#range[1]] },
        y: { range: (_, __, most) => [0, niceTop(most ?? 0, strip.least)] },
      },
      axes: [
        axis({
          show: this.#isLast,
          size: AXIS_HEIGHT,
          values: (_, splits) => splits.map((seconds) => formatTimeOfDay(seconds * 1000)),
          space: 90,
        }),
        axis({
          size: LEFT,
          values: (_, splits) => splits.map(strip.tick),
          splits: (_, __, min, max) => [min, max / 2, max],
          ticks: { show: false },
        }),
      ],
      series: [
        {},
        ...strip.lines.map(({ name, dashed }, k) => ({
          label: name,
          stroke: colours[k]!,
          width: 1.5,
          points: { show: false },
          ...(dashed ? { dash: [4, 3] } : {}),
        })),
      ],
      hooks: { draw: [(made) => nameLines(made, this.#strip ?? strip, colours, font)], setCursor: [() => this.#say()] },
    };
  }
}

/** The name of each line at its end, none over another. */
function nameLines(made: Plot, strip: Strip, colours: readonly string[], font: string): void {
  const { ctx } = made;
  const ratio = devicePixelRatio;
  const ends = strip.lines
    .map(({ name }, k) => ({ name, of: colours[k]!, value: strip.data.columns[k]?.at(-1) ?? 0 }))
    .toSorted((a, b) => a.value - b.value);
  const right = made.bbox.left + made.bbox.width + 6 * ratio;
  const { top, height } = made.bbox;
  const wished = ends.map(({ value }) => made.valToPos(value, 'y', true));
  const places = placeNames(wished, top, top + height - 3 * ratio, 14 * ratio);
  ctx.save();
  ctx.font = `${12 * ratio}px ${font}`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  for (const [k, { name, of }] of ends.entries()) {
    ctx.fillStyle = of;
    ctx.fillText(name.length > MOST_DRAWN ? `${name.slice(0, MOST_DRAWN - 1)}…` : name, right, places[k]!);
  }
  ctx.restore();
}
