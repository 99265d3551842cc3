import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { aptConfiguration, aptReason, cacheFolder, mirrorAmong } from './debian.ts';

test('packages are kept outside of the checkout, where the user says', (t) => {
  t.is(cacheFolder({}), '/var/cache/weft-vms');
  t.is(cacheFolder({ XDG_CACHE_HOME: '/home/a/.cache' }), '/home/a/.cache/weft/vms');
  t.is(cacheFolder({ XDG_CACHE_HOME: '/home/a/.cache', WEFT_VMS: '/mnt/vms' }), '/mnt/vms');
  t.is(cacheFolder({ XDG_CACHE_HOME: '', WEFT_VMS: '' }), '/var/cache/weft-vms');
});

test('the mirror is the one that apt has, and no other archive', (t) => {
  const sites = [
    'https://deb.nodesource.com/node_20.x',
    'http://deb.debian.org/debian-security',
    'http://mirror/debian',
  ];
  t.is(mirrorAmong(sites.join('\n')), 'http://mirror/debian');
  t.is(mirrorAmong('http://archive.ubuntu.com/ubuntu'), 'http://deb.debian.org/debian');
});

const installed = ((): boolean => {
  try {
    execFileSync('apt-config', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

(installed ? test : test.skip)(
  'apt takes the configuration, with the way to the mirror and no hooks (skipped without apt)',
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-apt-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const dump = [
      'Acquire::http::Proxy "http://proxy:3128";',
      'DPkg::Post-Invoke:: "rm -rf /";',
      'APT::Architecture "m68k";',
    ];
    const configuration = join(folder, 'apt.conf');
    writeFileSync(configuration, aptConfiguration(folder, dump.join('\n')));
    const env = { ...process.env, APT_CONFIG: configuration };
    const seen = execFileSync('apt-config', ['dump'], { env, encoding: 'utf8' });
    t.true(seen.includes('Acquire::http::Proxy "http://proxy:3128";'));
    t.true(seen.includes(`Dir::State::lists "${folder}/lists";`));
    t.false(seen.includes('rm -rf'));
    t.false(seen.includes('m68k'));
  },
);

test('of what a failed apt wrote, the error is told', (t) => {
  const text = 'Command failed: apt-get -q update\nW: Unable to read /x\nE: Unable to locate package user-mode-linux\n';
  t.is(aptReason(text), 'Unable to locate package user-mode-linux');
  t.is(aptReason('W: Old\nIgn:1 http://deb'), 'Old');
  t.is(aptReason('spawn apt-get ENOENT'), 'spawn apt-get ENOENT');
});
