/** The colours that all pages share, as a browser shows them. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { axe, withPage } from '../browser.ts';

const CSS = readFileSync('lib/page/kit/theme.css', 'utf8');
/** Text in every colour that text has, on both grounds. */
const COLOURS = [
  'text',
  'muted',
  'accent',
  'bad',
  'warn',
  'good',
  ...Array.from({ length: 8 }, (_, k) => `series-${k + 1}`),
];
const TEXTS = COLOURS.flatMap((colour) =>
  ['ground', 'panel'].map((ground) => `<p style="color: var(--${colour}); background: var(--${ground})">${colour}</p>`),
).join('');
const HTML = `<!doctype html><html lang="en"><title>Colours</title><style>${CSS}</style><main><h1>Colours</h1>${TEXTS}</main></html>`;

for (const colorScheme of ['light', 'dark'] as const)
  test(`every colour of the theme can be read on both grounds: ${colorScheme}`, async (t) => {
    await withPage(t, { colorScheme }, async ({ page, complaints }) => {
      await page.setContent(HTML);
      t.deepEqual(await axe(page), []);
      t.deepEqual(complaints, []);
    });
  });
