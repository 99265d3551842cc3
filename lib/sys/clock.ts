/** The time of day with its nanoseconds: CLOCK_REALTIME, by which the kernel stamps packets. clock_gettime(2). */
import { check } from './errno.ts';
import { clockGettime } from './ffi.ts';

const CLOCK_REALTIME = 0;
const TRIES = 3;

/** In ns since the epoch. */
export function realtimeNs(): bigint {
  const time = new BigInt64Array(2);
  check(clockGettime(CLOCK_REALTIME, new Uint8Array(time.buffer)), 'clock_gettime', 'CLOCK_REALTIME');
  return time[0]! * 1_000_000_000n + time[1]!;
}

/** What to add to performance.now() of this thread, in ns, for the time of day. */
export function realtimeOffset(): bigint {
  let offset = 0n;
  let least = Infinity;
  // The try that took least was interrupted least.
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    const time = realtimeNs();
    const after = performance.now();
    if (after - before >= least) continue;
    least = after - before;
    offset = time - BigInt(Math.round(((before + after) / 2) * 1_000_000));
  }
  return offset;
}
