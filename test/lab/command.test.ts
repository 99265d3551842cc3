import test from 'ava';
import { forEachLimited, run } from '../../lib/lab/command.ts';

test('returns what a program wrote, and passes arguments and input unchanged', async (t) => {
  t.is(await run('printf', ['%s|', 'a b', '$HOME;*']), 'a b|$HOME;*|');
  t.is(await run('cat', [], { input: 'text\n' }), 'text\n');
});

test('a failure is one line with the command and what it said', async (t) => {
  await t.throwsAsync(run('ls', ['/does-not-exist']), {
    code: 'LAB_COMMAND_FAILED',
    message: /^Cannot run "ls \/does-not-exist": .*does-not-exist[^\n]*$/,
  });
});

test('input that nobody reads is no failure', async (t) => {
  t.is(await run('true', [], { input: 'x'.repeat(1 << 20) }), '');
});

test('a program that is not there is named with its package', async (t) => {
  await t.throwsAsync(run('no-such-program-here', []), { code: 'TOOL_MISSING', message: /"no-such-program-here"/ });
});

test('an aborted program ends at once, with the reason', async (t) => {
  const abort = new AbortController();
  const sleep = run('sleep', ['60'], { signal: abort.signal });
  abort.abort(new Error('Interrupted by SIGINT'));
  await t.throwsAsync(sleep, { message: 'Interrupted by SIGINT' });
});

test('waits for all tasks even when one fails, then throws its error', async (t) => {
  const done: number[] = [];
  const tasks = Array.from({ length: 30 }, (_, index) => index);
  await t.throwsAsync(
    forEachLimited(tasks, async (index) => {
      await Promise.resolve();
      if (index === 3) throw new Error('third');
      done.push(index);
    }),
    { message: 'third' },
  );
  // The worker that failed takes no more; the others do the rest.
  t.deepEqual(
    done.toSorted((a, b) => a - b),
    tasks.filter((index) => index !== 3),
  );
});
