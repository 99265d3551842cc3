/** A long list of which only the rows that are seen are elements. Keys move in it; one row is chosen. */
import { el } from '../kit/dom.ts';
import { moved, scrollTo, visibleRows } from './windowing.ts';

export interface RowsOptions<Item> {
  /** What it is a list of, for those who do not see it. */
  readonly label: string;
  readonly id: string;
  readonly columns: number;
  /** A row of titles that stays at the top. */
  readonly header?: HTMLElement;
  /** Puts a row's text into its cells. */
  fill(cells: readonly HTMLElement[], item: Item, row: HTMLElement): void;
  isChosen(item: Item): boolean;
  /** By key or pointer. */
  choose(item: Item): void;
  /** The chosen one, by Enter. */
  open?(): void;
  /** By Escape. */
  leave?(): void;
  /** After the reader has scrolled. */
  scrolled?(atEnd: boolean): void;
}

/** CSS gives rows of `.rows` this height: --row, in CSS pixels. */
const ROW_HEIGHT = '--row';

/** Our choice: a wheel goes on so long after its last event. */
const GESTURE_MS = 500;

export class VirtualRows<Item> {
  readonly viewport: HTMLElement;
  readonly #options: RowsOptions<Item>;
  readonly #space: HTMLElement;
  readonly #pool: { readonly row: HTMLElement; readonly cells: readonly HTMLElement[] }[] = [];
  #items: readonly Item[] = [];
  #at = -1;
  #rowHeight = 24;
  // What follows is told by the browser, not asked each time: to ask makes it lay out what has changed so far.
  #top = 0;
  #height = 0;
  /** Until when a scroll is one of the reader's, ms; infinite while the pointer is down, as on the bar. */
  #gestureUntil = Number.NEGATIVE_INFINITY;

  constructor(options: RowsOptions<Item>) {
    this.#options = options;
    this.#space = el('div', { class: 'space', role: 'rowgroup' });
    this.viewport = el(
      'div',
      { class: 'rows', role: 'grid', tabindex: 0, 'aria-label': options.label, 'aria-colcount': options.columns },
      options.header,
      this.#space,
    );
    this.viewport.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    for (const name of ['wheel', 'touchmove', 'keydown'])
      this.viewport.addEventListener(name, () => this.#gesture(performance.now() + GESTURE_MS), { passive: true });
    this.viewport.addEventListener('pointerdown', () => this.#gesture(Number.POSITIVE_INFINITY));
    for (const name of ['pointerup', 'pointercancel'])
      addEventListener(name, () => this.#gesture(performance.now() + GESTURE_MS));
    this.viewport.addEventListener('keydown', (event) => this.#key(event));
    this.#space.addEventListener('click', (event) => this.#click(event));
    new ResizeObserver(() => {
      this.#height = this.viewport.clientHeight - (options.header?.offsetHeight ?? 0);
      this.#top = this.viewport.scrollTop;
      this.#rowHeight = Number.parseFloat(getComputedStyle(this.viewport).getPropertyValue(ROW_HEIGHT)) || 24;
      this.draw();
    }).observe(this.viewport);
  }

  get atEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.viewport;
    return scrollTop + clientHeight >= scrollHeight - this.#rowHeight / 2;
  }

  show(items: readonly Item[]): void {
    this.#hold(items);
    this.draw();
  }

  /** The same, and scrolls to the last row. */
  showEnd(items: readonly Item[]): void {
    this.#hold(items);
    this.#setHeight();
    this.#scrollTo(Math.max(0, items.length * this.#rowHeight - this.#height));
  }

  /** Brings the chosen row into the window. */
  reveal(): void {
    if (this.#at < 0) return;
    this.#scrollTo(scrollTo(this.#at, { scrollTop: this.#top, height: this.#height, rowHeight: this.#rowHeight }));
  }

  #hold(items: readonly Item[]): void {
    this.#items = items;
    this.#at = items.findIndex((item) => this.#options.isChosen(item));
  }

  #scrollTo(top: number): void {
    if (this.#top !== top) this.viewport.scrollTop = top;
    this.#top = top;
    this.draw();
  }

  draw(): void {
    const { viewport } = this;
    const items = this.#items;
    this.#setHeight();
    const { first, end } = visibleRows(this.#top, this.#height, this.#rowHeight, items.length);
    while (this.#pool.length < end - first) this.#pool.push(this.#makeRow());
    for (const [k, { row, cells }] of this.#pool.entries()) {
      const index = first + k;
      row.hidden = index >= end;
      if (index >= end) continue;
      this.#place(row, index);
      this.#options.fill(cells, items[index]!, row);
    }
    const active = this.#at >= first && this.#at < end ? this.#pool[this.#at - first]!.row.id : '';
    if (active === '') viewport.removeAttribute('aria-activedescendant');
    else viewport.setAttribute('aria-activedescendant', active);
  }

  /** Of the space that all rows would take. */
  #setHeight(): void {
    const height = `${this.#items.length * this.#rowHeight}px`;
    if (this.#space.style.height !== height) this.#space.style.height = height;
    this.viewport.setAttribute('aria-rowcount', String(this.#items.length));
  }

  #place(row: HTMLElement, index: number): void {
    const place = `translateY(${index * this.#rowHeight}px)`;
    if (row.style.transform !== place) row.style.transform = place;
    row.setAttribute('aria-rowindex', String(index + 1));
    row.setAttribute('aria-selected', String(index === this.#at));
  }

  #makeRow(): { row: HTMLElement; cells: HTMLElement[] } {
    const cells = Array.from({ length: this.#options.columns }, (_, k) =>
      el('span', { role: 'gridcell', class: `cell c${k}` }),
    );
    const row = el('div', { role: 'row', class: 'row', id: `${this.#options.id}-${this.#pool.length}` }, ...cells);
    this.#space.append(row);
    return { row, cells };
  }

  #gesture(until: number): void {
    this.#gestureUntil = until;
  }

  #scrolled(): void {
    this.#top = this.viewport.scrollTop;
    this.draw();
    // What we scroll, and what a change of the window's size does, is no wish of the reader.
    if (performance.now() < this.#gestureUntil) this.#options.scrolled?.(this.atEnd);
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.viewport || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === 'Enter' && this.#at >= 0) this.#options.open?.();
    if (event.key === 'Escape') this.#options.leave?.();
    const page = Math.max(1, Math.floor(this.#height / this.#rowHeight) - 1);
    const start = this.#at < 0 && event.key === 'ArrowUp' ? this.#items.length : this.#at;
    const to = moved(event.key, start, this.#items.length, page);
    if (to === undefined) return;
    event.preventDefault();
    this.#at = to;
    this.#options.choose(this.#items[to]!);
    this.reveal();
  }

  #click(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest('.row') : null;
    const item = this.#items[Number(row?.getAttribute('aria-rowindex')) - 1];
    if (item === undefined) return;
    this.#at = Number(row?.getAttribute('aria-rowindex')) - 1;
    this.#options.choose(item);
    this.draw();
  }
}
