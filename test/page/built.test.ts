import { readFileSync } from 'node:fs';
import test from 'ava';

const words = (text: string): string => text.replaceAll(/[\s*]+/g, ' ').trim();

test('the licence of uPlot is in both files that have its code', (t) => {
  const licence = words(readFileSync('node_modules/uplot/LICENSE', 'utf8'));
  for (const page of ['live', 'report'])
    t.true(words(readFileSync(`dist/page/${page}/main.js`, 'utf8')).includes(licence), page);
});
