import { exitImmediately } from './ffi.ts';

/**
 * Ends the process without waiting for anything. `process.exit` joins worker threads first, and one that is blocked in a
 * system call through koffi never comes back (docs/architecture.md; tried on Node 20 to 26).
 */
export function exitNow(code: number): never {
  exitImmediately(code);
  throw new Error('_exit returned');
}
