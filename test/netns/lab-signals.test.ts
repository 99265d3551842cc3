import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { findLab } from '../../lib/lab/lab.ts';
import { directoryOf, isNamespaceOf } from '../../lib/lab/layout.ts';
import { listNamespaces, processesIn } from '../../lib/lab/netns.ts';
import { destroyLab } from '../../lib/lab/remove.ts';
import { testInLabs } from './labs.ts';

// A process of its own has the lab (lab-child.ts) and ends in every way a process can end.
const { id, test } = testInLabs('s');

const CHILD = fileURLToPath(new URL('./lab-child.js', import.meta.url));

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs the child until its lab is up and a process runs in it, then sends `signal` if given, and waits for its end. */
function runChild(ending: string, signal?: NodeJS.Signals): Promise<Ending> {
  const child = spawn(process.execPath, [CHILD, id, ending], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.once('data', () => {
    if (signal !== undefined) child.kill(signal);
  });
  return new Promise((resolve) => child.on('close', (code, by) => resolve({ code, signal: by, stderr })));
}

function namespaces(): string[] {
  return listNamespaces().filter((name) => isNamespaceOf(id, name));
}

function assertNothingLeft(t: ExecutionContext): void {
  t.deepEqual(namespaces(), []);
  t.false(existsSync(directoryOf(id)));
}

/** A process whose parent was killed may stay as a zombie for as long as init likes. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/status`;
  return existsSync(path) && !/^State:\tZ/m.test(readFileSync(path, 'utf8'));
}

test('a body that returns removes the lab with a process that ignores SIGTERM', async (t) => {
  t.like(await runChild('return'), { code: 0 });
  assertNothingLeft(t);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} removes the lab and then ends the process`, async (t) => {
    t.like(await runChild('wait', signal), { code: null, signal });
    assertNothingLeft(t);
  });
}

test('an error in the body removes the lab', async (t) => {
  const ending = await runChild('throw');
  t.is(ending.code, 1);
  t.regex(ending.stderr, /thrown by the body/);
  assertNothingLeft(t);
});

test('process.exit in the body removes the lab', async (t) => {
  t.like(await runChild('exit'), { code: 3 });
  assertNothingLeft(t);
});

test('an error that nobody catches removes the lab', async (t) => {
  const ending = await runChild('uncaught');
  t.is(ending.code, 1);
  t.regex(ending.stderr, /thrown by nobody/);
  assertNothingLeft(t);
});

test('a killed process leaves a lab that can be found and removed', async (t) => {
  t.like(await runChild('wait', 'SIGKILL'), { signal: 'SIGKILL' });
  const lab = await findLab(id);
  t.is(lab?.hosts.length, 2);
  const left = processesIn(namespaces());
  t.true(left.length > 0);
  await destroyLab(id);
  assertNothingLeft(t);
  for (const pid of left) t.false(isAlive(pid), `${pid}`);
});
