import { setTimeout } from 'node:timers/promises';
import { Backoff } from '../backoff.ts';

/** Our choice: before the first, second, ... attempt. */
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
  const { signal, before, onFailure } = options;
  const backoff = new Backoff(PAUSES_MS, undefined, before);
  for (;;) {
    await setTimeout(backoff.next(), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      return await attempt();
    } catch (error) {
      onFailure(error);
    }
  }
}
