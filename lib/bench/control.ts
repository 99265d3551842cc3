/** Looks at the machine itself, between measurements: lib/bench/noise.ts says what for. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { machineCpuTimes, processCpuSeconds } from '../measure/cpu-time.ts';
import { median } from '../measure/statistics.ts';
import type { ControlSample } from './noise.ts';

/** /proc counts CPU time in steps of 10 ms. */
const REST_MS = 500;
const LOOPS = 5;
/** Some 15 ms. */
const LOOP_STEPS = 10_000_000;

/** What `sampleControl` takes, as planned: seconds. */
export const CONTROL_SECONDS = REST_MS / 1000 + 0.1;

/** Rests, then calculates. `pids`: what runs on our behalf meanwhile, this process too. */
export async function sampleControl(pids: readonly number[]): Promise<ControlSample> {
  const before = busySecondsOfOthers(pids);
  const start = performance.now();
  await delay(REST_MS);
  const seconds = (performance.now() - start) / 1000;
  const othersShare = Math.max(0, busySecondsOfOthers(pids) - before) / seconds;
  return { loopMs: median(Array.from({ length: LOOPS }, timeLoop)), othersShare };
}

/** Since boot, of the machine. */
export function readCpuTimes(): { readonly steal: number; readonly all: number } {
  return machineCpuTimes(readFileSync('/proc/stat', 'utf8'));
}

function busySecondsOfOthers(pids: readonly number[]): number {
  const { user, kernel } = machineCpuTimes(readFileSync('/proc/stat', 'utf8'));
  return user + kernel - pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}

/** 0 of a process that has ended: that it did is told by whoever needs it. */
function cpuSecondsOf(pid: number): number {
  try {
    return processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return 0;
  }
}

/** Milliseconds of a chain of integer operations, each of which waits for the one before: no memory, no system call. */
function timeLoop(): number {
  const start = performance.now();
  let state = 1;
  for (let i = 0; i < LOOP_STEPS; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  const elapsed = performance.now() - start;
  // xorshift never becomes 0, so this is elapsed; without a use the loop would be left out.
  return state === 0 ? 0 : elapsed;
}
