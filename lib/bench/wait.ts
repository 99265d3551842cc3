import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../error.ts';

const POLL_MS = 5;

/** Resolves once `condition` holds. Code: TIMEOUT after `timeoutMs`. */
export async function waitUntil(condition: () => boolean, timeoutMs: number, what = 'the condition'): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new WeftError('TIMEOUT', `${what} did not come within ${timeoutMs} ms`);
    await delay(POLL_MS);
  }
}
