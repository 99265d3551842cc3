/** Looks at a weftd again and again, by its control socket alone, and goes on when it is gone and comes back. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../control/client.ts';
import type { Peer, StatsReply, StatusReply } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import { processCpuSeconds } from '../measure/cpu-time.ts';
import { type Reading, type Tick, tickBetween } from './tick.ts';

export interface WatchOptions {
  readonly controlSocket: string;
  /** Undefined: the first. */
  readonly network: string | undefined;
  /** Between two readings of the counters. Read each time, as the next: they may follow the number of peers. */
  readonly intervalMs: number;
  /** Between two readings of the peers and the status, which cost weftd more. */
  readonly slowIntervalMs: number;
  readonly signal: AbortSignal;
}

export type WatchEvent =
  /** At the start, and then every slow interval. `status` is of the process; its network is the one asked for. */
  | { readonly kind: 'view'; readonly status: StatusReply; readonly peers: readonly Peer[] }
  /** `total`: the counters at its end. */
  | { readonly kind: 'tick'; readonly tick: Tick; readonly total: StatsReply }
  /** It does not answer; once until it is back, or fails in another way. Codes: those of askDaemon. */
  | { readonly kind: 'gone'; readonly error: WeftError };

/** Our choice: it is seen soon after weftd is there again. */
const RETRY_MS = 500;

/** Runs until `signal` aborts. Throws what is not a WeftError only. */
export async function* watchDaemon(options: WatchOptions): AsyncGenerator<WatchEvent> {
  const { controlSocket, network, signal } = options;
  let failure: string | undefined;
  let before: (Reading & { readonly startedAt: string }) | undefined;
  let viewedAt = Number.NEGATIVE_INFINITY;
  let run: Pick<StatusReply, 'pid' | 'startedAt'> | undefined;
  while (!signal.aborted) {
    const begun = performance.now();
    try {
      if (begun - viewedAt >= options.slowIntervalMs || run === undefined) {
        const status = await askDaemon(controlSocket, '/v1/status', network);
        const { peers } = await askDaemon(controlSocket, '/v1/peers', network);
        run = status;
        viewedAt = begun;
        yield { kind: 'view', status, peers };
      }
      const stats = await askDaemon(controlSocket, '/v1/stats', network);
      const now = { stats, cpu: cpuOf(run.pid), startedAt: run.startedAt };
      const tick = before?.startedAt === now.startedAt ? tickBetween(before, now) : undefined;
      // Two readings that do not fit together are those of two runs: what it is now is asked anew.
      if (before !== undefined && tick === undefined) run = undefined;
      before = now;
      failure = undefined;
      if (tick !== undefined) yield { kind: 'tick', tick, total: stats };
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      before = undefined;
      run = undefined;
      if (failure !== error.message) yield { kind: 'gone', error };
      failure = error.message;
    }
    const { intervalMs } = options;
    const pause = failure === undefined ? intervalMs - (performance.now() - begun) : Math.min(RETRY_MS, intervalMs);
    await delay(Math.max(0, pause), undefined, { signal }).catch(() => undefined);
  }
}

/** Of a process that this one may not see, as in another pid namespace: undefined. */
function cpuOf(pid: number): Reading['cpu'] {
  try {
    return { seconds: processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')), atMs: performance.now() };
  } catch {
    return undefined;
  }
}
