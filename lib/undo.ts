import { messageOf } from './error.ts';
import type { Log } from './log.ts';

/** What has been set up, to be taken down in reverse: at the end, or when a start fails half-way. */
export class Undo {
  readonly #steps: { readonly what: string; readonly step: () => Promise<void> | void }[] = [];

  /** `what`: the thing in a word or two, for the log. */
  add(what: string, step: () => Promise<void> | void): void {
    this.#steps.push({ what, step });
  }

  /** Runs every step once, last first. Never rejects: a step that fails is logged and keeps no other from running. */
  async run(log: Log): Promise<void> {
    for (const { what, step } of this.#steps.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        log.error({ what, reason: messageOf(error) }, 'Stopping failed');
      }
    }
  }
}
