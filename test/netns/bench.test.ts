import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Metric, TestName } from '../../lib/bench/matrix.ts';
import { PATHS, setupOf } from '../../lib/bench/paths.ts';
import { type BenchReport, findRow } from '../../lib/bench/report.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// `weft bench` as a user starts it.

const WEFTD = fileURLToPath(new URL('../../../bin/weftd', import.meta.url));

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

/** Seconds: others run on this machine meanwhile, and what they take is no result. */
const UNHURRIED = '100000';
const ENDLESS = ['bench', '--json', '--rounds', '100000', '--seconds', '1', '--tests', 'tcp1', '--settings', 'free'];

netnsTest('a short benchmark measures every path and leaves nothing behind', async (t) => {
  const { code, stdout, stderr, pid } = await start([
    'bench',
    '--json',
    '--quick',
    '--budget',
    UNHURRIED,
    '--settings',
    'free',
    '--tests',
    'tcp1',
  ]).outcome;
  t.is(code, 0, stderr);
  const report = JSON.parse(stdout) as BenchReport;
  t.deepEqual(report.failures, []);
  const measured = report.results.filter(({ metric }) => metric === 'throughput');
  t.deepEqual(
    measured.map(({ path }) => path),
    PATHS.filter((path) => setupOf(path).kind !== 'flannel' || measured.some((row) => row.path === path)),
  );
  for (const row of measured) t.true(row.median > 0 && row.samples.length === 1, JSON.stringify(row));
  t.deepEqual(new Set(Object.values(report.fragments)), new Set([0]));
  t.is(report.method.congestionControl, 'cubic');
  // Two each of udp, vxlan, ipip, host-gw and the segment, one beside a kernel's VXLAN.
  t.is(report.daemon?.readySeconds.length, 11);
  for (const path of ['weft-udp-off', 'weft-vxlan-off', 'kernel-to-weft-off'] as const)
    t.deepEqual(
      report.offloads[path]?.filter(({ active }) => active),
      [],
    );
  t.true((report.storm?.offered ?? 0) >= 10_000, JSON.stringify(report.storm));
  t.true((report.storm?.limited ?? 0) > 0, JSON.stringify(report.storm));
  t.deepEqual(remainsOf('b', pid), []);
});

