/** Whatever ends the runner of test/vms, nothing of it stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { SCRATCH } from '../vms/isolate.ts';

const CHILD = fileURLToPath(new URL('isolated-child.js', import.meta.url));
let started = 0;

/** Processes of this machine with the mark among their arguments, but for the runner itself. */
function processesWith(mark: string): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

interface Runner {
  readonly child: ChildProcess;
  /** Seconds to sleep, and a mark: no other process has such a number. */
  readonly mark: string;
  output(): string;
}

/** Starts it and waits until all of it is there. */
async function start(t: ExecutionContext, lifeSeconds: number): Promise<Runner> {
  const mark = `90${process.pid}.${++started}`;
  const child = spawn(process.execPath, [CHILD, 'outside', mark, String(lifeSeconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  t.true(await until(() => text.includes('inside') || child.exitCode !== null, PATIENCE_MS));
  return { child, mark, output: () => text.replace('inside\n', '') };
}

async function nothingIsLeft(t: ExecutionContext, { child, mark }: Runner): Promise<void> {
  t.true(await until(() => processesWith(mark).length === 0, PATIENCE_MS), processesWith(mark).join(' '));
  t.true(await until(() => child.exitCode !== null || child.signalCode !== null, PATIENCE_MS));
  for (const folder of [SCRATCH, '/run']) t.false(existsSync(`${folder}/weft-vms-${mark}`));
  t.false(readFileSync('/proc/self/mounts', 'utf8').includes('weft-vms'));
}

test('its guests end with a runner that is killed', async (t) => {
  const runner = await start(t, 600);
  t.true(processesWith(runner.mark).length > 3);
  runner.child.kill('SIGKILL');
  await nothingIsLeft(t, runner);
});

test('interrupted, it still says what it has found', async (t) => {
  const runner = await start(t, 600);
  runner.child.kill('SIGINT');
  await nothingIsLeft(t, runner);
  t.true(await until(() => runner.output().endsWith('\n'), PATIENCE_MS));
  t.deepEqual(JSON.parse(runner.output()), { interrupted: true, totals: { passed: 1, failed: 2 } });
});

test('it has a limit to its life', async (t) => {
  const runner = await start(t, 5);
  await nothingIsLeft(t, runner);
  t.true(await until(() => runner.output().endsWith('\n'), PATIENCE_MS));
  t.deepEqual(JSON.parse(runner.output()), { interrupted: false });
});
