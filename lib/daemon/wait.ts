/** Trying again, with each obstacle in the log and for the status. */
import type { Log } from '../log.ts';
import { printable } from './log.ts';
import { type Obstacle, type PersistOptions, persist } from './persist.ts';

export interface WaitHost extends Pick<PersistOptions, 'signal' | 'now' | 'random' | 'sleep'> {
  readonly log: Log;
  /** An obstacle was met, or is gone. */
  readonly onChange: () => void;
}

export interface Wait extends Pick<PersistOptions, 'isTemporary' | 'delaysMs'> {
  /** Keeps what is waited for; undefined when that is over, whichever way. */
  readonly keep: (obstacle: Obstacle | undefined) => void;
  /** First words of the two log lines. */
  readonly words: { readonly obstacle: string; readonly recovery: string };
}

/** As `persist`. */
export async function waitFor<T>(attempt: () => Promise<T>, wait: Wait, host: WaitHost): Promise<T> {
  const { log, onChange } = host;
  try {
    return await persist(attempt, {
      ...host,
      ...wait,
      onObstacle: (obstacle, logIt) => {
        wait.keep(obstacle);
        onChange();
        if (logIt) logObstacle(obstacle, wait.words.obstacle, host);
      },
      onRecovery: ({ error }, waitedMs) =>
        log.info({ code: error.code, waitedSeconds: Math.round(waitedMs / 1000) }, wait.words.recovery),
    });
  } finally {
    wait.keep(undefined);
  }
}

function logObstacle({ error, attempts, sinceMs }: Obstacle, word: string, { log, now }: WaitHost): void {
  const waitedSeconds = Math.round((now() - sinceMs) / 1000);
  // In the message, not in a field: on a terminal the command in the hint can be copied from there.
  const text = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
  log.warn({ code: error.code, attempts, waitedSeconds }, `${word}: ${printable(text)}`);
}
