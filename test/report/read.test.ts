import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { reportPage } from '../../lib/report/page.ts';
import { readReport } from '../../lib/report/read.ts';
import { random } from '../random.ts';
import { fullReport } from './full-report.ts';

const report = fullReport();

function messageOf(text: string): string {
  try {
    readReport(text, 'r.json');
  } catch (error) {
    if (error instanceof WeftError && error.code === 'REPORT_UNREADABLE') return error.message;
    throw error;
  }
  return 'it is one';
}

test('a report is read back as it was written', (t) => {
  t.deepEqual(readReport(JSON.stringify(report), 'r.json'), JSON.parse(JSON.stringify(report)));
});

test('what is no report is told in one line', (t) => {
  const no = 'r.json is no report of weft bench: ';
  t.is(messageOf('Gb/s'), `${no}it is not JSON`);
  t.is(messageOf('[1]'), `${no}it has no schema weft-bench/3`);
  t.is(messageOf('{"schema":"weft-bench-far/1"}'), `${no}its schema is weft-bench-far/1, not weft-bench/3`);
  t.is(messageOf(JSON.stringify({ ...report, noise: 1 })), `${no}noise is no object`);
  t.is(messageOf(JSON.stringify({ ...report, fragments: { direct: 'x' } })), `${no}fragments.direct is no number`);
  const results = [report.results[0], { ...report.results[1], samples: [1, null] }];
  t.is(messageOf(JSON.stringify({ ...report, results })), `${no}results.1.samples.1 is no number`);
});

test('each key that a page needs is looked at', (t) => {
  for (const key of Object.keys(report).filter(
    (name) => !['schema', 'budget', 'estimate', 'daemon', 'storm', 'stages', 'latencies'].includes(name),
  ))
    t.regex(messageOf(JSON.stringify({ ...report, [key]: undefined })), new RegExp(`: ${key} is no `));
});

/** Puts something else of the same type at a random place. */
function spoil(value: unknown, next: (limit: number) => number): unknown {
  const pick = <T>(...choices: T[]): T => choices[next(choices.length)]!;
  if (typeof value === 'number') return pick(0, -1, 1e300, 1e-300, 0.5, 7);
  if (typeof value === 'string') return pick('', 'noisy', '</script>', 'x'.repeat(10_000));
  if (typeof value !== 'object' || value === null) return pick(null, true, false);
  const names = Object.keys(value);
  if (names.length === 0) return value;
  if (Array.isArray(value) && next(4) === 0) return [];
  const name = names[next(names.length)]!;
  const changed = spoil((value as Record<string, unknown>)[name], next);
  return Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed };
}

test('a report with figures of no run is refused or drawn, and never a fault of ours', (t) => {
  const { next, seed } = random();
  for (let i = 0; i < 150; i++) {
    let text = JSON.stringify(report);
    for (let changes = next(4); changes >= 0; changes--) text = JSON.stringify(spoil(JSON.parse(text), next));
    try {
      const page = reportPage(readReport(text, 'r.json'), { script: '', style: '' });
      t.notRegex(page.replace(/<script type=.*/s, ''), /="NaN|undefined|<\/script>x/, `seed ${seed}`);
    } catch (error) {
      t.true(error instanceof WeftError, `seed ${seed}: ${error instanceof Error ? error.stack : ''}`);
    }
  }
});
