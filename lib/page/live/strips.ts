/** Three strips over one axis of time: packets, drops by reason, round-trip times. The cursor is in all of them. */
import { printable } from '../../printable.ts';
import { formatBitRate, formatCount, formatRate, formatTimeOfDay } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import { type AlignedData, axis, colour, type Options, onThemeChange, plot } from '../kit/plot.ts';
import type { Context } from './context.ts';
import {
  type Columns,
  dropColumns,
  dropLines,
  niceTop,
  rttColumns,
  span,
  trafficColumns,
  type Unit,
} from './series.ts';
import type { Store } from './store.ts';
import { formatRtt, NOTHING } from './words.ts';

type Plot = ReturnType<typeof plot>;

interface Strip {
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
/** Our choice: characters of a name at the end of a line; there is room for 13 and a sign. */
const MOST_NAME = 60;
const AXIS_HEIGHT = 30;
const LEFT = 62;
const TITLES = ['Packets a second', 'Drops a second, by reason', 'Round trip to peers'] as const;
/** Room for names at the ends of lines. */
const RIGHT = 92;
const DROP_COLOURS = ['warn', 'bad', 'series-4', 'series-6'];

export function strips({ store, redraw }: Context): void {
  const target = byId('strips-body');
  let unit: Unit = 'packets';
  const slots = TITLES.map((title, k) => new Slot(title, k === 2));
  const button = el('button', { type: 'button', class: 'unit' }, 'in bits');
  button.addEventListener('click', () => {
    unit = unit === 'packets' ? 'bits' : 'packets';
    setText(button, unit === 'packets' ? 'in bits' : 'in packets');
    draw();
  });
  slots[0]!.head.append(button);
  target.append(...slots.map(({ element }) => element));
  const draw = (): void => {
    const range = span(store.ticks);
    const all = [trafficStrip(store, unit), dropStrip(store), rttStrip(store)];
    for (const [k, slot] of slots.entries()) slot.draw(all[k]!, range);
  };
  redraw.view(['ticks'], draw);
  onThemeChange(() => {
    for (const slot of slots) slot.forget();
    draw();
  });
  new ResizeObserver(() => {
    for (const slot of slots) slot.resize();
  }).observe(target);
}

function trafficStrip({ ticks }: Store, unit: Unit): Strip {
  const isBits = unit === 'bits';
  const format = (value: number): string => (isBits ? formatBitRate(value / 8) : `${formatRate(value)}/s`);
  return {
    title: isBits ? 'Traffic, bits a second' : TITLES[0],
    format,
    tick: (value) => (isBits ? formatBitRate(value / 8).replace('.0', '') : short(value)),
    least: isBits ? 1000 : 10,
    lines: [
      { name: 'out', colour: 'accent' },
      { name: 'in', colour: 'muted' },
    ],
    data: trafficColumns(ticks, unit),
  };
}

function dropStrip({ ticks }: Store): Strip {
  const lines = dropLines(ticks);
  const names = lines.length === 0 ? ['none'] : lines;
  return {
    title: TITLES[1],
    format: (value) => `${formatRate(value)}/s`,
    tick: short,
    least: 1,
    lines: names.map((name, k) => ({
      name: printable(name, MOST_NAME),
      colour: lines.length === 0 ? 'muted' : DROP_COLOURS[k]!,
    })),
    data: dropColumns(ticks, names),
  };
}

function rttStrip({ ticks }: Store): Strip {
  return {
    title: TITLES[2],
    format: formatRtt,
    tick: (value) => `${value} ms`,
    least: 1,
    lines: [
      { name: 'median', colour: 'accent' },
      { name: 'p90', colour: 'muted', dashed: true },
    ],
    data: rttColumns(ticks),
  };
}

function short(value: number): string {
  return value < 100_000
    ? value < 10
      ? String(value)
      : formatCount(value)
    : value < 1e6
      ? `${value / 1e3} k`
      : `${value / 1e6} M`;
}

class Slot {
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
  let room = made.bbox.top + made.bbox.height + 4 * ratio;
  ctx.save();
  ctx.font = `${12 * ratio}px ${font}`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  for (const { name, of, value } of ends) {
    const y = Math.min(made.valToPos(value, 'y', true), room - 7 * ratio);
    room = y - 7 * ratio;
    ctx.fillStyle = of;
    ctx.fillText(name.length > 13 ? `${name.slice(0, 12)}…` : name, right, y);
  }
  ctx.restore();
}
