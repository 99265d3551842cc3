import { getPriority, setPriority } from 'node:os';
import { messageOf } from '../../error.ts';

/**
 * Our choice of nice value: the thread forwards like a softirq would, ahead of the programs it forwards for
 * (docs/adr/0010, with measurements).
 */
const NICE = -19;

/** Nice values of the calling thread: Linux's getpriority(2) and setpriority(2) mean it by 0. Both throw what the kernel says. */
export interface Priority {
  get(): number;
  set(nice: number): void;
}

/** Of this thread alone. */
const THREAD: Priority = { get: () => getPriority(0), set: (nice) => setPriority(0, nice) };

/** Raises the priority of this thread. Returns why it is lower than it should be; undefined when it is not. */
export function raisePriority(priority: Priority = THREAD): string | undefined {
  // Of a unit with Nice=, whose filter of system calls may refuse to set what is there already.
  const before = inForce(priority);
  if (before !== undefined && before <= NICE) return undefined;
  try {
    priority.set(NICE);
    return undefined;
  } catch (error) {
    return `${messageOf(error)}; its nice value is ${before ?? 'not known'}`;
  }
}

function inForce(priority: Priority): number | undefined {
  try {
    return priority.get();
  } catch {
    return undefined;
  }
}
