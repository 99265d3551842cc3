import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { readReport } from '../../lib/report/read.ts';
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
