import { spawnSync } from 'node:child_process';
import test from 'ava';
import { fitText } from '../lib/fit-text.ts';

test('paragraphs are filled anew, options go on under their text, short lines stay (N10)', (t) => {
  t.is(
    fitText(
      'one two three four five six\nseven\n\n  -a, --all  what it is about here\n    \tsome more words follow\nshort\n',
      22,
    ),
    'one two three four\nfive six seven\n\n  -a, --all  what it is about\n             here\n    \tsome more words\n    \tfollow\nshort\n',
  );
  t.is(
    fitText('  --list  aaaaaaaaaa,bbbbbbbbbb,cccccccccc', 31),
    '  --list  aaaaaaaaaa,\n          bbbbbbbbbb,cccccccccc',
  );
  t.is(fitText('of 45,000 frames and of 74,540', 27), 'of 45,000 frames and of\n74,540', 'a number is one word');
  t.is(fitText('short\nlines\n', 80), 'short\nlines\n');
});

const COMMANDS = ['', 'status', 'peers', 'routes', 'fdb', 'neigh', 'stats', 'ping', 'demo', 'bench', 'lab'];
const LAB_COMMANDS = ['up', 'down', 'show', 'exec', 'list'].map((name) => `lab ${name}`);

for (const [program, command] of [
  ['weftd', ''] as const,
  ...[...COMMANDS, ...LAB_COMMANDS].map((name) => ['weft', name] as const),
])
  test(`the help of ${program} ${command} fits 80 columns (N10)`, (t) => {
    const argv = [`bin/${program}`, ...command.split(' ').filter((word) => word !== ''), '--help'];
    const { status, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    t.is(status, 0);
    t.true(stdout.length > 100);
    t.deepEqual(
      stdout.split('\n').filter((line) => line.replaceAll('    \t', '        ').length > 80),
      [],
    );
  });
