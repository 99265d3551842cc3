/** `weft` as a user starts it, for commands that build labs of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { directoryOf } from '../../lib/lab/layout.ts';
import { listNamespaces } from '../../lib/lab/netns.ts';
import { PATIENCE_MS } from '../patience.ts';

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly pid: number;
}

/** Starts `bin/weft` of this checkout. `progress` is what it has written to standard error so far. */
export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): {
  child: ChildProcess;
  outcome: Promise<Outcome>;
  progress: () => string;
} {
  const child = spawn(process.execPath, [WEFT, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 4 * PATIENCE_MS,
    env,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const outcome = once(child, 'close').then(([code, signal]) => {
    return { code: code as number | null, signal: signal as string | null, stdout, stderr, pid: child.pid ?? 0 };
  });
  return { child, outcome, progress: () => stderr };
}

/** Namespaces and directory of the lab that a run of `weft bench` (b), `weft demo` (d) or `weft ui --lab` (u) made; it is named after its process id. */
export function remainsOf(prefix: 'b' | 'd' | 'u', pid: number): string[] {
  const id = `${prefix}${pid.toString(36)}`;
  const directory = directoryOf(id);
  return [
    ...listNamespaces().filter((name) => name.split('-')[0] === id),
    ...(existsSync(directory) ? [directory] : []),
  ];
}
