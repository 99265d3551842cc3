import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ownName } from '../../lib/cli/own-name.ts';

test('a program is called by its name where the shell finds it, else by its path', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-own-name-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const program = join(folder, 'weft');
  writeFileSync(program, '');
  chmodSync(program, 0o755);
  t.is(ownName('/opt/weft/bin/weft', `/nonexistent:${folder}`, '/'), 'weft');
  t.is(ownName('/opt/weft/bin/weft', '', '/opt/weft'), 'bin/weft');
  t.is(ownName('/opt/weft/bin/weft', '/nonexistent', '/opt/weft/bin'), './weft');
  t.is(ownName('/opt/weft/bin/weft', '/nonexistent', '/home/ann'), '/opt/weft/bin/weft');
});
