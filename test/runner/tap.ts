/**
 * Reads what one run of AVA left behind: its TAP report (`ava --tap`, standard output) and the way the process ended.
 *
 * AVA's own exit code is not enough to trust a run, and neither is its report: a test file that calls process.exit, or a
 * hanging one, makes AVA 7's TAP reporter itself crash half-way; a file that stays alive after its last test exits with 1
 * while every line says "ok". So the two are read independently and anything they do not agree on is a failure.
 */

/** How the AVA process ended. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** True if the runner ended it because its time was up. */
  readonly timedOut: boolean;
}

export interface Failure {
  readonly title: string;
  /** AVA's report on it, or the reader's own words if AVA said nothing. May be empty. */
  readonly detail: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** Titles of skipped and todo tests. */
  readonly skipped: readonly string[];
}

export interface Report {
  readonly passed: string[];
  readonly failures: Failure[];
  readonly skipped: string[];
  readonly todo: string[];
  /** By the title of each test, the number of its line in the report, from 0. */
  readonly lineOf: Map<string, number>;
  /** The closing counts ("# pass 3"), present only when AVA came to its end; "fail" is the last of them. */
  readonly counts: Map<string, number>;
}

const TEST_LINE = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/;
const PLAN_LINE = /^1\.\.\d+$/;
const COUNT_LINE = /^# (tests|pass|skip|todo|fail) (\d+)$/;
const REMAINING_LINE = /^# (\d+ tests? remaining in .*)$/;

/** What the run comes to: every failed test, and one failure for each thing that keeps the run from being believed. */
export function judge(tap: string, ending: Ending): Outcome {
  const report = readReport(tap);
  const { passed, skipped, todo } = report;
  const failures = [...report.failures, ...doubtsOf(report, ending)];
  if (failures.length + passed.length + skipped.length + todo.length === 0) failures.push(NO_TEST);
  return { passed: passed.length, failures, skipped: [...skipped, ...todo] };
}

/** Of a file that lists no test at all. */
export const NO_TEST: Failure = { title: 'no test was run', detail: '' };

/** What keeps a report from being believed, beside the failures in it. */
export function doubtsOf(report: Report, ending: Ending): Failure[] {
  const doubts: Failure[] = [];
  const doubt = (title: string, detail = '') => doubts.push({ title, detail });
  const { counts, failures, passed, todo } = report;

  if (ending.timedOut) doubt('the test file did not end in time and was killed');
  else if (ending.signal !== null) doubt(`AVA was killed by ${ending.signal}`);
  else if (!counts.has('fail'))
    doubt("AVA's report breaks off", 'See the output: AVA ends like this when a test calls process.exit or hangs.');
  const passes = counts.get('pass');
  if (passes !== undefined && passes !== passed.length) {
    doubt(`AVA counts ${passes} passed tests, its report lists ${passed.length}`);
  }
  if (failures.length + doubts.length > 0) return doubts;
  // TODO tests are among AVA's "fail" count, though it exits with 0 for them.
  if ((counts.get('fail') ?? 0) > todo.length) doubt('AVA counts a failure that its report does not list');
  else if (ending.exitCode !== 0) {
    doubt(
      `AVA exits with ${ending.exitCode} although no test failed`,
      'It does so when something keeps the process alive after the last test: a timer, socket or child process.',
    );
  }
  return doubts;
}

export function readReport(tap: string): Report {
  const report: Report = { passed: [], failures: [], skipped: [], todo: [], lineOf: new Map(), counts: new Map() };
  const lines = tap.split('\n');
  let planSeen = false;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const test = TEST_LINE.exec(line);
    if (test !== null) {
      const block = detailBelow(lines, i + 1);
      addTest(report, test, block);
      report.lineOf.set(test[2] as string, i);
      i += block.length;
      continue;
    }
    if (PLAN_LINE.test(line)) planSeen = true;
    const count = COUNT_LINE.exec(line);
    // Before the plan, a line like this comes from a test's own log.
    if (count !== null && planSeen) report.counts.set(count[1] as string, Number(count[2]));
    const remaining = REMAINING_LINE.exec(line);
    if (remaining !== null) report.failures.push({ title: remaining[1] as string, detail: '' });
  }
  return report;
}

function addTest(report: Report, test: RegExpExecArray, block: readonly string[]): void {
  const title = test[2] as string;
  if (test[3] === 'SKIP') report.skipped.push(title);
  else if (test[3] === 'TODO') report.todo.push(title);
  else if (test[1] === undefined) report.passed.push(title);
  else report.failures.push({ title, detail: unindent(block) });
}

/** The YAML block and log lines that belong to the test line before `from`. */
function detailBelow(lines: readonly string[], from: number): readonly string[] {
  let end = from;
  if (lines[end] === '  ---') {
    while (end < lines.length && lines[end] !== '  ...') end++;
    end++;
  }
  while (lines[end]?.startsWith('#   ')) end++;
  return lines.slice(from, end);
}

function unindent(block: readonly string[]): string {
  return block
    .filter((line) => line !== '  ---' && line !== '  ...')
    .map((line) => line.replace(/^ {4}|^# {3}/, ''))
    .join('\n');
}
