/**
 * When a question of ARP or neighbour discovery must reach the others although its answer is known here. A question says two
 * things: who asks, from which the others learn, and that the asker does not know, or not any more. Pure but for its memory;
 * times are milliseconds of a clock that never goes back.
 *
 * - News: the others have not heard lately that the asker's address is at its MAC address. A host that comes back with an old
 *   address and a new MAC address often says so in nothing but its questions; kept from the others, they would go on with the
 *   old one until it ages.
 * - Asked again: hosts check an answer by unicast before they ask all once more (RFC 1122 §2.3.2.1, RFC 4861 §7.3.3), so the
 *   answer they got from here led nowhere.
 */
import type { Ipv4 } from '../../../addr/ipv4.ts';
import type { Ipv6 } from '../../../addr/ipv6.ts';
import type { Mac } from '../../../addr/mac.ts';

/** Our choice: twice within the time after which the others forget an address (300 s). */
const ANNOUNCED_MS = 150_000;
/** Our choice: Linux finds out in 23 to 53 s (reachable for 15 to 45, 5 s of delay, three probes). */
const AGAIN_MS = 60_000;
/** Our choice, of each of the two; beyond, the oldest goes, which costs a flooded question. */
const CAPACITY = 16_384;

interface Announcement {
  readonly mac: Mac;
  readonly atMs: number;
}

export class NeighborHistory {
  readonly #announced = new Map<Ipv4 | Ipv6, Announcement>();
  readonly #answered = new Map<string, number>();

  /** Have the others not heard lately that `address` is at `mac`? */
  isNews(address: Ipv4 | Ipv6, mac: Mac, nowMs: number): boolean {
    const last = this.#announced.get(address);
    return last === undefined || last.mac !== mac || nowMs - last.atMs >= ANNOUNCED_MS;
  }

  /** A message for all, with that in it, goes to the others. */
  announced(address: Ipv4 | Ipv6, mac: Mac, nowMs: number): void {
    put(this.#announced, address, { mac, atMs: nowMs });
  }

  /** Was `asker` given `target` from here a short while ago? */
  asksAgain(asker: Mac, target: Ipv4 | Ipv6, nowMs: number): boolean {
    const atMs = this.#answered.get(keyOf(asker, target));
    return atMs !== undefined && nowMs - atMs < AGAIN_MS;
  }

  answered(asker: Mac, target: Ipv4 | Ipv6, nowMs: number): void {
    put(this.#answered, keyOf(asker, target), nowMs);
  }
}

/** An IPv4 address is a number, an IPv6 address a bigint: their texts could be the same. */
function keyOf(asker: Mac, target: Ipv4 | Ipv6): string {
  return `${asker} ${typeof target} ${target}`;
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= CAPACITY) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
