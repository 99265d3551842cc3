/**
 * Where the worker's time goes, in some of its rounds: from one poll to the next. What it measures lies in the queue's memory as
 * histograms (STAGES of lib/fastpath/abi.ts); lib/dataplane/stages.ts reads them. In a round that is not measured a stage costs a
 * look at `on`.
 */
import { performance } from 'node:perf_hooks';
import {
  COUNT_IN_RECEIVED,
  COUNT_OUT_RECEIVED,
  COUNTER_BLOCK,
  COUNTERS,
  STAGE_ASLEEP,
  STAGE_BUCKETS,
  STAGE_COUNT,
  STAGE_IN_CODE,
  STAGE_IN_MESSAGES,
  STAGE_IN_RECEIVE,
  STAGE_IN_WAKE,
  STAGE_IN_WRITE,
  STAGE_OUT_CODE,
  STAGE_OUT_FRAMES,
  STAGE_OUT_READ,
  STAGE_OUT_SEND,
  STAGE_OUT_WAKE,
  STAGE_PACKETS,
  STAGE_SIZE,
  STAGE_SUM,
  STAGE_TURNS,
  STAGES,
} from '../../fastpath/abi.ts';

/** Our choice: one round in so many on average is measured. The distance varies, or a rhythm of the traffic could fit it. */
const SAMPLE = 64;
/** From here on all is in the last bucket: 2.1 s, of nanoseconds. */
const LAST_BUCKET = 2 ** (STAGE_BUCKETS - 1);

export class StageClock {
  /** This round is measured. */
  on = false;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #now: () => number;
  #left = 1;
  #random = 1;
  /** Milliseconds, when the stage in hand began, and when this round did. */
  #last = 0;
  #woke = 0;
  /** Nanoseconds of each stage in this turn. */
  readonly #spent = new Float64Array(STAGE_COUNT);
  #packets = 0;
  #segments: readonly number[] = [];
  /** This round has had a turn of that direction. */
  #hadOutbound = false;
  #hadInbound = false;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(memory: ArrayBufferLike, now: () => number = () => performance.now()) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#now = now;
  }

  /** Before each poll. */
  fallAsleep(): void {
    this.on = --this.#left === 0;
    if (!this.on) return;
    // Numerical Recipes' generator, whose upper bits are the good ones.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    this.#left = 1 + ((this.#random >>> 16) % (2 * SAMPLE - 1));
    this.#last = this.#now();
  }

  /** After the poll of a round that is measured; `segments`: those that packets of this round may be of. */
  wake(nowMs: number, segments: readonly number[]): void {
    this.#segments = segments;
    this.#record(STAGE_ASLEEP, (nowMs - this.#last) * 1e6, 0);
    this.#woke = nowMs;
    this.#hadOutbound = false;
    this.#hadInbound = false;
  }

  /** The time since the last lap was `stage`'s. */
  lap(stage: number): void {
    const now = this.#now();
    this.#spent[stage]! += (now - this.#last) * 1e6;
    this.#last = now;
  }

  beginOutbound(): void {
    this.#begin(COUNT_OUT_RECEIVED);
    if (!this.#hadOutbound) this.#record(STAGE_OUT_WAKE, (this.#last - this.#woke) * 1e6, 0);
    this.#hadOutbound = true;
  }

  /** `frames`: reads that gave one. A turn that found nothing is not ended. */
  endOutbound(frames: number): void {
    this.lap(STAGE_OUT_SEND);
    const packets = this.#received(COUNT_OUT_RECEIVED) - this.#packets;
    this.#record(STAGE_OUT_READ, this.#spent[STAGE_OUT_READ]!, packets);
    this.#record(STAGE_OUT_CODE, this.#spent[STAGE_OUT_CODE]!, packets);
    this.#record(STAGE_OUT_SEND, this.#spent[STAGE_OUT_SEND]!, packets);
    this.#record(STAGE_OUT_FRAMES, frames, packets);
  }

  beginInbound(): void {
    this.#begin(COUNT_IN_RECEIVED);
    if (!this.#hadInbound) this.#record(STAGE_IN_WAKE, (this.#last - this.#woke) * 1e6, 0);
    this.#hadInbound = true;
  }

  /** `messages`: what one call received; nothing is recorded when it was nothing. */
  endInbound(messages: number): void {
    if (messages === 0) return;
    this.lap(STAGE_IN_CODE);
    const packets = this.#received(COUNT_IN_RECEIVED) - this.#packets;
    this.#record(STAGE_IN_RECEIVE, this.#spent[STAGE_IN_RECEIVE]!, packets);
    this.#record(STAGE_IN_CODE, this.#spent[STAGE_IN_CODE]!, packets);
    this.#record(STAGE_IN_WRITE, this.#spent[STAGE_IN_WRITE]!, packets);
    this.#record(STAGE_IN_MESSAGES, messages, packets);
  }

  #begin(counter: number): void {
    this.#spent.fill(0);
    this.#packets = this.#received(counter);
    this.#last = this.#now();
  }

  /** Of the round's segments and of none, which is number 0; the low words are enough for a difference. */
  #received(counter: number): number {
    const at = COUNTERS / 4 + counter * 2;
    let sum = this.#words[at]!;
    for (let i = 0; i < this.#segments.length; i++)
      sum = (sum + this.#words[at + (this.#segments[i]! * COUNTER_BLOCK) / 4]!) | 0;
    return sum;
  }

  #record(stage: number, value: number, packets: number): void {
    const at = STAGES + stage * STAGE_SIZE;
    // clz32 takes its operand modulo 2^32: a thread that was stopped for 5 s would have slept for 0.7.
    const bucket = value < 2 ? 0 : value >= LAST_BUCKET ? STAGE_BUCKETS - 1 : 31 - Math.clz32(value);
    this.#words[at / 4 + bucket]!++;
    this.#doubles[(at + STAGE_SUM) / 8]! += value;
    this.#doubles[(at + STAGE_TURNS) / 8]!++;
    this.#doubles[(at + STAGE_PACKETS) / 8]! += packets >>> 0;
  }
}
