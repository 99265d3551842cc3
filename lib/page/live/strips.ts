/** Three strips over one axis of time: packets, drops by reason, round-trip times. The cursor is in all of them. */
import { printable } from '../../printable.ts';
import { formatBitRate, formatCount, formatRate } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import { onThemeChange } from '../kit/plot.ts';
import type { Context } from './context.ts';
import { dropColumns, dropLines, rttColumns, span, trafficColumns, type Unit } from './series.ts';
import type { Store } from './store.ts';
import { Slot, type Strip } from './strip.ts';
import { formatRtt } from './words.ts';

/** Our choice: characters of a name above the strip. */
const MOST_NAME = 60;
const TITLES = ['Packets a second', 'Drops a second, by reason', 'Round trip to peers'] as const;
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
  if (value < 10) return String(value);
  if (value < 100_000) return formatCount(value);
  return value < 1e6 ? `${value / 1e3} k` : `${value / 1e6} M`;
}
