/** What the parts of the page share: what is known, when to draw, and what is chosen. */
import type { Redraw } from './redraw.ts';
import type { Store } from './store.ts';

export class Choice {
  #subnet: string | undefined;
  readonly #listeners: (() => void)[] = [];

  /** Of the peer that is chosen; undefined: this host. */
  get subnet(): string | undefined {
    return this.#subnet;
  }

  choose(subnet: string | undefined): void {
    if (this.#subnet === subnet) return;
    this.#subnet = subnet;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

export interface Context {
  readonly store: Store;
  readonly redraw: Redraw;
  readonly choice: Choice;
  /** Of the stream, and of all that is asked beside it: "?network=blue", or ''. */
  readonly query: string;
}
