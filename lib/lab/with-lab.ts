import { messageOf } from '../error.ts';
import { createLab } from './lab.ts';
import type { Lab, LabOptions } from './model.ts';
import { destroyLab, destroyLabNow } from './remove.ts';

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
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second Ctrl-C does not hurry the removal: it is bounded as it is.
    if (abort.signal.aborted) return;
    abort.abort(new Error(`Interrupted by ${signal}`));
    void removeThen(creation, options, () => {
      stopListening();
      process.kill(process.pid, signal);
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
    return await body(lab, abort.signal);
  } finally {
    // When a signal came, the listeners stay until the lab is gone and the signal is sent again.
    if (!abort.signal.aborted) stopListening();
  }
}

async function removeThen(creation: Promise<Lab>, options: LabOptions, after: () => void): Promise<void> {
  try {
    await creation.then(
      () => destroyLab(options.id),
      () => {}, // createLab has removed what it made.
    );
  } catch (error) {
    options.log?.(messageOf(error));
  } finally {
    after();
  }
}
