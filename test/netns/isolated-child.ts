/** What isolated.test.ts starts: outside with `outside MARK LIFE_SECONDS`, which starts the same inside. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '../../lib/lab/command.ts';
import { passTotals, runIsolated, SCRATCH, settleInside } from '../vms/isolate.ts';

const [where, mark = '', life] = process.argv.slice(2);
if (where === 'outside') {
  const ended = await runIsolated(fileURLToPath(import.meta.url), ['inside', mark], Number(life));
  process.stdout.write(`${JSON.stringify(ended)}\n`);
} else {
  await settleInside(() => {
    passTotals({ passed: 1, failed: 2 });
    process.exit();
  });
  await run('ip', ['tuntap', 'add', 'tap1', 'mode', 'tap']);
  await run('touch', [`${SCRATCH}/weft-vms-${mark}`, `/run/weft-vms-${mark}`]);
  // One that a signal does not reach, and that has lost its parent.
  spawn('setsid', ['--fork', 'sh', '-c', `trap '' INT TERM HUP; sleep ${mark}; true`], { stdio: 'ignore' });
  spawn('sleep', [mark], { stdio: 'ignore' }).on('spawn', () => process.stdout.write('inside\n'));
}
