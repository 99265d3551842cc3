/** The list of packets: the latest at the end. Scrolling up, choosing one or the button pauses it; what came meanwhile is counted. */
import type { PacketLine } from '../../ui/messages.ts';
import { formatCount } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import type { Context } from './context.ts';
import type { PacketDetailView } from './detail.ts';
import { VirtualRows } from './rows.ts';
import type { Store } from './store.ts';
import { plural, sentenceText } from './words.ts';

const TITLES = ['Time', 'Direction', 'From', 'To', 'What', 'Peer', 'Verdict'] as const;
const ARROWS = { outbound: '→', inbound: '←' } as const;

export function packetList({ store, redraw }: Context, detail: PacketDetailView): void {
  const log = store.packets;
  const header = el(
    'div',
    { role: 'rowgroup', class: 'titles' },
    el(
      'div',
      { role: 'row', class: 'row' },
      ...TITLES.map((text, k) =>
        el(
          'span',
          { role: 'columnheader', class: `cell c${k}` },
          k === 1 ? el('span', { class: 'unseen' }, text) : text,
        ),
      ),
    ),
  );
  let chosen: number | undefined;
  const rows = new VirtualRows<PacketLine>({
    id: 'packet',
    label: 'Packets',
    columns: TITLES.length,
    header,
    fill,
    isChosen: ({ id }) => id === chosen,
    choose: (line) => {
      chosen = line.id;
      log.pause();
      detail.show(line.id);
      drawBar();
    },
    open: () => detail.focus(),
    leave: () => follow(),
    scrolled: (atEnd) => {
      if (atEnd && log.paused && chosen === undefined) log.follow();
      else if (!atEnd) log.pause();
      draw();
    },
  });
  const bar = controls(store, {
    filtered: () => {
      draw();
    },
    toggled: () => {
      if (log.paused) follow();
      else log.pause();
      draw();
    },
  });
  const sentence = el('p', { class: 'empty', hidden: true });
  const said = el('p', { class: 'said muted' });
  byId('packet-list').append(bar.element, said, sentence, rows.viewport);

  const follow = (): void => {
    chosen = undefined;
    log.follow();
    detail.show(undefined);
    draw();
  };
  const drawBar = (): void => bar.draw();
  const draw = (): void => {
    const text = emptyText(store);
    const hasList = store.tap === null || log.size > 0;
    bar.element.hidden = !hasList;
    rows.viewport.hidden = !hasList || log.view.length === 0;
    sentence.hidden = text === '';
    setText(sentence, text);
    setText(said, hasList ? countsText(store) : '');
    if (!rows.viewport.hidden) {
      if (log.paused) rows.show(log.view);
      else rows.showEnd(log.view);
    }
    drawBar();
  };
  // Enter goes to the fields, Escape back.
  byId('detail-body').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') rows.viewport.focus();
  });
  redraw.view(['packets', 'tap'], () => {
    // What stands still is not drawn anew.
    if (log.paused && !rows.viewport.hidden) {
      setText(said, countsText(store));
      drawBar();
    } else draw();
  });
}

function fill(cells: readonly HTMLElement[], line: PacketLine, row: HTMLElement): void {
  const { time, direction, source, destination, words, peer, verdict, reason } = line;
  const texts = [
    time,
    ARROWS[direction],
    source ?? '',
    destination ?? '',
    words,
    peer ?? '',
    verdict === 'forwarded' ? '' : reason === null ? verdict : reason,
  ];
  for (const [k, text] of texts.entries()) setText(cells[k]!, text);
  if (row.dataset.state !== verdict) row.dataset.state = verdict;
}

/** Why no row is there; '': some are. */
function emptyText({ tap, packets }: Store): string {
  if (tap === undefined && packets.size === 0) return 'Waiting for packets.';
  if (tap !== null && tap !== undefined) return sentenceText(tap);
  if (packets.view.length > 0) return '';
  return packets.size === 0 ? 'No packet has come yet.' : 'No packet that is kept fits the filter.';
}

function countsText({ packets }: Store): string {
  const { counts, size } = packets;
  if (counts === undefined) return '';
  const sample =
    counts.sample === 1
      ? 'Every packet is shown.'
      : `One of ${formatCount(counts.sample)} forwarded packets is shown, and all that are dropped, flooded or answered.`;
  const missing = [
    ...(counts.lost > 0 ? [`${formatCount(counts.lost)} were lost on the way here`] : []),
    ...(counts.skipped > 0 ? [`${formatCount(counts.skipped)} were left out, too many at once`] : []),
  ];
  return `${sample} ${plural(size, 'packet is', 'packets are')} kept here${missing.length === 0 ? '' : `; ${missing.join(', ')}`}.`;
}

function controls(
  { packets }: Store,
  { filtered, toggled }: { readonly filtered: () => void; readonly toggled: () => void },
): { element: HTMLElement; draw: () => void } {
  const text = el('input', {
    type: 'search',
    id: 'filter',
    placeholder: 'address, port, word…',
    'aria-label': 'Filter packets by text',
    maxlength: 200,
  });
  const direction = select('Direction', [
    ['', 'both ways'],
    ['outbound', 'out'],
    ['inbound', 'in'],
  ]);
  const verdict = select('Verdict', [
    ['', 'any verdict'],
    ['forwarded', 'forwarded'],
    ['dropped', 'dropped'],
    ['flooded', 'flooded'],
    ['answered', 'answered'],
  ]);
  const button = el('button', { type: 'button', class: 'pause' }, 'Pause');
  const change = (): void => {
    packets.filter = {
      text: text.value.trim().toLowerCase(),
      direction: (direction.value || undefined) as PacketLine['direction'] | undefined,
      verdict: (verdict.value || undefined) as PacketLine['verdict'] | undefined,
    };
    filtered();
  };
  for (const input of [text, direction, verdict]) input.addEventListener('input', change);
  button.addEventListener('click', toggled);
  return {
    element: el(
      'div',
      { class: 'controls', role: 'toolbar', 'aria-label': 'Packet list' },
      text,
      direction,
      verdict,
      button,
    ),
    draw: () => {
      const { paused, arrived } = packets;
      setText(button, paused ? (arrived === 0 ? 'Go on' : `Go on, ${formatCount(arrived)} new`) : 'Pause');
      button.classList.toggle('on', paused);
    },
  };
}

function select(label: string, options: readonly (readonly [value: string, text: string])[]): HTMLSelectElement {
  return el('select', { 'aria-label': label }, ...options.map(([value, text]) => el('option', { value }, text)));
}
