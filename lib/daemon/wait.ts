/** Trying again for ever what can come right by itself: what is waited for is in the status, and in the log ever less often. */
import { Backoff, doubling } from '../backoff.ts';
import { WeftError } from '../error.ts';
import type { Log } from '../log.ts';

/** What the daemon waits for. */
export interface Obstacle {
  readonly error: WeftError;
  /** Unix time in ms. */
  readonly sinceMs: number;
  readonly attempts: number;
}

export interface WaitHost {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Unix time in ms. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** An obstacle was met, or is gone. */
  readonly onChange: () => void;
}

export interface Wait {
  /** Whether an error of this code is worth another attempt. */
  readonly isTemporary: (code: string) => boolean;
  /** Default: 200 ms, doubling up to 3 s. */
  readonly pausesMs?: readonly number[];
  /** Keeps what is waited for; undefined when that is over, whichever way. */
  readonly keep: (obstacle: Obstacle | undefined) => void;
  /** First words of the two log lines. */
  readonly words: { readonly obstacle: string; readonly recovery: string };
}

/** Our choice: short first, for daemon and etcd that start together; then so seldom that a hundred nodes do no harm. */
const PAUSES_MS = doubling(200, 3000);
/** Part of each pause that is random, so that nodes do not ask in step. */
const JITTER = 0.2;
/** Our choice: how long after a log line for an obstacle the next one comes, while it lasts. */
const REMINDERS_MS = doubling(10_000, 600_000);

/** Runs `attempt` until it succeeds. Rejects with an error that is not temporary, or with the signal's reason. */
export async function waitFor<T>(attempt: () => Promise<T>, wait: Wait, host: WaitHost): Promise<T> {
  const { signal, now, random } = host;
  const backoff = new Backoff(wait.pausesMs ?? PAUSES_MS, { part: JITTER, random });
  const reminders = new Backoff(REMINDERS_MS);
  let obstacle: Obstacle | undefined;
  let reminderAtMs = 0;
  try {
    for (let attempts = 1; ; attempts++) {
      signal.throwIfAborted();
      try {
        const result = await unlessAborted(attempt(), signal);
        if (obstacle !== undefined) logRecovery(obstacle, wait.words.recovery, host);
        return result;
      } catch (error) {
        // A store that is closed under a running call fails in its own words; the reason to stop is the signal's.
        signal.throwIfAborted();
        if (!(error instanceof WeftError) || !wait.isTemporary(error.code)) throw error;
        const isNew = error.code !== obstacle?.error.code;
        if (isNew) reminders.reset();
        obstacle = { error, sinceMs: obstacle?.sinceMs ?? now(), attempts };
        wait.keep(obstacle);
        host.onChange();
        if (isNew || now() >= reminderAtMs) {
          reminderAtMs = now() + reminders.next();
          logObstacle(obstacle, wait.words.obstacle, host);
        }
      }
      await host.sleep(backoff.next(), signal);
    }
  } finally {
    wait.keep(undefined);
  }
}

function logObstacle({ error, attempts, sinceMs }: Obstacle, word: string, { log, now }: WaitHost): void {
  const waitedSeconds = Math.round((now() - sinceMs) / 1000);
  // In the message, not in a field: on a terminal the command in the hint can be copied from there.
  const text = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
  log.warn({ code: error.code, attempts, waitedSeconds }, `${word}: ${text}`);
}

function logRecovery({ error, sinceMs }: Obstacle, word: string, { log, now }: WaitHost): void {
  log.info({ code: error.code, waitedSeconds: Math.round((now() - sinceMs) / 1000) }, word);
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
