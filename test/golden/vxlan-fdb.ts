import type { TwinSegment } from './tap-twin.ts';

/** Seconds. Our choices, as lib/dataplane/segment.ts has them. */
const AGEING = 300;
const MOVE_INTERVAL = 1;

interface LearnedMac {
  readonly segment: TwinSegment;
  readonly mac: number;
  /** Place in the segment's list of peers. */
  peer: number;
  seen: number;
  /** Undefined: never. */
  moved: number | undefined;
}

/** Which peer a MAC address is behind: a plain list. Times are seconds of one clock. */
export class SlowFdb {
  #learned: LearnedMac[] = [];

  /** The peer whose lease has this VtepMAC. */
  leased(segment: TwinSegment, mac: number): number | undefined {
    const peer = segment.peers.findIndex((one) => one.mac === mac);
    return peer < 0 ? undefined : peer;
  }

  lookup(segment: TwinSegment, mac: number, now: number): number | undefined {
    return this.leased(segment, mac) ?? this.#find(segment, mac, now)?.peer;
  }

  /**
   * A frame from `mac` came from `peer`. Leased addresses are not learned. An address that has moved less than a second ago
   * stays where it is.
   */
  learn(segment: TwinSegment, mac: number, peer: number, now: number): void {
    if (this.leased(segment, mac) !== undefined) return;
    const known = this.#find(segment, mac, now);
    if (known === undefined) {
      this.#learned = this.#learned.filter((one) => one.segment !== segment || one.mac !== mac);
      this.#learned.push({ segment, mac, peer, seen: now, moved: undefined });
      return;
    }
    if (known.peer !== peer) {
      if (known.moved !== undefined && now - known.moved < MOVE_INTERVAL) return;
      known.moved = now;
      known.peer = peer;
    }
    known.seen = now;
  }

  #find(segment: TwinSegment, mac: number, now: number): LearnedMac | undefined {
    return this.#learned.find((one) => one.segment === segment && one.mac === mac && now - one.seen <= AGEING);
  }
}