netnsTest('a benchmark of some paths measures them by all that was asked for', async (t) => {
  const paths = ['direct', 'weft-udp', 'weft-vxlan', 'weft-ipip'];
  const selection = ['--settings', 'one-core,nic-like', '--tests', 'udp64,rtt', '--paths', paths.join()];
  const { code, stdout, stderr, pid } = await start(['bench', '--json', '--quick', '--budget', UNHURRIED, ...selection])
    .outcome;
  t.is(code, 0, stderr);
  const report = JSON.parse(stdout) as BenchReport;
  t.deepEqual(report.failures, []);
  const measured = report.results.filter(({ metric }) => ['rate', 'p50'].includes(metric));
  t.is(measured.length, 2 * 2 * paths.length, JSON.stringify(measured));
  for (const row of measured) t.true(row.median > 0 && row.samples.length === 1, JSON.stringify(row));
  const judged = report.thresholds.filter(({ state }) => state !== 'not measured');
  t.is(judged.length, 4, 'lookups, start and memory');
  t.deepEqual(remainsOf('b', pid), []);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  netnsTest(`after ${signal} a benchmark reports what it measured, and leaves nothing behind`, async (t) => {
    const { child, outcome, progress } = start([...ENDLESS, '--paths', 'direct,kernel-vxlan']);
    // In the middle of a measurement, which then fails: that is no news.
    const underWay = await until(() => /kernel-vxlan {2}[\d.]+ Gb/.test(progress()), PATIENCE_MS);
    child.kill(signal);
    const { code, signal: by, stdout, stderr, pid } = await outcome;
    t.true(underWay, stderr);
    t.is(by, signal, `exit code ${code}: ${stderr}`);
    const report = JSON.parse(stdout) as BenchReport;
    t.is(report.interrupted, true);
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

netnsTest(
  'packets of every size, both directions at once and round trips beside a stream are measured, with CPU time apart',
  async (t) => {
    const tests = 'tcp16,bidir,udp256,udp1450,rtt-half,rtt-full';
    const selection = ['--settings', 'free', '--tests', tests, '--paths', 'kernel-vxlan,weft-udp'];
    const { code, stdout, stderr } = await start(['bench', '--json', '--quick', '--budget', UNHURRIED, ...selection])
      .outcome;
    t.is(code, 0, stderr);
    const report = JSON.parse(stdout) as BenchReport;
    t.deepEqual(report.failures, []);
    const found = (name: TestName, metric: Metric) =>
      findRow(report.results, 'free', name, metric, 'weft-udp')?.median ?? Number.NaN;
    for (const name of ['udp256', 'udp1450'] as const) t.true(found(name, 'rate') > 0, name);
    for (const name of ['rtt-half', 'rtt-full'] as const)
      t.true(found(name, 'p50') > 0 && found(name, 'load') > 0, name);
    const [both, back] = [found('bidir', 'throughput'), found('bidir', 'back')];
    t.true(back > 0 && both > back, `${back} of ${both} Gb/s came back`);
    for (const kind of ['machine', 'daemon'] as const) {
      const [all, user, kernel] = [
        found('tcp16', `${kind}Cpu`),
        found('tcp16', `${kind}User`),
        found('tcp16', `${kind}Kernel`),
      ];
      t.true(
        user > 0 && kernel > 0 && Math.abs(user + kernel - all) < 1e-6,
        `${kind}: ${user} and ${kernel} of ${all}`,
      );
    }
    t.is(findRow(report.results, 'free', 'tcp16', 'daemonCpu', 'kernel-vxlan'), undefined);
    t.deepEqual(new Set(Object.values(report.fragments)), new Set([0]), 'no packet was too large for a path');
  },
);

netnsTest('scales are measured with leases of nodes that do not exist', async (t) => {
  const tests = 'scale-routes,scale-peers,scale-leases';
  const { code, stdout, stderr, pid } = await start([
    'bench',
    '--json',
    '--quick',
    '--budget',
    UNHURRIED,
    '--tests',
    tests,
  ]).outcome;
  t.is(code, 0, stderr);
  const { failures, scale, results } = JSON.parse(stdout) as BenchReport;
  t.deepEqual(failures, []);
  t.deepEqual(results, []);
  t.deepEqual(
    scale.routes.map(({ routes }) => routes),
    [2, 100, 10_000, 100_000],
  );
  t.deepEqual(
    scale.peers.map(({ peers }) => peers),
    [2, 100, 1000],
  );
  for (const point of scale.peers)
    t.true(point.packetsPerSecond > 0 && point.residentBytes > 1e7 && point.knownSeconds > 0, JSON.stringify(point));
  t.deepEqual(
    scale.leases.map(({ perSecond, leases }) => [perSecond, leases]),
    [
      [0, 0],
      [100, 300],
      [1000, 3000],
    ],
  );
  for (const point of scale.leases) t.true(point.gigabitsPerSecond > 0, JSON.stringify(point));
  t.deepEqual(remainsOf('b', pid), []);
});

/** A drop-in takes the same flags: a program that becomes weftd stands for flanneld, with files of its own. */
function standInForFlanneld(): { readonly file: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'weft-flanneld-'));
  const file = join(folder, 'flanneld');
  const own = `own=$(mktemp -d ${folder}/XXXXXX)`;
  const flags = '--control-socket=$own/weft.sock --state-dir=$own';
  writeFileSync(file, `#!/bin/sh\n${own}\nexec ${process.execPath} ${WEFTD} ${flags} "$@"\n`);
  chmodSync(file, 0o755);
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

netnsTest('where there is a flanneld, it is measured beside the others', async (t) => {
  const { file, remove } = standInForFlanneld();
  t.teardown(remove);
  const selection = [
    '--settings',
    'free,one-core',
    '--tests',
    'tcp1,rtt',
    '--paths',
    'weft-udp,flannel-udp,flannel-vxlan',
  ];
  const args = ['bench', '--json', '--quick', '--budget', UNHURRIED, '--flanneld', file, ...selection];
  const { code, stdout, stderr, pid } = await start(args).outcome;
  t.is(code, 0, stderr);
  const report = JSON.parse(stdout) as BenchReport;
  t.deepEqual(report.failures, []);
  for (const path of ['flannel-udp', 'flannel-vxlan'] as const) {
    for (const setting of ['free', 'one-core'] as const) {
      t.true((findRow(report.results, setting, 'tcp1', 'throughput', path)?.median ?? 0) > 0, `${setting} ${path}`);
      t.true((findRow(report.results, setting, 'rtt', 'p50', path)?.median ?? 0) > 0, `${setting} ${path}`);
    }
    t.true((report.daemon?.residentBytesOf[path] ?? 0) > 1e7, 'memory is read of what flanneld is');
  }
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
