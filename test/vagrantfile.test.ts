import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { heredoc, podScript, provisionScript } from './vagrantfile.ts';

const run = promisify(execFile);
const installed = (program: string) => spawnSync(program, ['--version']).error === undefined;

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-vagrant-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

(installed('vagrant') ? test : test.skip)('vagrant accepts the Vagrantfile (skipped without vagrant)', async (t) => {
  const directory = await scratch(t);
  const { stdout } = await run('vagrant', ['validate', '--ignore-provider'], {
    env: { ...process.env, VAGRANT_HOME: join(directory, 'home'), VAGRANT_DOTFILE_PATH: join(directory, 'dot') },
  });
  t.regex(stdout, /validated successfully/);
});

test('the provisioning script and the pod script in it are valid shell', async (t) => {
  for (const text of [provisionScript(), podScript()]) {
    t.true(text.startsWith('#!/bin/sh\n'));
    const shell = run('sh', ['-n']);
    shell.child.stdin?.end(text);
    await t.notThrowsAsync(shell);
  }
});

(installed('systemd-analyze') ? test : test.skip)('systemd accepts the unit (skipped without systemd)', async (t) => {
  const unit = heredoc(provisionScript(), "weftd.service <<'EOF'", 'EOF');
  const path = join(await scratch(t), 'weftd.service');
  await writeFile(path, unit);
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', path]);
  t.is(stderr, '');
});

test('packages come without what they recommend, in Vagrantfile and set-up (N15)', (t) => {
  for (const file of ['Vagrantfile', 'bin/setup']) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const installs = lines.filter((line) => /^(?!\s*#).*apt-get .*-y.* install /.test(line));
    t.true(installs.length > 0, file);
    t.deepEqual(
      installs.filter((line) => !line.includes('--no-install-recommends')),
      [],
      file,
    );
  }
});

/** The words behind `install` in lines of apt-get, and the second column of the table in bin/setup. */
function packagesToInstall(): string[] {
  const vagrantfile = readFileSync('Vagrantfile', 'utf8');
  const named = [...vagrantfile.matchAll(/^(?!\s*#).*apt-get .*-y.* install (.*)$/gm)].flatMap(([, names]) =>
    names!.split(' '),
  );
  const setup = readFileSync('bin/setup', 'utf8');
  return [...named, ...[...heredoc(setup, "<<'EOT'", 'EOT').matchAll(/^\S+ (\S+)$/gm)].map(([, name]) => name!)];
}

const knowsPackages = spawnSync('apt-cache', ['show', 'bash']).status === 0;

(knowsPackages ? test : test.skip)(
  "packages have the names of this Debian (skipped without apt's lists) (N15)",
  (t) => {
    const names = packagesToInstall();
    t.true(names.includes('nodejs') && names.includes('etcd-server'), String(names));
    const { stdout } = spawnSync('apt-cache', ['show', ...names], { encoding: 'utf8' });
    const known = new Set([...stdout.matchAll(/^Package: (.+)$/gm)].map(([, name]) => name));
    const unknown = names.filter((name) => !known.has(name));
    t.deepEqual(unknown, []);
  },
);
