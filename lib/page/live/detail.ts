/** One packet: what became of it, and its headers field by field, each above its bytes. A field marks its bytes, and they it. */

import { printableAll } from '../../printable.ts';
import type { PacketDetail, PacketHeader } from '../../ui/messages.ts';
import { formatCount } from '../../units.ts';
import { byId, el } from '../kit/dom.ts';
import { asciiOf, dump, extent, payloadAt, type Row } from './bytes.ts';
import { packetDetail } from './stream.ts';
import { formatNanoseconds } from './words.ts';

export interface PacketDetailView {
  /** Undefined: none is chosen. */
  show(id: number | undefined): void;
  /** Of its first field, or the one that had it last. */
  focus(): void;
}

/** Our choice: bytes of a row, so that a row fits beside the list, and on a phone; below NARROW_BELOW it is that, in CSS pixels. */
const WIDE = 16;
const NARROW = 8;
const NARROW_BELOW = 420;
/** From here on there is room for characters beside 16 bytes. */
const ROOMY = 560;
/** Our choice: held arrow keys ask for the packet that they stop at. */
const PAUSE_MS = 60;

const HINT = 'Choose a packet: its headers and their bytes are shown here.';

export function packetDetails(query: string): PacketDetailView {
  const target = byId('detail-body');
  let asked = new AbortController();
  let shown: number | undefined;
  const say = (text: string): void => target.replaceChildren(el('p', { class: 'empty' }, text));
  say(HINT);
  marks(target);
  return {
    show: (id) => {
      if (id === shown) return;
      shown = id;
      asked.abort();
      asked = new AbortController();
      const { signal } = asked;
      if (id === undefined) {
        say(HINT);
        return;
      }
      setTimeout(() => {
        if (signal.aborted) return;
        packetDetail(id, query, signal)
          .then((detail) => {
            if (signal.aborted) return;
            if (detail === undefined) say('The server keeps the latest packets only, and has forgotten this one.');
            else target.replaceChildren(...draw(clean(detail), target.clientWidth));
          })
          .catch((error: unknown) => {
            if (!signal.aborted)
              say(`This packet cannot be had: ${error instanceof Error ? error.message : String(error)}.`);
          });
      }, PAUSE_MS);
    },
    focus: () => target.querySelector<HTMLElement>('li[tabindex="0"]')?.focus(),
  };
}

/** Its bytes are digits, and as long as they are. */
function clean({ bytes, ...rest }: PacketDetail): PacketDetail {
  return { ...printableAll(rest), bytes: bytes.replaceAll(/[^0-9a-f]/gi, '') };
}

function draw(detail: PacketDetail, room: number): Node[] {
  const { line, sentence, notes, points, headers, bytes, length } = detail;
  const width = room < NARROW_BELOW ? NARROW : WIDE;
  const from = payloadAt(detail);
  const kept = bytes.length / 2;
  return [
    el('p', { class: `verdict ${line.verdict}` }, sentence),
    ...(notes.length === 0 ? [] : [el('p', { class: 'muted' }, notes.join('; '))]),
    el(
      'ol',
      { class: 'points' },
      ...points.map(({ name, time, us }) =>
        el(
          'li',
          {},
          el('span', { class: 'mono' }, time),
          ` ${name}`,
          el('span', { class: 'number muted' }, us === 0 ? '' : `+${formatNanoseconds(us * 1000)}`),
        ),
      ),
    ),
    ...headers.map((header, k) => headerOf(header, k, bytes, width)),
    ...(kept > from ? [payloadOf(bytes, from, kept, length, width, width === NARROW || room >= ROOMY)] : []),
  ];
}

function headerOf(header: PacketHeader, index: number, bytes: string, width: number): HTMLElement {
  const { from, to } = extent(header);
  return el(
    'section',
    { class: `header${header.rebuilt ? ' rebuilt' : ''}` },
    el('h3', {}, header.name, header.rebuilt ? el('span', { class: 'tag' }, 'rebuilt, not seen') : undefined),
    el(
      'ul',
      { class: 'fields' },
      ...header.fields.map(({ name, value, known }, k) =>
        el(
          'li',
          { 'data-field': `${index}.${k}`, tabindex: index === 0 && k === 0 ? 0 : -1 },
          el('span', { class: 'name' }, name),
          ' ',
          el('span', { class: known ? 'value' : 'value unknown' }, value),
        ),
      ),
    ),
    dumpOf(dump(bytes, header.fields, from, to, width), index),
  );
}

function payloadOf(
  bytes: string,
  from: number,
  kept: number,
  length: number,
  width: number,
  hasText: boolean,
): HTMLElement {
  const whole = kept >= length ? '' : `, the first ${formatCount(kept - from)} of ${formatCount(length - from)} bytes`;
  const rows = dump(bytes, [], from, kept, width);
  const ascii = hasText ? rows.map(({ at }) => asciiOf(bytes, at, Math.min(kept, at + width))) : [];
  return el('section', { class: 'header' }, el('h3', {}, `Payload${whole}`), dumpOf(rows, -1, ascii));
}

function dumpOf(rows: readonly Row[], index: number, ascii: readonly string[] = []): HTMLElement {
  return el(
    'div',
    { class: 'dump mono' },
    ...rows.map(({ at, parts }, k) =>
      el(
        'div',
        {},
        el('span', { class: 'at' }, at.toString(16).padStart(4, '0')),
        el(
          'span',
          { class: 'hex' },
          ...parts.map(({ hex, field }) =>
            el('span', { 'data-field': field < 0 ? undefined : `${index}.${field}` }, hex),
          ),
        ),
        ascii[k] === undefined ? undefined : el('span', { class: 'ascii' }, ascii[k]),
      ),
    ),
  );
}

/** What is pointed at or has the focus is marked in both places; arrow keys go from field to field. */
function marks(target: HTMLElement): void {
  const mark = (key: string | undefined): void => {
    for (const old of target.querySelectorAll('.marked')) old.classList.remove('marked');
    if (key !== undefined)
      for (const each of target.querySelectorAll(`[data-field="${key}"]`)) each.classList.add('marked');
  };
  const keyOf = (event: Event): string | undefined =>
    event.target instanceof Element ? event.target.closest<HTMLElement>('[data-field]')?.dataset.field : undefined;
  target.addEventListener('pointerover', (event) => mark(keyOf(event)));
  target.addEventListener('pointerleave', () => mark(undefined));
  target.addEventListener('focusin', (event) => mark(keyOf(event)));
  target.addEventListener('focusout', () => mark(undefined));
  target.addEventListener('click', (event) => {
    const key = keyOf(event);
    if (key !== undefined) focus(target, target.querySelector<HTMLElement>(`li[data-field="${key}"]`));
  });
  target.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const fields = [...target.querySelectorAll<HTMLElement>('li[data-field]')];
    const at = fields.indexOf(event.target as HTMLElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    focus(target, fields[at + step]);
  });
}

/** One field is reached by Tab, the last that had the focus. */
function focus(target: HTMLElement, field: HTMLElement | null | undefined): void {
  if (!field) return;
  for (const other of target.querySelectorAll<HTMLElement>('li[data-field][tabindex="0"]')) other.tabIndex = -1;
  field.tabIndex = 0;
  field.focus();
}
