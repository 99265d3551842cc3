import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { BenchReport } from '../../lib/bench/report.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// How a run of `weft bench` ends that is not let to its end, or cannot begin.

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

const ENDLESS = ['bench', '--json', '--rounds', '100000', '--seconds', '1', '--tests', 'tcp1', '--settings', 'free'];

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  netnsTest(`after ${signal} a benchmark reports what it measured, and leaves nothing behind`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const page = join(directory, 'report.html');
    const { child, outcome, progress } = start([...ENDLESS, '--paths', 'direct,kernel-vxlan', '--html', page]);
    // In the middle of a measurement, which then fails: that is no news.
    const underWay = await until(() => /kernel-vxlan {2}[\d.]+ Gb/.test(progress()), PATIENCE_MS);
    child.kill(signal);
    const { code, signal: by, stdout, stderr, pid } = await outcome;
    t.true(underWay, stderr);
    t.is(by, signal, `exit code ${code}: ${stderr}`);
    const report = JSON.parse(stdout) as BenchReport;
    t.is(report.interrupted, true);
    t.true(readFileSync(page, 'utf8').includes('The run was broken off'));
    t.deepEqual(readdirSync(directory), ['report.html']);
    t.deepEqual(report.failures, []);
    t.true(report.results.some(({ path, median }) => path === 'kernel-vxlan' && median > 0));
    t.true(
      report.notMeasured.every(({ rounds }) => rounds >= 99_000),
      JSON.stringify(report.notMeasured),
    );
    t.regex(stderr, /^round 1\/100000, \d+ %, about \d+ min left {2}free tcp1 direct {2}[\d.]+ Gb\/s/m);
    t.regex(stderr, /^interrupted: the lab is being removed$/m);
    t.deepEqual(remainsOf('b', pid), []);
  });

netnsTest('a page that can no longer be written at the end: one line, and the report is not lost', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const argv = ['bench', '--rounds', '1', '--seconds', '1', '--tests', 'rtt', '--pings', '20', '--settings', 'free'];
  const page = join(directory, 'report.html');
  const { outcome, progress } = start([...argv, '--paths', 'direct', '--html', page]);
  const begun = await until(() => progress().includes('preparing'), PATIENCE_MS);
  rmSync(directory, { recursive: true });
  const { code, stdout, stderr, pid } = await outcome;
  t.true(begun, stderr);
  t.is(code, 1);
  t.regex(stderr, /Cannot write .*report\.html: ENOENT/);
  const report = JSON.parse(stdout.slice(stdout.indexOf('\n{') + 1)) as BenchReport;
  t.is(report.results[0]?.path, 'direct');
  t.deepEqual(remainsOf('b', pid), []);
});

netnsTest('a benchmark whose time is used up ends, and names what it has not measured', async (t) => {
  const { code, stdout, stderr, pid } = await start([...ENDLESS, '--paths', 'direct', '--budget', '12']).outcome;
  t.is(code, 0, stderr);
  const report = JSON.parse(stdout) as BenchReport;
  t.deepEqual(report.budget, { seconds: 12, usedUp: true });
  t.false(report.interrupted);
  t.deepEqual(
    report.notMeasured.map(({ setting, test: name, path }) => `${setting} ${name} ${path}`),
    ['free tcp1 direct'],
  );
  t.deepEqual(remainsOf('b', pid), []);
});

for (const [what, args, env, line] of [
  [
    'a flanneld that is not there',
    ['--flanneld', '/nowhere/flanneld'],
    {},
    'weft: Cannot run flanneld: "/nowhere/flanneld" does not exist',
  ],
  [
    "flanneld's paths without one",
    ['--paths', 'flannel-udp'],
    { PATH: '/nowhere' },
    'weft: Cannot measure flannel-udp: there is no flanneld on PATH',
  ],
  [
    'iperf3 that is missing',
    ['--paths', 'direct'],
    { PATH: '/nowhere' },
    'weft: Cannot run "iperf3": it is not installed',
  ],
  [
    'etcd that is missing',
    ['--paths', 'weft-udp'],
    { PATH: '/nowhere' },
    'weft: Cannot run "etcd": it is not installed',
  ],
] as const)
  netnsTest(`${what}: one line before anything is built`, async (t) => {
    const { code, stdout, stderr } = await start(['bench', ...args], { ...process.env, ...env }).outcome;
    t.is(code, 1);
    t.is(stdout, '');
    t.is(stderr.split('\n')[0], line);
    t.true(stderr.split('\n').length <= 3, stderr);
  });
