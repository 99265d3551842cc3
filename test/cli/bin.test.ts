import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

for (const program of ['weft', 'weftd']) {
  test(`bin/${program} of a checkout that is not built says what to run`, (t) => {
    const checkout = mkdtempSync(join(tmpdir(), 'weft-bin-'));
    t.teardown(() => rmSync(checkout, { recursive: true }));
    for (const file of ['package.json', 'bin']) cpSync(file, join(checkout, file), { recursive: true });
    const { status, stdout, stderr } = spawnSync(join(checkout, 'bin', program), ['--help'], { encoding: 'utf8' });
    t.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    t.is(stderr, `${program}: not built yet; run \`sudo env "PATH=$PATH" npm run setup\` in ${checkout}/\n`);
  });

  test(`bin/${program} works through a link, as npm installs it`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'weft-bin-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const link = join(directory, program);
    symlinkSync(join(process.cwd(), 'bin', program), link);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    t.true(execFileSync(link, ['--version'], { encoding: 'utf8' }).trimEnd().endsWith(version));
  });
}
