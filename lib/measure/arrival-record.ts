const FIRST_CAPACITY = 1 << 17;

/** Counts which numbers of a sequence arrived: once, again, late. One bit a number. */
export class ArrivalRecord {
  #seen = new Uint32Array(FIRST_CAPACITY / 32);
  #highest = -1;
  #received = 0;
  #duplicates = 0;
  #reordered = 0;

  /** `sequence`: 0..2^32-1. */
  add(sequence: number): void {
    const word = sequence >>> 5;
    if (word >= this.#seen.length) this.#grow(word + 1);
    const bit = 1 << (sequence & 31);
    if ((this.#seen[word]! & bit) !== 0) {
      this.#duplicates++;
      return;
    }
    this.#seen[word]! |= bit;
    this.#received++;
    if (sequence < this.#highest) this.#reordered++;
    else this.#highest = sequence;
  }

  #grow(words: number): void {
    const grown = new Uint32Array(Math.max(words, this.#seen.length * 2));
    grown.set(this.#seen);
    this.#seen = grown;
  }

  get counts(): { readonly received: number; readonly duplicates: number; readonly reordered: number } {
    return { received: this.#received, duplicates: this.#duplicates, reordered: this.#reordered };
  }
}
