import { spawnSync } from 'node:child_process';
import test from 'ava';
import { cpioArchive } from './cpio.ts';

const ENTRIES = [
  { name: 'bin', content: 'folder' },
  { name: 'bin/tool', content: { file: Buffer.from('seven b') } },
  { name: 'bin/sh', content: { link: 'tool' } },
] as const;

test('an archive is headers of 110 characters, names and contents, all on multiples of 4', (t) => {
  const bytes = Buffer.from(cpioArchive(ENTRIES));
  t.is(bytes.length % 4, 0);
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    t.is(bytes.toString('latin1', at, at + 6), '070701');
    const nameEnd = at + 110 + field(11);
    names.push(bytes.toString('latin1', at + 110, nameEnd - 1));
    const content = nameEnd + ((4 - (nameEnd % 4)) % 4);
    at = content + field(6) + ((4 - (field(6) % 4)) % 4);
  }
  t.deepEqual(names, ['bin', 'bin/tool', 'bin/sh', 'TRAILER!!!']);
});

const installed = spawnSync('cpio', ['--version']).error === undefined;

(installed ? test : test.skip)('cpio reads it (skipped without cpio)', (t) => {
  const { stdout } = spawnSync('cpio', ['-itv', '--quiet'], { input: cpioArchive(ENTRIES), encoding: 'utf8' });
  t.regex(stdout, /^drwxr-xr-x .* bin$/m);
  t.regex(stdout, /^-rwxr-xr-x .* 7 .* bin\/tool$/m);
  t.regex(stdout, /^lrwxrwxrwx .* bin\/sh -> tool$/m);
});
