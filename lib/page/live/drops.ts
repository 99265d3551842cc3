/** Drops by reason: each with its sentence, how often it happens now, and how often it has. */
import { printable } from '../../printable.ts';
import { formatCount, formatRate } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import type { Context } from './context.ts';

export function drops({ store, redraw }: Context): void {
  const none = el('p', { class: 'empty' });
  const list = el('ul', { class: 'drops' });
  const overflow = el('p', { class: 'warn', hidden: true });
  byId('drops-body').append(none, list, overflow);
  redraw.view(['ticks', 'state'], () => {
    const rates = store.ticks.at(-1)?.drops ?? {};
    const totals = store.total?.drops ?? {};
    const reasons = [...new Set([...Object.keys(totals), ...Object.keys(rates)])]
      .filter((reason) => (totals[reason] ?? 0) > 0 || (rates[reason] ?? 0) > 0)
      .toSorted((a, b) => (totals[b] ?? 0) - (totals[a] ?? 0) || (a < b ? -1 : 1));
    none.hidden = reasons.length > 0;
    setText(none, store.total === undefined ? 'No figures yet.' : 'Nothing was dropped since weftd started.');
    show(list, reasons, store.hello?.dropReasons ?? {});
    for (const [k, reason] of reasons.entries()) {
      const [, rate, total] = list.children[k]!.firstElementChild!.children;
      setText(rate!, `${formatRate(rates[reason] ?? 0)}/s`);
      setText(total!, formatCount(totals[reason] ?? 0));
      list.children[k]!.classList.toggle('now', (rates[reason] ?? 0) > 0);
    }
    const lost = store.ticks.at(-1)?.socketOverflow ?? 0;
    overflow.hidden = lost === 0;
    setText(overflow, `${formatRate(lost)}/s were lost before weftd read them: its socket was full.`);
  });
}

function show(list: HTMLElement, reasons: readonly string[], sentences: Readonly<Record<string, string>>): void {
  const key = JSON.stringify([reasons, Object.keys(sentences).length]);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...reasons.map((reason) =>
      el(
        'li',
        {},
        el(
          'div',
          { class: 'drop' },
          el('b', {}, printable(reason)),
          el('span', { class: 'number' }),
          el('span', { class: 'number muted' }),
        ),
        el('p', { class: 'muted' }, sentences[reason] ?? ''),
      ),
    ),
  );
}
