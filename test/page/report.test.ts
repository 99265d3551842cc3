/** The report of `weft bench --html` as a browser shows it, beside its JSON. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { BenchReport } from '../../lib/bench/report.ts';
import { until } from '../../lib/lab/until.ts';
import { curvePlots } from '../../lib/report/curves.ts';
import { figure } from '../../lib/report/numbers.ts';
import { reportPage } from '../../lib/report/page.ts';
import { rowsOf } from '../../lib/report/rows.ts';
import { axe, type Visit, withPage } from '../browser.ts';
import { PATIENCE_MS } from '../patience.ts';
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

/** Not by page.waitForFunction, whose eval the page's policy refuses. */
async function whenTrue(t: ExecutionContext, page: Page, expression: string): Promise<void> {
  t.true(await until(async () => (await page.evaluate(expression)) === true, PATIENCE_MS), expression);
}

interface Bar {
  readonly name: string;
  readonly value: string;
  /** Places of the rectangles, 0 to 1 of the axis. */
  readonly parts: readonly (readonly [from: number, to: number, height: number])[];
  readonly dots: number;
  readonly hollow: number;
}

/** The rows of a figure's bars, and the number at the end of its axis. */
async function barsOf(page: Page, id: string): Promise<{ readonly bars: readonly Bar[]; readonly top: number }> {
  return (await page.evaluate(`(() => {
    const figure = document.getElementById('${id}');
    const top = Number([...figure.querySelectorAll('.axis text')].at(-1).textContent.replaceAll(',', ''));
    const bars = [...figure.querySelectorAll('.bar:not(.axis)')].map((row) => {
      const track = row.querySelector('svg').getBoundingClientRect();
      return {
        name: row.querySelector('.name').textContent,
        value: row.querySelector('.value').textContent,
        parts: [...row.querySelectorAll('rect')].map((rect) => {
          const { left, right, height } = rect.getBoundingClientRect();
          return [(left - track.left) / track.width, (right - track.left) / track.width, height];
        }),
        dots: row.querySelectorAll('.dot').length,
        hollow: row.querySelectorAll('.hollow').length,
      };
    });
    return { bars, top };
  })()`)) as { bars: Bar[]; top: number };
}

/** A pixel or two of an axis of 600. */
const NEAR = 0.003;

function near(t: ExecutionContext, actual: number | undefined, expected: number, what: string): void {
  t.true(actual !== undefined && Math.abs(actual - expected) < NEAR, `${what}: ${actual}, not ${expected}`);
}

/** Bars, spread and dots of throughput. */
async function checkThroughput(t: ExecutionContext, page: Page, report: BenchReport): Promise<void> {
  for (const name of ['tcp1', 'tcp4', 'tcp16']) {
    const rows = rowsOf(report, { test: name, metric: 'throughput' });
    const { bars, top } = await barsOf(page, name);
    t.true(top >= Math.max(...rows.map(({ max }) => max)));
    t.deepEqual(
      bars.map((bar) => `${bar.name} ${bar.value} ${bar.dots} ${bar.hollow}`),
      rows.map((row) => `${row.path} ${figure(row.median)} ${row.samples.length} ${row.outliers.length}`),
    );
    for (const [index, { parts }] of bars.entries())
      near(t, parts[0]?.[1], (rows[index]?.median ?? 0) / top, `${name} ${index}`);
  }
}

/** Stages, stacked, in the order of a turn. */
async function checkStages(t: ExecutionContext, page: Page, report: BenchReport): Promise<void> {
  const rows = (report.stages ?? []).filter((row) => row.setting === 'free' && row.test === 'tcp1');
  const { bars, top } = await barsOf(page, 'stages-tcp1');
  const ends = new Set(rows.map(({ side, path }) => `${side} ${path}`));
  t.is(bars.length, ends.size);
  const [first] = bars;
  const stages = rows.filter(({ side, path }) => side === 'sender' && path === first?.name);
  t.is(first?.parts.length, 4);
  let sum = 0;
  for (const [index, { median }] of stages.entries()) {
    near(t, first?.parts[index]?.[0], sum / top, `stage ${index}`);
    sum += median;
    near(t, first?.parts[index]?.[1], sum / top, `stage ${index}`);
  }
  t.is(first?.value, figure(sum));
}

