/**
 * Several test files by one AVA, each in a process of its own: it starts once, not once a file, which is most of the time that a small file takes.
 *
 * What such a run says is taken only where nothing is in doubt. A file with a failure runs again, alone, so that its
 * report and what it printed are its own; after anything that belongs to no file (a crash, a report that breaks off, a process left
 * running) all do. A failure that does not come again stays one.
 */
import { dirname } from 'node:path';
import { type AvaRun, runAva } from './ava.ts';
import { type FileResult, type RunFileOptions, runFile } from './run-file.ts';
import { doubtsOf, type Failure, NO_TEST, type Report, readReport } from './tap.ts';

export interface TogetherOptions extends Omit<RunFileOptions, 'file' | 'compiled'> {
  readonly files: readonly Pick<RunFileOptions, 'file' | 'compiled'>[];
}

/** The results in the order of the files, and one more if something went wrong that no file shows when it runs alone. */
export async function runTogether({ files, ...options }: TogetherOptions): Promise<FileResult[]> {
  if (files.length === 1) return [await runFile({ ...options, ...files[0]! })];
  const run = await runAva({ ...options, compiled: files.map(({ compiled }) => compiled) });
  const { results, doubts } = divide(files, run);
  const final: FileResult[] = [];
  for (const [index, result] of results.entries()) {
    if (options.signal.aborted || (doubts.length === 0 && result.failures.length === 0)) final.push(result);
    else final.push(withFailuresOf(result, await runFile({ ...options, ...files[index]! })));
  }
  if (doubts.length === 0 || final.some(({ failures, leftRunning }) => failures.length + leftRunning.length > 0))
    return final;
  const file = `${files[0]!.file} to ${files.at(-1)!.file}, together`;
  const { seconds, output, leftRunning } = run;
  return [...final, { file, passed: 0, skipped: [], failures: doubts, seconds, output, leftRunning }];
}

/** The result of a file that ran again alone. A failure that it had among others and has no more is one all the same. */
function withFailuresOf(together: FileResult, alone: FileResult): FileResult {
  if (alone.failures.length > 0) return alone;
  const failures = together.failures.map(({ title, detail }) => ({
    title: `${title} (failed beside other files, not alone)`,
    detail,
  }));
  return { ...alone, passed: alone.passed - failures.length, failures };
}

/** A report of many files, file by file, and what belongs to none. */
function divide(
  files: TogetherOptions['files'],
  run: AvaRun,
): { readonly results: FileResult[]; readonly doubts: Failure[] } {
  const report = readReport(run.tap);
  const prefixes = titlePrefixes(files.map(({ compiled }) => compiled));
  const doubts = doubtsOfNone(report, run, (title) => ownerOf(title, prefixes) !== undefined);
  const results = files.map(({ file }, index): FileResult => {
    const prefix = prefixes[index]!;
    const mine = (title: string): boolean => ownerOf(title, prefixes) === prefix;
    const bare = (title: string): string => title.slice(prefix.length);
    const passed = report.passed.filter(mine).length;
    const skipped = [...report.skipped, ...report.todo].filter(mine).map(bare);
    const failures = report.failures
      .filter(({ title }) => mine(title))
      .map(({ title, detail }) => ({ title: bare(title), detail }));
    // After a crash or a report that breaks off, it says nothing about this file.
    if (passed + skipped.length + failures.length + doubts.length === 0) failures.push(NO_TEST);
    return { file, passed, failures, skipped, seconds: secondsOf(report, run.atMs, mine), output: '', leftRunning: [] };
  });
  return { results, doubts };
}

function doubtsOfNone(report: Report, run: AvaRun, belongs: (title: string) => boolean): Failure[] {
  const doubts = [...report.failures.filter(({ title }) => !belongs(title)), ...doubtsOf(report, run.ending)];
  const strangers = [...report.passed, ...report.skipped, ...report.todo].filter((title) => !belongs(title));
  if (strangers.length > 0) doubts.push({ title: `a test of no file: ${strangers[0]}`, detail: '' });
  if (run.leftRunning.length > 0) doubts.push({ title: `left running: ${run.leftRunning.join(', ')}`, detail: '' });
  return doubts;
}

/** From the last test of the file before to its own: AVA runs one after the other. */
function secondsOf(report: Report, atMs: readonly number[], mine: (title: string) => boolean): number {
  const lines = [...report.lineOf].filter(([title]) => mine(title)).map(([, line]) => line);
  const first = Math.min(...lines);
  const before = [...report.lineOf.values()].filter((line) => line < first);
  const at = (among: readonly number[]): number => (among.length === 0 ? 0 : (atMs[Math.max(...among)] ?? 0));
  return (at(lines) - at(before)) / 1000;
}

/** The longest, as "wire › ip › " begins titles of wire/ip/any.test.js, too. */
function ownerOf(title: string, prefixes: readonly string[]): string | undefined {
  const fitting = prefixes.filter((prefix) => title.startsWith(prefix));
  return fitting.toSorted((a, b) => b.length - a.length)[0];
}

/** What AVA puts before the titles of each file when it runs many (its lib/reporters/prefix-title.js): "wire › udp › ". */
function titlePrefixes(compiled: readonly string[]): string[] {
  let common = dirname(compiled[0]!);
  while (!compiled.every((path) => path.startsWith(`${common}/`))) common = dirname(common);
  return compiled.map((path) => {
    const parts = path
      .slice(common.length + 1)
      .replace(/\.test\.js$/, '')
      .split('/');
    return `${[...parts.slice(0, -1), parts.at(-1)!.replace('test-', '')].join(' › ')} › `;
  });
}
