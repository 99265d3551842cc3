/**
 * A program with a lab, for lab-signals.test.ts: makes the lab `argv[2]`, starts a process in it, prints "ready" and then does what `argv[3]` says. For 'return' the process
 * ignores SIGTERM.
 */
import { spawnInNetns } from '../../lib/lab/netns.ts';
import { withLab } from '../../lib/lab/with-lab.ts';

const [, , id = '', ending = ''] = process.argv;

await withLab({ id, hosts: 2 }, async (lab) => {
  const stubborn = ending === 'return' ? "trap '' TERM; " : '';
  const loop = spawnInNetns(lab.hosts[0]!.netns, ['sh', '-c', `${stubborn}echo started; while :; do sleep 0.1; done`]);
  await new Promise<void>((resolve) => loop.child.stdout?.once('data', () => resolve()));
  process.stdout.write('ready\n');
  if (ending === 'return') return;
  if (ending === 'throw') throw new Error('thrown by the body');
  if (ending === 'exit') process.exit(3);
  if (ending === 'uncaught')
    setImmediate(() => {
      throw new Error('thrown by nobody');
    });
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
