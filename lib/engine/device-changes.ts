/** What others changed of an edge device, which was put right: said in the log, and a fault when it goes on. */
import type { Fault } from '../faults.ts';
import type { Log } from '../log.ts';

/** What somebody goes on changing is said again after so many looks: 10 min at one a second. */
const SAY_AGAIN_LOOKS = 600;
/** Our choice: a device that was found down so often, within so many looks, loses packets in between. */
const MANY = 3;
const LATELY_LOOKS = 30;

export class DeviceChanges {
  readonly #name: string;
  readonly #log: Log;
  #look = 0;
  /** What was said, and the look from which on it is said again. */
  readonly #said = new Map<string, number>();
  /** Looks that found it down. */
  #foundDown: number[] = [];

  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  /** The device was looked at. `changes`: what was put right, in words. Returns what is wrong of late. */
  looked(changes: readonly string[]): Fault[] {
    this.#look++;
    if (changes.length > 0) this.#say(changes);
    if (changes.includes('up')) this.#foundDown.push(this.#look);
    this.#foundDown = this.#foundDown.filter((look) => this.#look - look < LATELY_LOOKS);
    if (this.#foundDown.length < MANY) return [];
    const text = `Somebody goes on setting device "${this.#name}" down: it is set up each second, and packets are lost meanwhile`;
    return [{ text, blocks: true }];
  }

  /** Somebody who goes on changing it must not fill the log. */
  #say(changes: readonly string[]): void {
    const set = changes.join(', ');
    if ((this.#said.get(set) ?? 0) > this.#look) return;
    this.#said.set(set, this.#look + SAY_AGAIN_LOOKS);
    this.#log.warn({ device: this.#name, set: changes }, 'Somebody changed the device; it was put right');
  }
}
