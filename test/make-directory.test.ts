import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { makeDirectory } from '../lib/make-directory.ts';

test('missing directories are made, with their mode, and existing ones are left (H2)', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'weft-directory-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const path = join(root, 'a', 'b', 'c');
  await Promise.all([makeDirectory(path, 0o700), makeDirectory(path, 0o700)]);
  await makeDirectory(path, 0o755);
  t.is(statSync(path).mode & 0o777, 0o700);
  writeFileSync(join(root, 'file'), '');
  await t.throwsAsync(makeDirectory(join(root, 'file'), 0o700), { code: 'EEXIST' });
  await t.throwsAsync(makeDirectory(join(root, 'file', 'a', 'b'), 0o700), { code: 'ENOTDIR' });
});

test('where nothing can be made it ends with the error (H2)', async (t) => {
  await t.throwsAsync(makeDirectory('/proc/hx', 0o755), { code: 'ENOENT' });
  await t.throwsAsync(makeDirectory('/proc/hx/a/b', 0o755), { code: 'ENOENT' });
});
