import test, { type ExecutionContext } from 'ava';
import { project } from './project.ts';
import { type FileResult, runFile } from './run-file.ts';

/** Runs `source` as a test file with a real AVA. */
async function run(t: ExecutionContext, source: string, limitMs = 120_000): Promise<FileResult> {
  const { root, files } = await project(t, { a: source });
  return runFile({ root, ...files[0]!, limitMs, signal: new AbortController().signal });
}

const titles = (result: FileResult): string => result.failures.map((failure) => failure.title).join('\n');

test('counts the passed and skipped tests of a good file', async (t) => {
  const result = await run(
    t,
    "test('one', (t) => t.pass()); test('two', (t) => t.pass()); test.skip('three', (t) => t.fail());",
  );
  t.deepEqual([result.passed, result.failures, result.skipped], [2, [], ['three']]);
});

test('a failing test fails and keeps the difference and what was printed', async (t) => {
  const result = await run(t, "console.log('not ok 7 - printed'); test('adds', (t) => t.is(1 + 1, 3));");
  t.is(titles(result), 'adds');
  t.regex(result.failures[0]?.detail ?? '', /Difference[\s\S]*2[\s\S]*3/);
  t.regex(result.output, /not ok 7 - printed/);
});

test('a file that declares no test fails', async (t) => {
  t.regex(titles(await run(t, '')), /No tests found/);
});

test('a file that crashes fails', async (t) => {
  const result = await run(t, "test('one', (t) => t.pass()); process.kill(process.pid, 'SIGSEGV');");
  t.regex(titles(result), /SIGSEGV/);
});

test('a file that leaves with process.exit(0) in the middle fails', async (t) => {
  const result = await run(t, "test('one', (t) => { t.pass(); process.exit(0); }); test('two', (t) => t.pass());");
  t.true(result.failures.length > 0);
});

test('an error after the last test fails', async (t) => {
  const result = await run(
    t,
    "test('one', (t) => { t.pass(); setTimeout(() => { throw new Error('late'); }, 1); return new Promise((done) => setTimeout(done, 50)); });",
  );
  t.regex(titles(result), /late/);
});

test('a file that hangs is killed with everything it started', async (t) => {
  const hang =
    "import { spawn } from 'node:child_process'; spawn('sleep', ['1000']); test('one', () => new Promise(() => setInterval(() => {}, 1000)));";
  const result = await run(t, hang, 2000);
  t.regex(titles(result), /did not end in time/);
  t.true(result.seconds < 10);
});

test('a process left behind by a test is named and killed', async (t) => {
  const result = await run(
    t,
    "import { spawn } from 'node:child_process'; test('one', (t) => { spawn('sleep', ['1000'], { stdio: 'ignore' }).unref(); t.pass(); });",
  );
  t.is(result.passed, 1);
  t.regex(result.leftRunning.join(), /^sleep \(\d+\)$/);
});
