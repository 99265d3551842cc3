import test, { type ExecutionContext } from 'ava';
import { project } from './project.ts';
import type { FileResult } from './run-file.ts';
import { runTogether } from './run-together.ts';

async function run(t: ExecutionContext, sources: Readonly<Record<string, string>>): Promise<FileResult[]> {
  const { root, files } = await project(t, sources);
  return runTogether({ root, files, limitMs: 200_000, signal: new AbortController().signal });
}

const brief = (results: readonly FileResult[]) =>
  results.map(({ file, passed, failures, skipped }) => [file, passed, failures.map(({ title }) => title), skipped]);

const GOOD = "test('one', (t) => t.pass());";
/** True at the first call of all that run in the project. */
const FIRST_TIME =
  "import { existsSync, writeFileSync } from 'node:fs'; const isFirst = () => { if (existsSync('ran')) return false; writeFileSync('ran', ''); return true; };";

test('files that share an AVA have each a process, and their own counts and failures (T3)', async (t) => {
  const fresh = "if (process.left) throw new Error('the process of another file'); process.left = true;";
  const results = await run(t, {
    'wire/ip': `${fresh} ${GOOD} test.skip('two › three', (t) => t.fail());`,
    'wire/ip/deep': `${fresh} console.log('of deep'); ${GOOD} test('two', (t) => t.pass());`,
    'wire-formats': `${fresh} console.log('of formats'); test('adds', (t) => t.is(1 + 1, 3)); test('else', (t) => t.pass());`,
    once: `${FIRST_TIME} test('again', (t) => t.false(isFirst())); ${GOOD}`,
  });
  t.deepEqual(brief(results), [
    ['test/wire/ip.test.ts', 1, [], ['two › three']],
    ['test/wire/ip/deep.test.ts', 2, [], []],
    ['test/wire-formats.test.ts', 1, ['adds'], []],
    // A failure that does not come again stays one.
    ['test/once.test.ts', 1, ['again (failed beside other files, not alone)'], []],
  ]);
  t.regex(results[2]!.failures[0]!.detail, /Difference[\s\S]*2[\s\S]*3/);
  t.is(results[2]!.output.trim(), 'of formats', 'and nothing of the others');
  for (const { seconds } of results) t.true(seconds > 0);
});

test('a file that crashes or leaves a process behind is named, and the others keep what they passed (T3)', async (t) => {
  const results = await run(t, {
    good: GOOD,
    crashes: `${GOOD} process.kill(process.pid, 'SIGSEGV');`,
    empty: '',
    leaves:
      "import { spawn } from 'node:child_process'; test('one', (t) => { spawn('sleep', ['1000'], { stdio: 'ignore' }).unref(); t.pass(); });",
  });
  t.deepEqual(
    results.map(({ file, passed, failures, leftRunning }) => [file, passed, failures.length > 0, leftRunning.length]),
    [
      ['test/good.test.ts', 1, false, 0],
      ['test/crashes.test.ts', 0, true, 0],
      ['test/empty.test.ts', 0, true, 0],
      ['test/leaves.test.ts', 1, false, 1],
    ],
  );
  t.regex(results[1]!.failures.map(({ title }) => title).join(), /SIGSEGV/);
  t.regex(results[2]!.failures.map(({ title }) => title).join(), /No tests found/);
});

test('what goes wrong only among others is a failure of them all (T3)', async (t) => {
  const leaves = `${FIRST_TIME} test('one', (t) => { t.pass(); if (isFirst()) process.exit(0); }); test('two', (t) => t.pass());`;
  const results = await run(t, { a: leaves, b: GOOD });
  t.is(results.length, 3);
  t.is(results[2]!.file, 'test/a.test.ts to test/b.test.ts, together');
  t.regex(results[2]!.failures.map(({ title }) => title).join(), /breaks off/);
});
