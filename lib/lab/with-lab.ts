import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error.ts';
import { createLab } from './lab.ts';
import type { Lab, LabOptions } from './model.ts';
import { destroyLab, destroyLabNow } from './remove.ts';

/** Our choice: between a child's end by Ctrl-C and our own signal lie microseconds. */
const SIGNAL_MS = 50;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Makes a lab, runs `body` in it and removes the lab, however `body` ends: also when a signal ends this process, or an
 * error that nobody caught. Only SIGKILL leaves it behind.
 */
export async function withLab<T>(options: LabOptions, body: (lab: Lab, signal: AbortSignal) => Promise<T>): Promise<T> {
  return removingOnFailure(options, async (lab, signal) => {
    try {
      return await body(lab, signal);
    } finally {
      await destroyLab(lab.id);
    }
  });
}

/** The same, but the lab stays when `body` ends well. */
export async function keepingLab<T>(
  options: LabOptions,
  body: (lab: Lab, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return removingOnFailure(options, async (lab, signal) => {
    try {
      return await body(lab, signal);
    } catch (error) {
      await destroyLab(lab.id);
      throw error;
    }
  });
}

/** Makes the lab and runs `body`, which removes it. Until that ends, signals and the end of the process remove it too. */
async function removingOnFailure<T>(
  options: LabOptions,
  body: (lab: Lab, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const creation = createLab({ ...options, signal: abort.signal });
  let outlived = (): void => undefined;
  const signalOutlived = new Promise<void>((resolve) => {
    outlived = resolve;
  });
  // Of `body`; until it runs there is nothing to wait for.
  let bodyEnded: Promise<unknown> = Promise.resolve();
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second Ctrl-C does not hurry the removal: it is bounded as it is.
    if (abort.signal.aborted) return;
    abort.abort(new Error(`Interrupted by ${signal}`));
    const lastWords = () => Promise.race([bodyEnded, delay(options.lastWordsMs ?? 0)]);
    void removeThen(creation, options, lastWords, () => {
      stopListening();
      process.kill(process.pid, signal);
      // Only the first process of a container lives on.
      outlived();
    });
  };
  // The process may end by an exception elsewhere, or process.exit: then there is no time for anything asynchronous.
  const onExit = (): void => destroyLabNow(options.id);
  const stopListening = (): void => {
    process.off('exit', onExit);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const lab = await creation;
    // Not earlier: until it is made, a lab with this id may be somebody else's, which createLab refuses.
    process.on('exit', onExit);
    const running = body(lab, abort.signal);
    bodyEnded = running.catch(() => {});
    return await running;
  } catch (error) {
    // Ctrl-C reaches our children too, and their end may be seen before the signal.
    await delay(SIGNAL_MS);
    throw error;
  } finally {
    // The signal that came is sent again when the lab is gone, and ends this process: whatever else happened is no news.
    if (abort.signal.aborted) await signalOutlived;
    stopListening();
  }
}

async function removeThen(
  creation: Promise<Lab>,
  options: LabOptions,
  lastWords: () => Promise<unknown>,
  after: () => void,
): Promise<void> {
  try {
    await creation.then(
      () => destroyLab(options.id),
      () => {}, // createLab has removed what it made.
    );
  } catch (error) {
    options.log?.(messageOf(error));
  }
  // Also of a lab that could not be removed: what was measured in it is not lost. It does not reject.
  await lastWords();
  after();
}
