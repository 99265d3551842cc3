/** Which CPUs threads may run on. sched_setaffinity(2). */
import { readdirSync } from 'node:fs';
import { check, Errno, SyscallError } from './errno.ts';
import { errno, schedGetaffinity, schedSetaffinity } from './ffi.ts';

/** Room for 8192 CPUs, the largest NR_CPUS in use. */
const MASK_BYTES = 1024;

/** The CPUs the calling thread may use, ascending. */
export function allowedCpus(): number[] {
  const mask = new Uint8Array(MASK_BYTES);
  check(schedGetaffinity(0, mask.length, mask), 'sched_getaffinity', 'this thread');
  return Array.from({ length: MASK_BYTES * 8 }, (_, cpu) => cpu).filter((cpu) => (mask[cpu >> 3]! >> (cpu & 7)) & 1);
}

/**
 * Moves all threads of process `pid` to `cpus`. A thread or process that has ended meanwhile is left out. What those
 * threads start later inherits the choice.
 */
export function setAffinity(pid: number, cpus: readonly number[]): void {
  const mask = new Uint8Array(MASK_BYTES);
  for (const cpu of cpus) mask[cpu >> 3]! |= 1 << (cpu & 7);
  for (const thread of threadsOf(pid)) {
    if (schedSetaffinity(thread, mask.length, mask) >= 0) continue;
    const value = errno();
    if (value !== Errno.ESRCH) throw new SyscallError('sched_setaffinity', `thread ${thread} of process ${pid}`, value);
  }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    // The process has ended.
    return [];
  }
}
