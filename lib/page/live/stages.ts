/** The stage clock: what a turn's time goes into, each way, as a bar and in figures. */
import { formatCount } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import type { Context } from './context.ts';
import { type DirectionStages, stageShares } from './stage-sums.ts';
import { formatNanoseconds, NOTHING } from './words.ts';

/** Our choice: ticks that are summed. */
const TICKS = 30;

const TITLES = {
  outbound: 'Out, from the device to the underlay',
  inbound: 'In, from the underlay to the device',
} as const;

export function stages({ store, redraw }: Context): void {
  const target = byId('stages-body');
  const none = el('p', { class: 'empty' });
  const parts = (['outbound', 'inbound'] as const).map((direction) => ({
    direction,
    part: directionOf(TITLES[direction]),
  }));
  target.append(none, ...parts.map(({ part }) => part.element));
  redraw.view(['ticks'], () => {
    const shares = parts.map(({ direction }) => stageShares(store.ticks.slice(-TICKS), direction));
    const isEmpty = shares.every((share) => share === undefined);
    none.hidden = !isEmpty;
    const hasClock = store.ticks.some((tick) => tick.stages !== null);
    setText(
      none,
      hasClock
        ? `No packet passed while the clock ran in the last ${TICKS} s: it measures one turn in 64.`
        : 'No figures: this backend has no data plane of its own, or weftd has just started.',
    );
    for (const [k, { part }] of parts.entries()) part.draw(shares[k]);
  });
}

function directionOf(title: string): { element: HTMLElement; draw: (of: DirectionStages | undefined) => void } {
  const said = el('p', { class: 'muted' });
  const bar = el('div', { class: 'bar', 'aria-hidden': 'true' });
  const body = el('tbody');
  const table = el(
    'table',
    { class: 'stage-table' },
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('th', { scope: 'col' }, 'Stage'),
        ...['a turn', 'a packet', 'part'].map((text) => el('th', { scope: 'col', class: 'number' }, text)),
      ),
    ),
    body,
  );
  const element = el('div', { class: 'direction' }, el('h3', {}, title), said, bar, table);
  return {
    element,
    draw: (of) => {
      element.hidden = of === undefined;
      if (of === undefined) return;
      setText(said, wordsOf(of));
      if (bar.childElementCount === 0) {
        bar.append(...of.stages.map((_, k) => el('span', { class: `s${k}` })));
        body.append(
          ...of.stages.map(({ name }, k) =>
            el(
              'tr',
              {},
              el('th', { scope: 'row' }, el('span', { class: `swatch s${k}` }), name),
              ...[0, 1, 2].map(() => el('td', { class: 'number' })),
            ),
          ),
        );
      }
      for (const [k, { perTurn, perPacket }] of of.stages.entries()) {
        const part = of.perTurn === 0 ? 0 : perTurn / of.perTurn;
        (bar.children[k] as HTMLElement).style.flexGrow = part.toFixed(4);
        const cells = body.children[k]!.children;
        setText(cells[1]!, formatNanoseconds(perTurn));
        setText(cells[2]!, perPacket === null ? NOTHING : formatNanoseconds(perPacket));
        setText(cells[3]!, `${Math.round(part * 100)} %`);
      }
    },
  };
}

function wordsOf({ turns, packets, perTurn, stages: all }: DirectionStages): string {
  const most = all.toSorted((a, b) => b.perTurn - a.perTurn)[0]!;
  return `A turn takes ${formatNanoseconds(perTurn)} and moves ${(packets / turns).toFixed(1)} packets; most of it is ${most.name}. Mean of ${formatCount(turns)} turns.`;
}
