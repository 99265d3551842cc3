import { WeftError } from '../error.ts';

/** What fails because the lab is being taken down is not worth reading. Code: INTERRUPTED. */
export async function unlessInterrupted<T>(signal: AbortSignal, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw signal.aborted ? new WeftError('INTERRUPTED', 'Interrupted', { cause: error }) : error;
  }
}
