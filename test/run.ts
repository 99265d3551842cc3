/**
 * The test runner: `node dist/test/run.js [unit|netns|all] [part of a path]`.
 *
 * Every test file runs in a process of its own: what one file does to its process, another cannot feel, and each failure has
 * its file. Files of test/netns build networks and need root; each has an AVA of its own, all others share one by twelve
 * (test/runner/run-together.ts). They run side by side, one more than there are processors, since those of test/netns mostly wait;
 * what loads the machine for itself comes last and alone. The last line is always "N passed, N failed[, N skipped]"; the exit code is 0
 * only if something passed and nothing failed.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withSystemFolders } from '../lib/lab/search-path.ts';
import type { FileResult } from './runner/run-file.ts';
import { runTogether } from './runner/run-together.ts';
import { sideBySide } from './runner/side-by-side.ts';
import { compiledPath, staleSources, testSources } from './runner/sources.ts';

/** For each file: hours before a busy machine comes to it. What hangs is ended by AVA, earlier. */
const FILE_LIMIT_MS = 1_800_000;
/** An AVA's start is shared by so many files, and with it what one that ends it costs. */
const FILES_TOGETHER = 12;
/** They saturate every processor to measure. */
const ALONE = ['test/netns/bench.test.ts'];
const KINDS = ['unit', 'netns', 'all'] as const;

const root = join(fileURLToPath(import.meta.url), '../../..');
const isNetns = (file: string) => file.startsWith('test/netns/');
const print = (line: string) => process.stdout.write(`${line}\n`);

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

// Tests start ethtool, nft and others.
process.env.PATH = withSystemFolders(process.env.PATH);
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
  const unit = batchesOf(files.filter((file) => !isNetns(file)));
  const netns = files.filter(isNetns);
  if (rootless) {
    for (const file of netns) print(`skip  ${file}: needs root`);
    totals.skipped += netns.length;
  }
  const networks = (rootless ? [] : netns).map((file) => [file]);
  const alone = ([file]: readonly string[]): boolean => ALONE.includes(file!);
  const run = async (batch: readonly string[]): Promise<boolean> => {
    const pairs = batch.map((file) => ({ file, compiled: compiledPath(file) }));
    const results = await runTogether({ root, files: pairs, limitMs: FILE_LIMIT_MS * batch.length, signal: stop });
    if (!stop.aborted) for (const result of results) report(result);
    return !stop.aborted;
  };
  const others = networks.filter((batch) => !alone(batch));
  await sideBySide(unit, others, availableParallelism() + 1, run);
  await sideBySide([], stop.aborted ? [] : networks.filter(alone), 1, run);
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

function batchesOf(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / FILES_TOGETHER);
  // Every count-th, as the slow ones stand side by side.
  return Array.from({ length: count }, (_, first) => files.filter((_file, index) => index % count === first));
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
