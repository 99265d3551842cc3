import { check } from './errno.ts';
import { clockGettime } from './ffi.ts';

const CLOCK_REALTIME = 0;
const TRIES = 3;

/** What to add to performance.now() of this thread, in ns, for CLOCK_REALTIME: the clock of the kernel's time stamps. */
export function realtimeOffset(): bigint {
  const time = new BigInt64Array(2);
  const bytes = new Uint8Array(time.buffer);
  let offset = 0n;
  let least = Infinity;
  // The try that took least was interrupted least.
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    check(clockGettime(CLOCK_REALTIME, bytes), 'clock_gettime', 'CLOCK_REALTIME');
    const after = performance.now();
    if (after - before >= least) continue;
    least = after - before;
    offset = time[0]! * 1_000_000_000n + time[1]! - BigInt(Math.round(((before + after) / 2) * 1_000_000));
  }
  return offset;
}
