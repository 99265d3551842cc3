/**
 * Which lines of lib/ the tests run: `node dist/test/coverage.js [unit|netns|all] [part of a path]`, unit unless said otherwise.
 *
 * V8 counts in every process and thread that the tests start and that ends by itself; c8 maps the counts to the sources. The
 * table has a line for each folder, dist/coverage/index.html one for each line of code. It is a report and no gate: the
 * exit code is that of the tests. WebAssembly is not counted; the packet code has its twins (docs/adr/0009-test-tiers.md).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Report } from 'c8';

const ROOT = join(fileURLToPath(import.meta.url), '../../..');
const REPORT = join(ROOT, 'dist/coverage');
const COUNTS = join(REPORT, 'counts');

/** Of coverage-summary.json: what it says of a file. */
interface Summary {
  readonly lines: { readonly total: number; readonly covered: number };
}

process.exitCode = await main(process.argv.slice(2));

async function main([kind = 'unit', ...part]: readonly string[]): Promise<number> {
  rmSync(REPORT, { recursive: true, force: true });
  const env = { ...process.env, NODE_V8_COVERAGE: COUNTS };
  const tests = spawnSync(process.execPath, ['dist/test/run.js', kind, ...part], { cwd: ROOT, stdio: 'inherit', env });
  const options = {
    tempDirectory: COUNTS,
    reportsDirectory: REPORT,
    reporter: ['json-summary', 'html'],
    // Files that no test loads, too.
    all: true,
    src: [join(ROOT, 'lib')],
    include: ['lib/**'],
    exclude: ['lib/fastpath/assembly/**', '**/*.d.ts', ...filesOfTypes()],
    excludeAfterRemap: true,
    // One report after the other: all at once take more memory than Node.js has.
    mergeAsync: true,
  };
  await new Report(options).run();
  printTable(JSON.parse(readFileSync(join(REPORT, 'coverage-summary.json'), 'utf8')));
  return tests.status ?? 1;
}

/** Sources of which nothing is left to run. */
function filesOfTypes(): string[] {
  return readdirSync(join(ROOT, 'dist/lib'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .filter((path) => {
      const code = readFileSync(join(ROOT, 'dist/lib', path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      return code.trim() === 'export {};';
    })
    .map((path) => join('lib', path.replace(/\.js$/, '.ts')));
}

function printTable(summary: Readonly<Record<string, Summary>>): void {
  const folders = new Map<string, { total: number; covered: number; unloaded: number }>();
  for (const [path, { lines }] of Object.entries(summary)) {
    const name = path === 'total' ? 'total' : dirname(relative(ROOT, path));
    const folder = folders.get(name) ?? { total: 0, covered: 0, unloaded: 0 };
    folder.total += lines.total;
    folder.covered += lines.covered;
    if (lines.covered === 0) folder.unloaded += 1;
    folders.set(name, folder);
  }
  const print = (name: string, lines: string, covered: string, unloaded: string) =>
    process.stdout.write(`${name.padEnd(32)} ${lines.padStart(6)} ${covered.padStart(8)}  ${unloaded}\n`);
  print('\nfolder', 'lines', 'run', 'files never loaded');
  // In alphabetical order, and so "total" is last.
  for (const [name, { total, covered, unloaded }] of [...folders].sort(([a], [b]) => (a < b ? -1 : 1)))
    print(name, `${total}`, `${((100 * covered) / total).toFixed(1)} %`, unloaded === 0 ? '' : `${unloaded}`);
}
