/** Data planes that several networks of one daemon use together: one forwarding thread and socket set for each UDP port. */
import type { Dataplane } from '../dataplane/client.ts';

/** A running data plane and how to end it with everything that belongs to it (its sockets). */
export interface SharedEngine {
  readonly dataplane: Dataplane;
  stop(): Promise<void>;
}

export class SharedEngines {
  readonly #engines = new Map<string, { users: number; readonly engine: Promise<SharedEngine> }>();

  /** The engine called `key`, started by `start` if nobody uses it yet. Each taker gives it back once. */
  async take(key: string, start: () => Promise<SharedEngine>): Promise<SharedEngine> {
    let entry = this.#engines.get(key);
    if (entry === undefined) {
      entry = { users: 0, engine: start() };
      this.#engines.set(key, entry);
    }
    entry.users++;
    try {
      return await entry.engine;
    } catch (error) {
      if (this.#engines.get(key) === entry) this.#engines.delete(key);
      throw error;
    }
  }

  /** The last one to give it back stops it. */
  async release(key: string): Promise<void> {
    const entry = this.#engines.get(key);
    if (entry === undefined || --entry.users > 0) return;
    this.#engines.delete(key);
    await (await entry.engine).stop();
  }
}
