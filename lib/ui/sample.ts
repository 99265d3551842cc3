/** Which part of the forwarded packets is asked for, so that about as many lines come as a person can do with. Pure. */
import { MAX_TAP_SAMPLE } from '../control/tap-protocol.ts';

/** Our choice: lines a second. */
export const LINES_PER_SECOND = 500;
/** Our choice: rounded, it makes 170 to 500 lines a second of forwarded packets. */
const WANTED = 333;
/** Our choice: opening the tap anew loses a moment, so that it has to be worth it. */
const OFF_BY = 4;
/** Our choice: a rate has to be low for so many ticks before more is asked for. */
const CALM_TICKS = 5;

export class SampleChoice {
  #rates: number[] = [];
  #sample: number;

  /** Before the first rate is known: `sample`. */
  constructor(sample: number) {
    this.#sample = sample;
  }

  get sample(): number {
    return this.#sample;
  }

  /** A tick's forwarded packets a second, both directions. Returns whether `sample` is another now. */
  rate(packets: number): boolean {
    this.#rates = [...this.#rates.slice(1 - CALM_TICKS), packets];
    const wanted = sampleFor(Math.max(...this.#rates));
    if (wanted < this.#sample * OFF_BY && wanted * OFF_BY > this.#sample) return false;
    this.#sample = wanted;
    return true;
  }
}

function sampleFor(packetsPerSecond: number): number {
  return Math.min(MAX_TAP_SAMPLE, Math.max(1, Math.round(packetsPerSecond / WANTED)));
}
