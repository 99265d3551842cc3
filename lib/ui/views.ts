/** The networks that are looked at: each begins with its first page, and ends a while after its last. */

import { NetworkView, type ViewOptions } from './network-view.ts';
import type { PageStream } from './page-stream.ts';

/** Our choice: pages that are open at once. */
const MOST_PAGES = 16;
/** Our choice: networks that are kept for those who come back. */
const MOST_RESTING = 4;
/** Our choice: a reload is shorter, and after it nobody is looking. */
const REST_MS = 30_000;
/** Our choice: a page whose machine is gone is noticed so soon. */
const BEAT_MS = 15_000;

export interface ViewsOptions extends ViewOptions {
  /** How long a network is still looked at after its last page; ms. */
  readonly restMs?: number;
}

export class Views {
  readonly #options: ViewsOptions;
  readonly #views = new Map<string, NetworkView>();
  readonly #resting = new Map<NetworkView, NodeJS.Timeout>();
  readonly #beat: NodeJS.Timeout;
  #lastId = 0;

  constructor(options: ViewsOptions) {
    this.#options = options;
    this.#beat = setInterval(() => {
      for (const view of this.#views.values()) view.beat();
    }, BEAT_MS).unref();
  }

  get isFull(): boolean {
    let pages = 0;
    for (const view of this.#views.values()) pages += view.pages;
    return pages >= MOST_PAGES;
  }

  /** `open` makes the page of what it has to know first. */
  add(network: string, open: (first: readonly string[]) => PageStream): void {
    const view = this.#views.get(network) ?? new NetworkView(network, this.#options, () => ++this.#lastId);
    this.#views.set(network, view);
    clearTimeout(this.#resting.get(view));
    this.#resting.delete(view);
    const page = open(view.first);
    view.add(page);
    page.onEnd(() => {
      view.remove(page);
      if (view.pages === 0) this.#rest(network, view);
    });
  }

  find(network: string, id: number): ReturnType<NetworkView['find']> {
    return this.#views.get(network)?.find(id);
  }

  close(): void {
    clearInterval(this.#beat);
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
    for (const view of this.#views.values()) view.close();
    this.#views.clear();
  }

  #rest(network: string, view: NetworkView): void {
    if (this.#views.get(network) !== view) return;
    const end = (): void => {
      this.#resting.delete(view);
      this.#views.delete(network);
      view.close();
    };
    this.#resting.set(view, setTimeout(end, this.#options.restMs ?? REST_MS).unref());
    if (this.#resting.size > MOST_RESTING) this.#endOldest();
  }

  #endOldest(): void {
    const [view] = this.#resting.keys();
    if (view === undefined) return;
    clearTimeout(this.#resting.get(view));
    this.#resting.delete(view);
    for (const [network, each] of this.#views) if (each === view) this.#views.delete(network);
    view.close();
  }
}
