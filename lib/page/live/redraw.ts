/** When the page is drawn: at most twice a second for what comes from the server, and not at all while nobody can see it. */
import type { Part } from './store.ts';

/** Our choice: the server tells at most so often. */
const PAUSE_MS = 500;
/** Our choice: the first events come one behind the other, and are drawn as one picture. */
const FIRST_MS = 25;

export class Redraw {
  readonly #views: { readonly parts: ReadonlySet<Part>; readonly draw: (dirty: ReadonlySet<Part>) => void }[] = [];
  readonly #dirty = new Set<Part>();
  #drawnAt = Number.NEGATIVE_INFINITY;
  #planned = false;
  #hurries = true;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#plan();
    });
  }

  /** `draw` is called once when some of the parts have changed, with all that have. */
  view(parts: readonly Part[], draw: (dirty: ReadonlySet<Part>) => void): void {
    this.#views.push({ parts: new Set(parts), draw });
  }

  /** All that is shown first has come: from now on there is a pause between draws. */
  settle(): void {
    this.#hurries = false;
  }

  mark(parts: readonly Part[]): void {
    for (const part of parts) this.#dirty.add(part);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned || this.#dirty.size === 0 || document.hidden) return;
    this.#planned = true;
    const wait = this.#hurries ? FIRST_MS : this.#drawnAt + PAUSE_MS - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
    else requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#planned = false;
    this.#drawnAt = performance.now();
    const dirty = new Set(this.#dirty);
    this.#dirty.clear();
    for (const { parts, draw } of this.#views) if ([...dirty].some((part) => parts.has(part))) draw(dirty);
  }
}
