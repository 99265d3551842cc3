/** What has been set up and has to be undone, last first. */
import { messageOf } from '../error.ts';
import type { Log } from './log.ts';

export class UndoStack {
  #entries: { readonly what: string; readonly run: () => Promise<void> | void }[] = [];

  push(what: string, run: () => Promise<void> | void): void {
    this.#entries.push({ what, run });
  }

  /** Undoes everything pushed so far. Never rejects: one failure is logged and keeps nothing else from being undone. */
  async undoAll(log: Log): Promise<void> {
    const entries = this.#entries.toReversed();
    this.#entries = [];
    for (const { what, run } of entries) {
      try {
        await run();
      } catch (error) {
        log.error({ what, reason: messageOf(error) }, 'Stopping failed');
      }
    }
  }
}
