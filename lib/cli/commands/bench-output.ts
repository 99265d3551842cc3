/** Where the report of `weft bench` goes: terminal, JSON, HTML. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { BenchReport } from '../../bench/report.ts';
import { messageOf, WeftError } from '../../error.ts';
import { toJson } from '../../printable.ts';
import { type PageAssets, reportPage } from '../../report/page.ts';
import { READ_HINT, readReport } from '../../report/read.ts';

/** Codes: REPORT_NOT_WRITTEN. */
export function printReport(report: object, json: string | true | undefined, format: () => string): void {
  const text = jsonOf(report);
  if (typeof json === 'string') writeReport(json, text);
  process.stdout.write(json === true ? text : format());
}

function jsonOf(report: object): string {
  return `${toJson(report, 2)}\n`;
}

/** Before a run of half an hour, not after it. Code: REPORT_NOT_WRITTEN. */
export function requireWritable(path: string | true | undefined): void {
  if (typeof path !== 'string') return;
  beforeRun(path, () => {
    const before = statSync(path, { throwIfNoEntry: false });
    // Opening a pipe waits for its reader.
    if (isSpecial(before)) return;
    closeSync(openSync(path, 'a'));
    if (before === undefined) unlinkSync(path);
  });
}

/** The same of a file that is written beside its place and then put there. Codes: REPORT_NOT_WRITTEN, PAGE_MISSING. */
export function requireRoom(path: string | undefined): void {
  if (path === undefined) return;
  readAssets();
  beforeRun(path, () => {
    const place = placeOf(path);
    if (place === undefined) return;
    closeSync(openSync(place.beside, 'wx'));
    unlinkSync(place.beside);
  });
}

function beforeRun(path: string, body: () => void): void {
  try {
    body();
  } catch (cause) {
    throw notWritten(path, cause, 'Nothing has been measured: name another file');
  }
}

function notWritten(path: string, cause: unknown, hint: string): WeftError {
  // Without the name that Node adds: that of the file beside it, which nobody knows.
  const why = messageOf(cause).replace(/, \w+ '.*$/s, '');
  return new WeftError('REPORT_NOT_WRITTEN', `Cannot write ${path}: ${why}`, { cause, hint });
}

function writeReport(path: string, json: string): void {
  try {
    writeFileSync(path, json);
  } catch (cause) {
    // The run took long: its result must not be lost with the file.
    process.stdout.write(json);
    throw notWritten(path, cause, 'The report is on standard output instead');
  }
}

/** `json`: whether, and where, the report went as JSON. Code: REPORT_NOT_WRITTEN. */
export function writeHtml(path: string, report: BenchReport, json: string | true | undefined): void {
  try {
    writeWhole(path, reportPage(report, readAssets()));
  } catch (cause) {
    if (json === undefined) process.stdout.write(jsonOf(report));
    throw notWritten(path, cause, 'weft bench --read makes it of the JSON of this run');
  }
}

/** The page of an earlier run. Codes: REPORT_UNREADABLE, REPORT_NOT_WRITTEN, PAGE_MISSING. */
export function writeHtmlOf(file: string, path: string): void {
  const page = pageOf(file, readAssets());
  try {
    writeWhole(path, page);
  } catch (cause) {
    throw notWritten(path, cause, 'Name another file');
  }
}

function pageOf(file: string, assets: PageAssets): string {
  const report = readReport(readText(file), file);
  try {
    return reportPage(report, assets);
  } catch (cause) {
    // The shape is right, and the numbers are of no run: a list of a million samples.
    throw new WeftError('REPORT_UNREADABLE', `Cannot draw ${file}: ${messageOf(cause)}`, { cause, hint: READ_HINT });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new WeftError('REPORT_UNREADABLE', `Cannot read ${file}: ${messageOf(cause)}`, {
      cause,
      hint: READ_HINT,
    });
  }
}

/** Whoever opens the file meanwhile sees the earlier one or this one whole. */
function writeWhole(path: string, text: string): void {
  const place = placeOf(path);
  if (place === undefined) {
    writeFileSync(path, text);
    return;
  }
  try {
    writeFileSync(place.beside, text, { flag: 'wx' });
    renameSync(place.beside, place.file);
  } catch (cause) {
    rmSync(place.beside, { force: true });
    throw cause;
  }
}

/** Our choice: characters; of 4 bytes at most each, and a name has 255. */
const MOST_OF_NAME = 50;

/** The file, where links to it end, and a name beside it; undefined for a pipe or device, whose place nothing else may take. */
function placeOf(path: string): { readonly file: string; readonly beside: string } | undefined {
  const before = statSync(path, { throwIfNoEntry: false });
  if (isSpecial(before)) return undefined;
  // As the kernel says it of a directory that is opened for writing.
  if (before?.isDirectory() === true) closeSync(openSync(path, 'w'));
  const file = before === undefined ? path : realpathSync(path);
  // A name that nobody can take first, in a folder of all, and that is no longer than a name may be.
  const name = `.${basename(file).slice(0, MOST_OF_NAME)}.${randomBytes(8).toString('hex')}`;
  return { file, beside: join(dirname(file), name) };
}

function isSpecial(stats: Stats | undefined): boolean {
  return stats !== undefined && !stats.isFile() && !stats.isDirectory();
}

/** What esbuild made of lib/page/report. Code: PAGE_MISSING. */
function readAssets(): PageAssets {
  const read = (name: string): string => readFileSync(new URL(`../../../page/report/${name}`, import.meta.url), 'utf8');
  try {
    return { script: read('main.js'), style: read('main.css') };
  } catch (cause) {
    throw new WeftError('PAGE_MISSING', `The report's page has not been built: ${messageOf(cause)}`, {
      cause,
      hint: 'npm run build',
    });
  }
}
