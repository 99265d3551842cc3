/**
 * The limit of every wait in a test: for a state or an event, so long that it ends only what hangs. No test is about speed, and none may fail
 * because its machine is busy. Below the time after which AVA ends a file in which nothing happens (package.json), so that the wait says what it was for.
 */
export const PATIENCE_MS = 120_000;
