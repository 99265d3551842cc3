/**
 * Taking a lab down: processes, namespaces, directory. It goes by what is there, not by what should be, so that it also
 * removes a lab that was built by half, or whose maker was killed.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../error.ts';
import { requireRoot, run } from './command.ts';
import { directoryOf, idOfDirectory, isNamespaceOf } from './layout.ts';
import { listNamespaces, processesIn } from './netns.ts';

/** Our choice: weftd and etcd end in well under a second. */
const TERM_GRACE_MS = 2_000;
/** What SIGKILL ends is gone as soon as the kernel comes to it. */
const KILL_GRACE_MS = 30_000;
const POLL_MS = 10;
const REMOVAL_ATTEMPTS = 3;

function namespacesWithId(id: string): string[] {
  return listNamespaces().filter((name) => isNamespaceOf(id, name));
}

/** The ids of all labs that have a directory on this machine. */
export function listLabIds(): string[] {
  return readdirSync(tmpdir())
    .map(idOfDirectory)
    .filter((id) => id !== undefined)
    .toSorted();
}

/** True when there is a lab with this id or anything left of one. */
export function isTakenLabId(id: string): boolean {
  return directoryExists(directoryOf(id)) || namespacesWithId(id).length > 0;
}

/**
 * Ends the processes in the lab's namespaces (SIGTERM, then SIGKILL), removes the namespaces and the directory. Does
 * nothing when there is nothing. Throws WeftError NOT_ROOT, USAGE, LAB_STUCK or LAB_DIRECTORY_FOREIGN.
 */
export async function destroyLab(id: string): Promise<void> {
  requireRoot();
  const directory = directoryOf(id);
  const namespaces = namespacesWithId(id);
  await endProcesses(namespaces);
  await removeNamespaces(id);
  removeDirectory(directory);
}

async function removeNamespaces(id: string): Promise<void> {
  for (let attempt = 0; attempt < REMOVAL_ATTEMPTS; attempt++) {
    const input = deletionLines(namespacesWithId(id));
    if (input === '') return;
    // It may fail because somebody else removes the same lab, or because Ctrl-C reached ip(8) too: what is left counts.
    await run('ip', ['-force', '-batch', '-'], { input }).catch(() => {});
  }
  const left = namespacesWithId(id);
  if (left.length > 0) throw new WeftError('LAB_STUCK', `Cannot remove the network namespaces ${left.join(', ')}`);
}

function deletionLines(namespaces: readonly string[]): string {
  return namespaces.map((name) => `netns del ${name}\n`).join('');
}

async function endProcesses(namespaces: readonly string[]): Promise<void> {
  for (const [signal, graceMs] of [['SIGTERM', TERM_GRACE_MS] as const, ['SIGKILL', KILL_GRACE_MS] as const]) {
    signalAll(processesIn(namespaces), signal);
    for (let waitedMs = 0; waitedMs < graceMs; waitedMs += POLL_MS) {
      if (processesIn(namespaces).length === 0) return;
      await delay(POLL_MS);
    }
  }
  const left = processesIn(namespaces);
  if (left.length > 0)
    throw new WeftError('LAB_STUCK', `Cannot end the processes ${left.join(', ')} of the lab, not even with SIGKILL`);
}

/**
 * The same at once and without waiting for anything asynchronous, for a process that is about to end: SIGKILL only, and
 * what cannot be removed stays.
 */
export function destroyLabNow(id: string): void {
  const namespaces = namespacesWithId(id);
  for (let waitedMs = 0; waitedMs < KILL_GRACE_MS; waitedMs += POLL_MS) {
    const processes = processesIn(namespaces);
    if (processes.length === 0) break;
    signalAll(processes, 'SIGKILL');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  spawnSync('ip', ['-force', '-batch', '-'], { input: deletionLines(namespaces) });
  removeDirectory(directoryOf(id));
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It ended by itself meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function directoryExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removeDirectory(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  // Under the shared /tmp anybody can put something with this name; root must not follow it.
  if (!stats.isDirectory() || stats.uid !== process.geteuid?.())
    throw new WeftError('LAB_DIRECTORY_FOREIGN', `Cannot remove ${path}: it was not made by a lab of this user`);
  rmSync(path, { recursive: true, force: true });
}
