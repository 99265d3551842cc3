import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fullReport } from '../../report/full-report.ts';
import { run } from '../run.ts';

test('the former name of --paths is still taken, and no longer listed', async (t) => {
  const { stdout } = await run('weft', ['bench', '--help']);
  t.true(stdout.includes('--paths <list>'));
  t.false(stdout.includes('--contenders'));
  // Options are read before root is asked for.
  for (const option of ['--paths', '--contenders'])
    t.like(await run('weft', ['bench', option, 'direct,by-air']), { code: 2, stdout: '' });
  const { stderr } = await run('weft', ['bench', '--contenders', 'by-air']);
  t.true(stderr.includes('"by-air" is not one of direct,'), stderr);
});

async function inDirectory(t: ExecutionContext, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  await body(directory);
}

test('--read makes the page of an earlier run, also of one that was broken off, and leaves nothing beside it', async (t) => {
  await inDirectory(t, async (directory) => {
    const [json, html] = [join(directory, 'r.json'), join(directory, 'r.html')];
    writeFileSync(
      json,
      JSON.stringify({ ...fullReport(), interrupted: true, results: [], estimate: null, daemon: null }),
    );
    writeFileSync(html, 'an earlier one');
    t.like(await run('weft', ['bench', '--read', json, '--html', html]), { code: 0, stdout: '', stderr: '' });
    t.regex(readFileSync(html, 'utf8'), /^<!doctype html>.*The run was broken off.*<\/html>\n$/s);
    t.deepEqual(readdirSync(directory).toSorted(), ['r.html', 'r.json']);
    // As long as a name may be: what it is written as before has room, too.
    const long = join(directory, `${'é'.repeat(125)}.html`);
    t.like(await run('weft', ['bench', '--read', json, '--html', long]), { code: 0, stderr: '' });
  });
});

test('a report that is none, a place that cannot be written, and options of a run: one line each, and no stack', async (t) => {
  await inDirectory(t, async (directory) => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const good = file('good.json', JSON.stringify(fullReport()));
    const cases: readonly [string[], RegExp][] = [
      [['--read', join(directory, 'none.json'), '--html', 'x'], /Cannot read .*none\.json: ENOENT/],
      [['--read', file('a.json', 'Gb/s'), '--html', 'x'], /a\.json is no report of weft bench: it is not JSON/],
      [['--read', file('b.json', '{"schema":"weft-bench-far/1"}'), '--html', 'x'], /its schema is weft-bench-far\/1/],
      [['--read', good, '--html', join(directory, 'no', 'r.html')], /Cannot write .*r\.html: ENOENT/],
      [['--read', good, '--html', directory], /Cannot write .*: EISDIR/],
      [['--read', good], /--read needs --html/],
      [['--read', good, '--html', 'x', '--rounds', '2'], /--read measures nothing/],
      [['--peer', '192.0.2.1', '--html', 'x'], /--html is of the lab/],
    ];
    for (const [argv, message] of cases) {
      const { code, stdout, stderr } = await run('weft', ['bench', ...argv]);
      t.not(code, 0, argv.join(' '));
      t.is(stdout, '');
      t.regex(stderr, message);
      t.notRegex(stderr, /\n {4}at /);
    }
  });
});
