/** A page in a headless Chromium, Debian's, as its reader sees it: what it draws, asks for, and complains about. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { PATIENCE_MS } from './patience.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Where the browser is; undefined: there is none. Tests that need one skip then, but not in CI, where bin/setup brings one. */
export const BROWSER: string | undefined = NAMES.map(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim() || undefined,
).find((path) => path !== undefined);

export interface Visit {
  readonly page: Page;
  /** All that the page asked for, by URL. */
  readonly requests: readonly string[];
  /** What it wrote on the console as errors and warnings, and what it threw. */
  readonly complaints: readonly string[];
}

/** Opens an empty page, and closes browser and page however `body` ends. */
export async function withPage(
  t: ExecutionContext,
  options: BrowserContextOptions,
  body: (visit: Visit) => Promise<void>,
): Promise<void> {
  if (BROWSER === undefined) {
    if (process.env.CI !== undefined) t.fail('CI has to open the pages, and there is no Chromium');
    t.log('skipped: there is no Chromium (Debian: apt-get install chromium)');
    t.pass();
    return;
  }
  const browser = await launch(BROWSER);
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await body({ page, requests, complaints });
  } finally {
    await browser.close();
  }
}

/** Tests run as root, whom its sandbox refuses. */
function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: PATIENCE_MS });
}

/** What axe finds wrong with the page as it is now: contrast, names, order. One line each; empty is good. */
export async function axe(page: Page): Promise<string[]> {
  // Not as a script element, which a page's policy refuses.
  await page.evaluate(readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; help: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} (${help}) at ${target.join(' ')}: ${failureSummary}`),
  );
}
