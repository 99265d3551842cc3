import test from 'ava';
import { type Ending, judge } from './tap.ts';

const EXIT_0: Ending = { exitCode: 0, signal: null, timedOut: false };
const EXIT_1: Ending = { ...EXIT_0, exitCode: 1 };

/** A report as AVA 7.0.0 writes it: test lines, plan, counts. */
const report = (lines: readonly string[], counts: Record<string, number>): string =>
  [
    'TAP version 13',
    ...lines,
    `1..${lines.length}`,
    '',
    ...Object.entries(counts).map(([k, n]) => `# ${k} ${n}`),
    '',
  ].join('\n');

const ALL_GOOD = report(['ok 1 - reads', 'ok 2 - writes'], { tests: 2, pass: 2, fail: 0 });

test('a passing file passes', (t) => {
  t.deepEqual(judge(ALL_GOOD, EXIT_0), { passed: 2, failures: [], skipped: [] });
});

test('a failing test fails, with its detail', (t) => {
  const detail = ['  ---', '    name: AssertionError', '    message: no', '  ...', '#   a log line'];
  const tap = report(['not ok 1 - adds', ...detail, 'ok 2 - writes'], { tests: 2, pass: 1, fail: 1 });
  t.deepEqual(judge(tap, EXIT_1), {
    passed: 1,
    failures: [{ title: 'adds', detail: 'name: AssertionError\nmessage: no\na log line' }],
    skipped: [],
  });
});

test('skipped and todo tests are neither passed nor failed', (t) => {
  const lines = ['ok 1 - later # SKIP', 'not ok 2 - some day # TODO', 'ok 3 - reads'];
  t.deepEqual(judge(report(lines, { tests: 2, pass: 1, skip: 1, fail: 1 }), EXIT_0), {
    passed: 1,
    failures: [],
    skipped: ['later', 'some day'],
  });
});

test('a title with a # in it stays whole', (t) => {
  const tap = report(['ok 1 - comments begin with # in subnet.env', 'not ok 2 - issue # 7'], {
    tests: 2,
    pass: 1,
    fail: 1,
  });
  t.deepEqual(judge(tap, EXIT_1).failures, [{ title: 'issue # 7', detail: '' }]);
});

test("what a test logs is not taken for the report's counts", (t) => {
  const tap = report(['ok 1 - reads', '# pass 55', '#   fail 3', 'ok 2 - writes'], { tests: 2, pass: 2, fail: 0 });
  t.deepEqual(judge(tap, EXIT_0), { passed: 2, failures: [], skipped: [] });
});

const CANNOT_BE_GREEN: readonly (readonly [string, string, Ending, RegExp])[] = [
  ['an empty report', '', EXIT_0, /breaks off/],
  ['a report without a plan', 'TAP version 13\nok 1 - reads\n', EXIT_0, /breaks off/],
  ['a report without counts', 'TAP version 13\nok 1 - reads\n1..1\n', EXIT_0, /breaks off/],
  ['no test at all', report([], { tests: 0, pass: 0, fail: 0 }), EXIT_0, /no test was run/],
  [
    'a file without tests, as AVA reports it',
    report(['not ok 1 - No tests found in a.test.js'], { tests: 0, pass: 0, fail: 1 }),
    EXIT_1,
    /No tests found/,
  ],
  ['exit code 1 with every line ok', ALL_GOOD, EXIT_1, /exits with 1 although no test failed/],
  ['a count of failures without a failed line', ALL_GOOD.replace('# fail 0', '# fail 1'), EXIT_0, /counts a failure/],
  [
    'fewer passes listed than counted',
    ALL_GOOD.replace('# pass 2', '# pass 3'),
    EXIT_0,
    /counts 3 passed tests, its report lists 2/,
  ],
  [
    'more passes listed than counted',
    ALL_GOOD.replace('# pass 2', '# pass 1'),
    EXIT_0,
    /counts 1 passed tests, its report lists 2/,
  ],
  [
    'tests that were never run',
    ALL_GOOD.replace('1..2', '# 1 test remaining in a.test.js\n1..2'),
    EXIT_0,
    /1 test remaining/,
  ],
  ['a killed AVA', ALL_GOOD, { exitCode: null, signal: 'SIGSEGV', timedOut: false }, /killed by SIGSEGV/],
  [
    'a file killed for its time',
    ALL_GOOD,
    { exitCode: null, signal: 'SIGKILL', timedOut: true },
    /did not end in time/,
  ],
  [
    'a crash that AVA reports',
    report(['not ok 1 - a.test.js exited due to SIGSEGV'], { tests: 2, pass: 0, fail: 3 }),
    EXIT_1,
    /SIGSEGV/,
  ],
];

for (const [name, tap, ending, expected] of CANNOT_BE_GREEN) {
  test(`cannot be green: ${name}`, (t) => {
    const { failures } = judge(tap, ending);
    t.true(failures.length > 0);
    t.regex(failures.map((failure) => failure.title).join('\n'), expected);
  });
}

test('no part of a passing report is green, even with exit code 0', (t) => {
  const whole = ALL_GOOD.trimEnd();
  t.is(judge(whole, EXIT_0).failures.length, 0);
  for (let length = 0; length < whole.length; length++) {
    t.true(judge(whole.slice(0, length), EXIT_0).failures.length > 0, `the first ${length} characters`);
  }
});