/** Each bucket that holds an echo is a column, the fullest the highest. */
async function checkLatencies(t: ExecutionContext, page: Page, report: BenchReport): Promise<void> {
  const { bars } = await barsOf(page, 'distribution');
  t.is(bars.length, report.latencies?.length ?? 0);
  const row = report.latencies?.find(({ test: name, path }) => name === 'rtt' && path === bars[0]?.name);
  const counts = row?.counts.filter((count) => count > 0) ?? [];
  t.is(bars[0]?.parts.length, counts.length);
  const heights = bars[0]?.parts.map(([, , height]) => height) ?? [];
  const most = Math.max(...counts);
  for (const [index, count] of counts.entries())
    t.true(Math.abs((heights[index] ?? 0) / Math.max(...heights) - count / most) < 0.03, `bucket ${index}`);
}

/** What uPlot has, against what lib/report/curves.ts says; and where it draws it. */
async function checkCurves(t: ExecutionContext, page: Page, report: BenchReport): Promise<void> {
  const plots = curvePlots(report);
  t.is(await page.locator('[data-curve]').count(), plots.length);
  for (const { id, curves } of plots) {
    const drawn = (await page.evaluate(`(() => {
      const { data, scales, bbox, valToPos } = document.querySelector('[data-curve="${id}"]').uplot;
      const ys = data.slice(1).flat().filter((y) => y !== null);
      return { data, top: scales.y.max, height: bbox.height, places: ys.map((y) => valToPos(y, 'y', true) - bbox.top) };
    })()`)) as { data: (number | null)[][]; top: number; height: number; places: number[] };
    const [xs = [], ...series] = drawn.data;
    t.is(series.length, curves.length, id);
    for (const [index, { points }] of curves.entries())
      t.deepEqual(
        series[index]?.flatMap((y, k) => (y === null ? [] : [[xs[k], y]])),
        points.map(({ at, y }) => [at, y]),
        id,
      );
    for (const point of curves.flatMap(({ points }) => points)) t.true(point.max <= drawn.top, id);
    for (const place of drawn.places) t.true(place >= 0 && place <= drawn.height, `${id}: ${place} of ${drawn.height}`);
  }
}

test('a full run: what is drawn is what its JSON says, in light and dark nothing is unreadable, and it is small', async (t) => {
  const report = fullReport();
  t.true(Buffer.byteLength(reportPage(report, ASSETS)) < 2_000_000);
  for (const colorScheme of ['light', 'dark'] as const)
    await withReport(t, report, { colorScheme }, async ({ page }) => {
      await checkThroughput(t, page, report);
      await checkStages(t, page, report);
      await checkLatencies(t, page, report);
      await checkCurves(t, page, report);
      t.deepEqual(await axe(page), []);
    });
});

test('on a phone nothing is wider than it; on paper tables are open, colours light and plots within the page', async (t) => {
  const report = fullReport();
  await withReport(t, report, { viewport: { width: 390, height: 800 }, colorScheme: 'dark' }, async ({ page }) => {
    t.is(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await checkThroughput(t, page, report);
    await page.setViewportSize({ width: 1000, height: 800 });
    await whenTrue(t, page, `document.querySelector('[data-curve=packet-rate]').uplot.width > 600`);
    await page.setViewportSize({ width: 700, height: 900 });
    await page.emulateMedia({ media: 'print' });
    await whenTrue(t, page, `[...document.querySelectorAll('details')].every((details) => details.open)`);
    await whenTrue(t, page, `document.querySelector('[data-curve=packet-rate]').uplot.width === 640`);
    t.is(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    t.is(await page.evaluate('document.documentElement.scrollWidth'), 700);
    await page.emulateMedia({ media: 'screen' });
    await whenTrue(t, page, `[...document.querySelectorAll('details')].every((details) => !details.open)`);
  });
});

test('with the keyboard: from the contents to a section, and its tables open', async (t) => {
  await withReport(t, fullReport(), {}, async ({ page }) => {
    const focused = (): Promise<unknown> => page.evaluate('document.activeElement.textContent');
    for (let presses = 0; (await focused()) !== 'Thresholds' && presses < 100; presses++)
      await page.keyboard.press('Tab');
    t.is(await focused(), 'Thresholds');
    await page.keyboard.press('Enter');
    await whenTrue(t, page, `location.hash === '#thresholds'`);
    await page.locator('#tcp1 summary').focus();
    await page.keyboard.press('Enter');
    t.true(await page.locator('#tcp1 table').isVisible());
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
