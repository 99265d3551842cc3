/** Shuts flooding senders out of a TAP by a filter in the kernel, and lets them in again. */
import type { Mac } from '../../addr/mac.ts';
import { COUNT_SHUT_OUT, COUNTER_BLOCK, COUNTERS } from '../../fastpath/abi.ts';
import { dropGroupFramesFrom } from '../../sys/packet-filter.ts';
import { setTunFilter } from '../../sys/tun.ts';
import { deviceOf } from './devices.ts';
import type { Queue } from './queue.ts';

/** A frame for many, which stands for `packets` packets, was refused; who sends far too many of them is shut out. */
export function noteRefusal(queue: Queue, segment: number, sender: Mac, packets: number): void {
  if (!queue.storm.refused(segment, sender, queue.nowMs, packets)) return;
  new BigUint64Array(queue.words.buffer, COUNTERS + segment * COUNTER_BLOCK)[COUNT_SHUT_OUT]! += 1n;
  applyFilter(queue, segment);
}

export function letIn(queue: Queue): void {
  for (const segment of queue.storm.letIn(queue.nowMs)) applyFilter(queue, segment);
}

/** Without a filter (an old kernel) the limiter alone must do. */
function applyFilter({ words, storm }: Queue, segment: number): void {
  const senders = storm.shutOut(segment);
  setTunFilter(deviceOf(words, segment), senders.length === 0 ? undefined : dropGroupFramesFrom(senders));
}
