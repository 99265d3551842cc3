/**
 * A process with a network, process and mount namespace of its own, and tmpfs for all that it writes. None of them has a name:
 * when that process ends, however it ends, the kernel ends what it started and takes the rest away.
 *
 *   this process ─ timeout(1) ─ unshare(1) ─ the process inside, first of its process namespace ─ guests, tcpdump
 *        └── a pipe, its standard input: closed when this process ends, also by SIGKILL
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { run } from '../../lib/lab/command.ts';

/** Where the process inside writes. Guests keep their memory in it. */
export const SCRATCH = '/dev/shm';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Totals {
  readonly passed: number;
  readonly failed: number;
}

export interface Ended {
  /** Undefined when it was killed. */
  readonly totals: Totals | undefined;
  /** By a signal that this process got. */
  readonly interrupted: boolean;
}

/** Inside: where the totals go. */
const TOTALS_FD = 3;

/** Runs a script of Node.js there, for `lifeSeconds` at most. */
export function runIsolated(script: string, args: readonly string[], lifeSeconds: number): Promise<Ended> {
  const inside = [process.execPath, script, ...args];
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  const child = spawn('timeout', ['--signal=KILL', String(lifeSeconds), ...unshare, ...inside], {
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
  });
  let interrupted = false;
  // timeout(1) has made a process group of its own: a Ctrl-C reaches this process alone.
  const end = (): void => {
    interrupted = true;
    child.stdin?.destroy();
  };
  for (const signal of SIGNALS) process.on(signal, end);
  let text = '';
  child.stdio[TOTALS_FD]?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      for (const signal of SIGNALS) process.off(signal, end);
      resolve({ interrupted, totals: text === '' ? undefined : (JSON.parse(text) as Totals) });
    });
  });
}

/** Inside, as the last thing. */
export function passTotals(totals: Totals): void {
  try {
    writeSync(TOTALS_FD, JSON.stringify(totals));
  } catch {
    // Who would have counted them was killed.
  }
}

/** Called first inside. `onStop`: the process outside was interrupted, or is gone. */
export async function settleInside(onStop: () => void): Promise<void> {
  process.stdin.on('end', onStop).on('error', onStop).resume();
  // /run too: virtiofsd keeps a file there.
  for (const folder of [SCRATCH, '/run']) await run('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'weft-vms', folder]);
  // That of the new network namespace.
  await run('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
}
