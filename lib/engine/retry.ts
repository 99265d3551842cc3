import { setTimeout } from 'node:timers/promises';

/** Our choice: waits before the first, second, ... attempt; the last one stands for all that follow. */
const PAUSES_MS = [0, 100, 500, 1000, 2000, 5000];

export interface RetryOptions {
  /** Aborted: no more attempts. */
  readonly signal: AbortSignal;
  /** Attempts that failed just before, which count. Default 0. */
  readonly before?: number;
  readonly onFailure: (error: unknown) => void;
}

/** Calls `attempt` with growing pauses until it succeeds, or until the signal. Never rejects. */
export async function retry(attempt: () => Promise<void> | void, options: RetryOptions): Promise<void> {
  const { signal, before = 0 } = options;
  for (let count = before; ; count++) {
    const pause = PAUSES_MS[Math.min(count, PAUSES_MS.length - 1)]!;
    await setTimeout(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      return await attempt();
    } catch (error) {
      options.onFailure(error);
    }
  }
}
