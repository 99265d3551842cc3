import { createHash } from 'node:crypto';
import test from 'ava';
import type { BenchReport } from '../../lib/bench/report.ts';
import { milliseconds } from '../../lib/report/numbers.ts';
import { reportPage } from '../../lib/report/page.ts';
import { rowsOf } from '../../lib/report/rows.ts';
import { fullReport } from './full-report.ts';

const ASSETS = { script: 'alert(1)', style: 'p{}' };
const report = fullReport();

/** The sentences of the figures, as text. */
function findings(of: BenchReport): string[] {
  const found = [...reportPage(of, ASSETS).matchAll(/<figcaption>(.*?)<\/figcaption>/g)].map((match) => match[1] ?? '');
  return found.map((text) => text.replaceAll('&#39;', "'"));
}

function medianOf(place: { setting: string; test: string; metric: string; path: string }): number {
  return rowsOf(report, place)[0]?.median ?? Number.NaN;
}

test('the page holds script, style and report, and its policy lets nothing else run', (t) => {
  const page = reportPage(report, ASSETS);
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = `default-src 'none'; script-src ${hash(ASSETS.script)}; style-src ${hash(ASSETS.style)}; base-uri 'none'; form-action 'none'`;
  t.true(page.includes(`<meta http-equiv="Content-Security-Policy" content="${policy}">`));
  t.true(page.includes('<script>alert(1)</script>'));
  const json = /<script type="application\/json" id="report">(.*?)<\/script>/.exec(page)?.[1] ?? '';
  t.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(report)));
});

test('each sentence says the numbers of the report', (t) => {
  const all = findings(report).join('\n');
  const free = { setting: 'free', path: 'weft-udp' };
  const says = (text: string): void => {
    t.true(all.includes(text), `"${text}" is not in\n${all}`);
  };
  says(`(${medianOf({ ...free, test: 'tcp1', metric: 'throughput' }).toFixed(2)} of `);
  says(`carries ${medianOf({ ...free, test: 'bidir', metric: 'throughput' }).toFixed(2)} Gb/s in all`);
  says(`are back after ${milliseconds(medianOf({ ...free, test: 'rtt', metric: 'p50' }))} ms idle`);
  says(`takes ${medianOf({ ...free, test: 'tcp1', metric: 'machineCpu' }).toFixed(2)} CPU seconds`);
  const stages = (side: string): number =>
    (report.stages ?? [])
      .filter((row) => row.setting === 'free' && row.test === 'tcp1' && row.path === 'weft-udp' && row.side === side)
      .reduce((sum, { median }) => sum + median, 0);
  const nanoseconds = (value: number): string =>
    value >= 1000 ? value.toFixed(0).replace(/(\d)(\d{3})$/, '$1,$2') : value.toFixed(0);
  says(
    `costs weftd ${nanoseconds(stages('sender'))} ns at the sender and ${nanoseconds(stages('receiver'))} ns at the receiver`,
  );
  says(`A lookup takes ${report.scale.routes[0]?.nanosecondsPerLookup.toFixed(2)} ns among 2 routes`);
  const resident = Object.values(report.daemon?.residentBytesOf ?? {});
  says(`a daemon has ${(Math.min(...resident) / 1e6).toFixed(1)} to `);
  const echoes = (report.latencies ?? []).reduce((sum, { count }) => sum + count, 0);
  says(`Where ${nanoseconds(echoes)} echoes lie: nine of ten take `);
});

test('a report of before stages and histograms, and one that measured nothing, say what is missing', (t) => {
  const { stages: _, latencies: __, ...earlier } = report;
  const page = reportPage(earlier, ASSETS);
  t.true(page.includes('Not measured: how round-trip times are distributed.'));
  t.true(page.includes('Not measured: what a packet costs in each stage.'));
  t.is(findings(earlier).length, findings(report).length - 3);
  const nothing = reportPage(
    {
      ...earlier,
      results: [],
      daemon: null,
      storm: null,
      interrupted: true,
      scale: { routes: [], peers: [], leases: [] },
      thresholds: report.thresholds.map((threshold) => ({ ...threshold, measured: null, state: 'not measured' })),
    },
    ASSETS,
  );
  t.notRegex(nothing, /<figure|NaN|Infinity|undefined/);
  for (const missing of [
    'one TCP stream',
    'packets a second',
    'round trips, idle',
    'CPU time for a gigabyte',
    'memory of the daemons',
    'routes, peers, leases that arrive',
  ])
    t.true(nothing.includes(`Not measured: ${missing}`), missing);
  t.true(nothing.includes('The run was broken off'));
});

test('failures that say the same are one row, without what a daemon logged; what was left out is named', (t) => {
  const failure = { round: 1, setting: 'free', path: 'weft-ipip', message: 'it ended\n{"level":"info"}' } as const;
  const page = reportPage(
    {
      ...report,
      failures: [
        { ...failure, test: 'tcp1' },
        { ...failure, test: 'rtt', round: 2 },
      ],
    },
    ASSETS,
  );
  t.regex(
    page,
    /2 measurements failed\.(?!.*level).*free tcp1 weft-ipip, free rtt weft-ipip<\/th><td[^>]*>1, 2<\/td><td[^>]*>it ended …</,
  );
  t.regex(page, /Planned and not measured:.*free rtt-full weft-ipip/);
});

test('a verdict of noise stands first, with its reasons', (t) => {
  const noisy = { ...report, noise: { ...report.noise, verdict: 'noisy', reasons: ['others used 52 %'] } } as const;
  t.regex(reportPage(noisy, ASSETS), /<p class="verdict trouble">Too noisy to believe: others used 52 %\.<\/p>/);
  t.notRegex(reportPage(report, ASSETS), /Too noisy/);
});
