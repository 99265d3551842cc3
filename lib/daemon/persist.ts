/** Trying again for ever what can come right by itself, without filling the log. */
import { WeftError } from '../error.ts';

/** What the daemon waits for. */
export interface Obstacle {
  readonly error: WeftError;
  /** Unix time in ms. */
  readonly sinceMs: number;
  readonly attempts: number;
}

export interface PersistOptions {
  readonly signal: AbortSignal;
  /** Unix time in ms. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Whether an error of this code is worth another attempt. */
  readonly isTemporary: (code: string) => boolean;
  /** Default: 200 ms, doubling up to 3 s. */
  readonly delaysMs?: { readonly first: number; readonly last: number } | undefined;
  /** Called after each failure. `logIt`: the first of its code, then ever fewer. */
  readonly onObstacle: (obstacle: Obstacle, logIt: boolean) => void;
  /** Called once if there was an obstacle and it is gone. */
  readonly onRecovery: (last: Obstacle, waitedMs: number) => void;
}

/** Our choice: short first, for daemon and etcd that start together; then so seldom that a hundred nodes do no harm. */
const DELAYS_MS = { first: 200, last: 3000 };
/** Up to a fifth of each delay is random, so that nodes do not ask in step. */
const JITTER = 0.2;
const FIRST_REMINDER_MS = 10_000;
const LAST_REMINDER_MS = 600_000;

/** Runs `attempt` until it succeeds. Rejects with an error that is not temporary, or with the signal's reason. */
export async function persist<T>(attempt: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { signal, now, delaysMs = DELAYS_MS } = options;
  let obstacle: Obstacle | undefined;
  let reminderAtMs = 0;
  let reminderMs = FIRST_REMINDER_MS;
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted();
    try {
      const result = await unlessAborted(attempt(), signal);
      if (obstacle !== undefined) options.onRecovery(obstacle, now() - obstacle.sinceMs);
      return result;
    } catch (error) {
      // A store that is closed under a running call fails in its own words; the reason to stop is the signal's.
      signal.throwIfAborted();
      if (!(error instanceof WeftError) || !options.isTemporary(error.code)) throw error;
      const isNew = error.code !== obstacle?.error.code;
      if (isNew) reminderMs = FIRST_REMINDER_MS;
      const logIt = isNew || now() >= reminderAtMs;
      if (logIt) {
        reminderAtMs = now() + reminderMs;
        reminderMs = Math.min(reminderMs * 2, LAST_REMINDER_MS);
      }
      obstacle = { error, sinceMs: obstacle?.sinceMs ?? now(), attempts };
      options.onObstacle(obstacle, logIt);
    }
    const delay = Math.min(delaysMs.first * 2 ** Math.min(attempts - 1, 16), delaysMs.last);
    await options.sleep(delay * (1 - JITTER * options.random()), signal);
  }
}

/** The result of `work`, or a rejection with the signal's reason if that comes first. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
