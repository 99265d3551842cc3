import { setTimeout as delay } from 'node:timers/promises';

/** Our choice: short against the starts waited for, long against the cost of looking. */
const POLL_MS = 10;

/** Waits until `condition` holds, at most `timeoutMs`. Resolves to whether it did. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = AbortSignal.timeout(timeoutMs);
  for (;;) {
    if (await condition()) return true;
    if (deadline.aborted) return false;
    await delay(POLL_MS);
  }
}
