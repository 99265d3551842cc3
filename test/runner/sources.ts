import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The test sources (paths relative to `root`), sorted: what counts as a test file is decided by the sources, not by dist/. */
export function testSources(root: string): string[] {
  return filesUnder(root, 'test').filter((file) => file.endsWith('.test.ts'));
}

export const compiledPath = (source: string): string => `dist/${source.replace(/\.ts$/, '.js')}`;

/** Sources whose compiled file is missing or older, so that yesterday's code is not tested. */
export function staleSources(root: string): string[] {
  const fastpathSources = filesUnder(root, 'lib/fastpath/assembly');
  // esbuild makes one file of a page, and a style sheet.
  const pages = ['live', 'report'].map((page) => `dist/page/${page}/main.js`);
  const pageSources = filesUnder(root, 'lib/page').filter((file) => !file.endsWith('.d.ts'));
  const compiled = [...filesUnder(root, 'lib'), ...filesUnder(root, 'test')].filter(
    (file) =>
      file.endsWith('.ts') && !file.endsWith('.d.ts') && !fastpathSources.includes(file) && !pageSources.includes(file),
  );
  return [
    ...compiled.filter((file) => isOlder(root, compiledPath(file), file)),
    ...pageSources.filter((file) => pages.some((page) => isOlder(root, page, file))),
    ...fastpathSources.filter((file) => isOlder(root, 'dist/lib/fastpath/fastpath.wasm', file)),
  ];
}

function filesUnder(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

function isOlder(root: string, product: string, source: string): boolean {
  const made = statSync(join(root, product), { throwIfNoEntry: false });
  return made === undefined || made.mtimeMs < statSync(join(root, source)).mtimeMs;
}
