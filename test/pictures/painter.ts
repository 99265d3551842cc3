/** Pages of our own, and others', as PNG files of docs/pictures. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { WeftError } from '../../lib/error.ts';
import { BROWSER } from '../browser.ts';

/** Rejects with what the program said. */
export const start = promisify(execFile);

export const FOLDER = 'docs/pictures';
export const SCHEMES = ['light', 'dark'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Our choice: sharp on screens with two pixels to a point, and half the bytes of two. */
const SCALE = 1.5;
const WINDOW = { width: 1280, height: 800 };
/** Our choice: flat colours and text. */
const COLOURS = 128;

export class Painter {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<Painter> {
    if (BROWSER === undefined) throw new WeftError('USAGE', 'The pictures need Chromium: apt-get install chromium');
    mkdirSync(FOLDER, { recursive: true });
    return new Painter(await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] }));
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** Markup of ours, in both schemes; `name`-light.png and `name`-dark.png, as large as its element `#picture`. */
  async paint(name: string, body: string, style: string): Promise<void> {
    const theme = readFileSync('lib/page/kit/theme.css', 'utf8');
    const html = `<!doctype html><meta charset="utf-8"><style>${theme}${style}</style><div id="picture">${body}</div>`;
    await this.inBoth({ width: 1100, height: 800 }, async (page, scheme) => {
      await page.setContent(html);
      await page.locator('#picture').screenshot({ path: pathOf(name, scheme) });
      await reduce(pathOf(name, scheme));
    });
  }

  /** The window of a page that `visit` opens and brings where it should be, in both schemes. */
  async photograph(name: string, visit: (page: Page) => Promise<void>): Promise<void> {
    await this.inBoth(WINDOW, async (page, scheme) => {
      await visit(page);
      await page.screenshot({ path: pathOf(name, scheme) });
      await reduce(pathOf(name, scheme));
    });
  }

  /** One page for both schemes; `photograph` takes its window. */
  async visit(
    url: string,
    body: (page: Page, photograph: (name: string) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const context = await this.#browser.newContext({ viewport: WINDOW, deviceScaleFactor: SCALE });
    const page = await context.newPage();
    await page.goto(url);
    await body(page, async (name) => {
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        // What is drawn on a canvas is drawn anew, with the next figures at the latest.
        await delay(1500);
        await page.screenshot({ path: pathOf(name, colorScheme) });
        await reduce(pathOf(name, colorScheme));
      }
    });
    await context.close();
  }

  private async inBoth(
    viewport: { readonly width: number; readonly height: number },
    body: (page: Page, scheme: Scheme) => Promise<void>,
  ): Promise<void> {
    for (const colorScheme of SCHEMES) {
      const context: BrowserContext = await this.#browser.newContext({
        viewport,
        colorScheme,
        deviceScaleFactor: SCALE,
      });
      await body(await context.newPage(), colorScheme);
      await context.close();
    }
  }
}

export function pathOf(name: string, scheme: Scheme): string {
  return `${FOLDER}/${name}-${scheme}.png`;
}

/** In place; ImageMagick. */
export async function reduce(path: string): Promise<void> {
  await start('convert', [path, '-strip', '-dither', 'None', '-colors', String(COLOURS), `png8:${path}`]);
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
