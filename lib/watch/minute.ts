/** The last minute of a data plane, of each peer and of all. Pure. */
import type { PeerRates, Tick } from './tick.ts';

/** At a tick a second. */
export const MINUTE_TICKS = 60;

export interface PeerMinute {
  /** Bytes a second in both directions, the oldest tick first; as many as there are ticks. */
  readonly bytes: readonly number[];
  /** The last tick; undefined: nothing passed in it. */
  readonly now: PeerRates | undefined;
}

export class Minute {
  readonly #ticks: Tick[] = [];
  /** By underlay address; without those that were silent for all of it. */
  readonly #peers = new Map<string, number[]>();
  #now = new Map<string, PeerRates>();

  get latest(): Tick | undefined {
    return this.#ticks.at(-1);
  }

  get ticks(): readonly Tick[] {
    return this.#ticks;
  }

  push(tick: Tick): void {
    this.#ticks.push(tick);
    if (this.#ticks.length > MINUTE_TICKS) this.#ticks.shift();
    this.#now = new Map(tick.peers.map((peer) => [peer.publicIp, peer]));
    for (const address of this.#now.keys())
      if (!this.#peers.has(address)) this.#peers.set(address, new Array<number>(this.#ticks.length - 1).fill(0));
    for (const [address, bytes] of this.#peers) {
      const now = this.#now.get(address);
      bytes.push(now === undefined ? 0 : now.outboundBytes + now.inboundBytes);
      if (bytes.length > MINUTE_TICKS) bytes.shift();
      if (bytes.every((each) => each === 0)) this.#peers.delete(address);
    }
  }

  of(publicIp: string): PeerMinute {
    const bytes = this.#peers.get(publicIp) ?? new Array<number>(this.#ticks.length).fill(0);
    return { bytes, now: this.#now.get(publicIp) };
  }

  /** The counters begin anew. */
  clear(): void {
    this.#ticks.length = 0;
    this.#peers.clear();
    this.#now.clear();
  }
}
