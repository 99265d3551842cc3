/** The report of `weft bench --html` as a browser shows it, beside its JSON. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { BrowserContextOptions } from 'playwright-core';
import type { BenchReport } from '../../lib/bench/report.ts';
import { figure } from '../../lib/report/numbers.ts';
import { reportPage } from '../../lib/report/page.ts';
import { rowsOf } from '../../lib/report/rows.ts';
import { axe, type Visit, withPage } from '../browser.ts';
import { fullReport } from '../report/full-report.ts';

const ASSETS = {
  script: readFileSync('dist/page/report/main.js', 'utf8'),
  style: readFileSync('dist/page/report/main.css', 'utf8'),
};

/** Opens the page of a report as a file, and looks afterwards that it asked for nothing and complained about nothing. */
async function withReport(
  t: ExecutionContext,
  report: BenchReport,
  options: BrowserContextOptions,
  body: (visit: Visit) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-report-'));
  const file = join(directory, 'report.html');
  const url = pathToFileURL(file).href;
  writeFileSync(file, reportPage(report, ASSETS));
  try {
    await withPage(t, options, async (visit) => {
      await visit.page.goto(url);
      await body(visit);
      t.deepEqual(visit.requests, [url]);
      t.deepEqual(visit.complaints, []);
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Bar {
  readonly name: string;
  readonly value: string;
  /** Of the bar, and of its axis up to the last tick. */
  readonly width: number;
  readonly whole: number;
}

const BARS = `[...document.querySelectorAll('#tcp1 .bar:not(.axis)')].map((row) => ({
  name: row.querySelector('.name').textContent,
  value: row.querySelector('.value').textContent,
  width: row.querySelector('rect').getBoundingClientRect().width,
  whole: row.querySelector('svg').getBoundingClientRect().width,
}))`;

test('a full run: bars are as long as its figures, in light and dark nothing is unreadable, and it is small', async (t) => {
  const report = fullReport();
  t.true(Buffer.byteLength(reportPage(report, ASSETS)) < 2_000_000);
  const rows = rowsOf(report, { test: 'tcp1', metric: 'throughput' });
  for (const colorScheme of ['light', 'dark'] as const)
    await withReport(t, report, { colorScheme }, async ({ page }) => {
      const bars = (await page.evaluate(BARS)) as Bar[];
      t.is(bars.length, rows.length);
      const top = Number(await page.locator('#tcp1 .axis text').last().textContent());
      t.true(top >= Math.max(...rows.map(({ max }) => max)));
      for (const [index, { name, value, width, whole }] of bars.entries()) {
        const { path, median } = rows[index]!;
        t.is(`${name} ${value}`, `${path} ${figure(median)}`);
        t.true(Math.abs(width - (median / top) * whole) <= 1, `${name}: ${width} of ${whole}, ${median} of ${top}`);
      }
      const ours = rows.find(({ path, setting }) => path === 'weft-udp' && setting === 'free');
      const finding = await page.locator('#tcp1 figcaption').textContent();
      t.true(finding?.includes(`reaches ${ours?.ratioToKernelVxlan?.toFixed(2)} of the kernel's VXLAN`), finding ?? '');
      t.deepEqual(await axe(page), []);
    });
});

test('hostile text stays text, and is cut where it is long', async (t) => {
  const hostile = `</script><script>document.title='x'</script><img src=x onerror="document.title='y'">\u2028`;
  const report = fullReport();
  const text = JSON.stringify({ ...report, noise: { ...report.noise, verdict: 'noisy', reasons: [hostile] } })
    .replaceAll('"weft-ipip"', JSON.stringify(hostile + 'n'.repeat(10_000)))
    .replaceAll('"AMD EPYC"', JSON.stringify(hostile));
  await withReport(t, JSON.parse(text) as BenchReport, { viewport: { width: 390, height: 800 } }, async ({ page }) => {
    t.regex(await page.title(), /^Weft benchmark/);
    t.is(await page.locator('img').count(), 0);
    t.is(await page.locator('script').count(), 2);
    t.true(((await page.locator('header').textContent()) ?? '').includes('<img src=x'));
    t.is(await page.evaluate('document.documentElement.scrollWidth'), 390);
    t.deepEqual(JSON.parse((await page.locator('#report').textContent()) ?? ''), JSON.parse(text));
  });
});

test('without JavaScript: a sentence, and all bars and tables', async (t) => {
  await withReport(t, fullReport(), { javaScriptEnabled: false }, async ({ page }) => {
    t.true(await page.locator('noscript p').isVisible());
    t.true(await page.locator('#tcp1 .bar').first().isVisible());
    t.true((await page.locator('table').count()) > 3);
  });
});
