import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';

const run = promisify(execFile);
const installed = (program: string) => spawnSync(program, ['--version']).error === undefined;

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-vagrant-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The text between `<<~'NAME'` (or `<<'NAME'`) and NAME, with the common indentation removed as Ruby's `<<~` does. */
function heredoc(text: string, opening: string, name: string): string {
  const lines = text
    .slice(text.indexOf(opening) + opening.length)
    .split('\n')
    .slice(1);
  const body = lines.slice(
    0,
    lines.findIndex((line) => line.trim() === name),
  );
  const indent = Math.min(...body.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)));
  return `${body.map((line) => line.slice(indent)).join('\n')}\n`;
}

const provision = async () => heredoc(await readFile('Vagrantfile', 'utf8'), "<<~'PROVISION'", 'PROVISION');

(installed('vagrant') ? test : test.skip)('vagrant accepts the Vagrantfile (skipped without vagrant)', async (t) => {
  const directory = await scratch(t);
  const { stdout } = await run('vagrant', ['validate', '--ignore-provider'], {
    env: { ...process.env, VAGRANT_HOME: join(directory, 'home'), VAGRANT_DOTFILE_PATH: join(directory, 'dot') },
  });
  t.regex(stdout, /validated successfully/);
});

test('the provisioning script and the pod script in it are valid shell', async (t) => {
  const script = await provision();
  const pod = heredoc(script, "weft-pod <<'EOF'", 'EOF');
  for (const text of [script, pod]) {
    t.true(text.startsWith('#!/bin/sh\n'));
    const shell = run('sh', ['-n']);
    shell.child.stdin?.end(text);
    await t.notThrowsAsync(shell);
  }
});

(installed('systemd-analyze') ? test : test.skip)('systemd accepts the unit (skipped without systemd)', async (t) => {
  const unit = heredoc(await provision(), "weftd.service <<'EOF'", 'EOF');
  const path = join(await scratch(t), 'weftd.service');
  await writeFile(path, unit);
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', path]);
  t.is(stderr, '');
});
