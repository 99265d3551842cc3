/**
 * The test runner: `node dist/test/run.js [unit|netns|all] [part of a path]`.
 *
 * Every test file runs in an AVA process of its own: what one file does to its process, another cannot feel, and each
 * failure has its file. Files of test/netns build networks, need root and run one at a time, since they measure and
 * load the machine; all others run two at a time. The last line is always "N passed, N failed[, N skipped]"; the exit
 * code is 0 only if something passed and nothing failed.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileResult, runFile } from './runner/run-file.ts';
import { compiledPath, staleSources, testSources } from './runner/sources.ts';

const FILE_LIMIT_MS = 600_000;
const UNIT_FILES_AT_ONCE = 2;
const KINDS = ['unit', 'netns', 'all'] as const;

const root = join(fileURLToPath(import.meta.url), '../../..');
const isNetns = (file: string) => file.startsWith('test/netns/');
const print = (line: string) => process.stdout.write(`${line}\n`);

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const kind = KINDS.find((known) => known === (args[0] ?? 'all'));
  if (kind === undefined || args.length > 2)
    return refuse('usage: node dist/test/run.js [unit|netns|all] [part of a path]');
  const files = testSources(root).filter(
    (file) => (kind === 'all' || isNetns(file) === (kind === 'netns')) && file.includes(args[1] ?? ''),
  );
  if (files.length === 0) return refuse(`no test file matches "${args.join(' ')}"`);
  const stale = staleSources(root);
  if (stale.length > 0) return refuse(`not built: ${stale[0]} and ${stale.length - 1} more; run: npm run build`);
  const rootless = process.geteuid?.() !== 0;
  if (rootless && process.env.CI !== undefined && files.some(isNetns)) {
    return refuse('CI has to run the tests of test/netns, and they need root');
  }

  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const failed: FileResult[] = [];
  const report = (result: FileResult) => {
    printResult(result);
    totals.passed += result.passed;
    totals.failed += result.failures.length;
    totals.skipped += result.skipped.length;
    if (result.failures.length > 0) failed.push(result);
  };
  const stop = abortOnSignal();
  const unit = files.filter((file) => !isNetns(file));
  const netns = files.filter(isNetns);
  await runAll(unit, UNIT_FILES_AT_ONCE, stop, report);
  if (rootless) {
    for (const file of netns) print(`skip  ${file}: needs root`);
    totals.skipped += netns.length;
  } else {
    await runAll(netns, 1, stop, report);
  }
  printFailures(failed);
  if (stop.aborted) print('interrupted');
  return finish(totals, stop.aborted);
}

function finish(totals: Totals, interrupted: boolean): number {
  print(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);
  return totals.failed === 0 && totals.passed > 0 && !interrupted ? 0 : 1;
}

function refuse(message: string): number {
  process.stderr.write(`${message}\n`);
  return finish({ passed: 0, failed: 0, skipped: 0 }, false);
}

async function runAll(
  files: readonly string[],
  atOnce: number,
  signal: AbortSignal,
  report: (result: FileResult) => void,
): Promise<void> {
  const queue = files.values();
  const work = async () => {
    // The iterator is shared: each worker takes the next file.
    for (const file of queue) {
      const result = await runFile({ root, file, compiled: compiledPath(file), limitMs: FILE_LIMIT_MS, signal });
      if (signal.aborted) return;
      report(result);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

function printResult(result: FileResult): void {
  const { file, passed, failures, skipped, seconds } = result;
  const count = failures.length === 0 ? `${passed} passed` : `${failures.length} failed, ${passed} passed`;
  print(`${failures.length === 0 ? 'ok  ' : 'FAIL'}  ${file}  ${count}, ${seconds.toFixed(1)} s`);
  for (const title of skipped) print(`      skipped: ${title}`);
  for (const command of result.leftRunning) print(`      left running, now killed: ${command}`);
  for (const { title, detail } of failures) print(indent(`\n✗ ${title}\n${detail}`.trimEnd()));
  if (failures.length > 0 && result.output.trim() !== '') print(indent(`\nprinted:\n${result.output.trimEnd()}\n`));
}

/** The failures once more, where they are not lost among the files that passed. */
function printFailures(failed: readonly FileResult[]): void {
  for (const { file, failures } of failed) for (const { title } of failures) print(`FAIL  ${file} › ${title}`);
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ');
}

/** Ctrl-C and SIGTERM end the running test files, print the totals so far and fail the run. */
function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
