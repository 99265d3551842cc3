/** What the networks of one daemon share: forwarding threads with their sockets, and names that only one may have. */
import { WeftError } from '../error.ts';
import type { Engine } from './engine.ts';

interface SharedEngine {
  users: number;
  readonly engine: Promise<Engine>;
}

export class SharedEngines {
  readonly #engines = new Map<string, SharedEngine>();
  /** Engines that are closing their sockets: the next engine with the same ones has to wait. */
  readonly #stopping = new Map<string, Promise<void>>();
  /** Resource to network. */
  readonly #claims = new Map<string, string>();

  /** The engine called `key`, started by `start` if nobody uses it yet. Each taker gives it back once. */
  async take(key: string, start: () => Promise<Engine>): Promise<Engine> {
    await this.#stopping.get(key);
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
    const stopping = entry.engine.then((engine) => engine.stop());
    this.#stopping.set(key, stopping);
    await stopping.finally(() => this.#stopping.delete(key));
  }

  /**
   * Reserves what only one network may have, such as "VNI 1 on 192.0.2.1:4789". Returns how to give it back.
   * Throws WeftError NETWORK_CONFLICT.
   */
  claim(resource: string, network: string): () => void {
    const holder = this.#claims.get(resource);
    if (holder !== undefined)
      throw new WeftError(
        'NETWORK_CONFLICT',
        `Network "${network}" cannot have ${resource}: network "${holder}" has it`,
        {
          hint: 'give each network its own Backend.VNI or Backend.Port in its configuration',
        },
      );
    this.#claims.set(resource, network);
    return () => this.#claims.delete(resource);
  }
}
