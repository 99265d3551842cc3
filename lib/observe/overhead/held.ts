/** What was seen on one edge and waits for its like on the other. Pure. */

/** A packet as one edge had it. */
export interface Seen {
  /** As PacketKey has it. */
  readonly id: number;
  /** Nanoseconds, of any one clock. */
  readonly ns: number;
}

/** By what packets look like; those that look alike in the order in which they came. */
export class Held<T extends Seen> {
  readonly #byKey = new Map<number, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(key: number, one: T): void {
    this.#size++;
    const same = this.#byKey.get(key);
    if (same === undefined) this.#byKey.set(key, [one]);
    else same.push(one);
  }

  /** Of several that look alike the one with the same identification, else the oldest. */
  find(key: number, id: number): T | undefined {
    const same = this.#byKey.get(key);
    if (same === undefined || id < 0) return same?.[0];
    return same.find((one) => one.id === id) ?? same[0];
  }

  /** Lets go of one that `find` gave. */
  remove(key: number, one: T): void {
    const same = this.#byKey.get(key);
    if (same === undefined) return;
    same.splice(same.indexOf(one), 1);
    if (same.length === 0) this.#byKey.delete(key);
    this.#size--;
  }

  /** Lets go of all that are `over`, and returns how many they were. */
  drop(over: (one: T) => boolean): number {
    const before = this.#size;
    for (const [key, same] of this.#byKey) {
      if (!same.some(over)) continue;
      const left = same.filter((one) => !over(one));
      this.#size -= same.length - left.length;
      if (left.length === 0) this.#byKey.delete(key);
      else this.#byKey.set(key, left);
    }
    return before - this.#size;
  }
}
