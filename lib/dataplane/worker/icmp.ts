/** Writes the ICMP errors that the fast path queued to their devices, and keeps their rate in bounds. */
import {
  CONFIG_ICMP_TOKENS,
  ICMP_LENGTH,
  ICMP_QUEUE,
  ICMP_SEGMENT,
  ICMP_SLOT_SIZE,
  ICMP_START,
} from '../../fastpath/abi.ts';
import { write } from '../../sys/ffi.ts';
import { deviceOf } from './devices.ts';
import type { Queue } from './queue.ts';

/** Our choice, as Linux has it for its own (net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst). */
const ERRORS_PER_SECOND = 1000;
const BURST = 50;

export function writeIcmpErrors(queue: Queue): void {
  const { fastpath, base, words } = queue;
  const queued = fastpath.icmpQueued();
  if (queued === 0) return;
  for (let i = 0; i < queued; i++) {
    const slot = ICMP_QUEUE + i * ICMP_SLOT_SIZE;
    const fd = deviceOf(words, words[(slot + ICMP_SEGMENT) / 4]!);
    write(fd, base + words[(slot + ICMP_START) / 4]!, words[(slot + ICMP_LENGTH) / 4]!);
  }
  fastpath.icmpReset();
}

/** A token bucket: refills CONFIG_ICMP_TOKENS by the time that passed. */
export class IcmpBudget {
  readonly #words: Int32Array;
  #last: number;

  constructor(words: Int32Array, nowMs: number) {
    this.#words = words;
    this.#last = nowMs;
    words[CONFIG_ICMP_TOKENS / 4] = BURST;
  }

  refill(nowMs: number): void {
    const tokens = this.#words[CONFIG_ICMP_TOKENS / 4]!;
    const earned = Math.floor(((nowMs - this.#last) * ERRORS_PER_SECOND) / 1000);
    if (earned <= 0) return;
    // Not `nowMs`: the fraction of a token stays.
    this.#last += (earned * 1000) / ERRORS_PER_SECOND;
    if (tokens < BURST) this.#words[CONFIG_ICMP_TOKENS / 4] = Math.min(BURST, tokens + earned);
  }
}
