import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Metric, TestName } from '../../lib/bench/matrix.ts';
import { PATHS, type PathName, setupOf } from '../../lib/bench/paths.ts';
import { type BenchReport, findRow } from '../../lib/bench/report.ts';
import { jsonForScript } from '../../lib/report/html.ts';
import { readReport } from '../../lib/report/read.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// `weft bench` as a user starts it.

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

/** Seconds: others run on this machine meanwhile, and what they take is no result. */
const UNHURRIED = '100000';

/** What programs read of `weft-bench/3`: a key that goes or is renamed makes it another schema. */
const KEYS =
  'budget daemon durationSeconds environment estimate failures fdb fib fragments generatorCeiling interrupted latencies method noise notMeasured offloads results scale schema stages startedAt storm thresholds'.split(
    ' ',
  );
const METHOD_KEYS =
  'congestionControl generator innerMtu maxLoss oneCoreCpu pingIntervalSeconds pings qdisc rounds rttResolutionMs smallPacketBytes tcpMss tcpOmittedSeconds tcpSeconds udpTrialSeconds underlayMtu'.split(
    ' ',
  );
const ROW_KEYS = 'deviation max median metric min outliers path ratioToKernelVxlan samples setting test unit'.split(
  ' ',
);

/** A packet costs time in each stage of the weftds that carry it, and of nobody else. */
function checkStages(t: ExecutionContext, { stages = [] }: BenchReport): void {
  const places = (path: PathName): string[] =>
    stages.filter((row) => row.path === path && row.test === 'tcp1').map(({ side, stage }) => `${side} ${stage}`);
  const receiver = ['receiver wake-up', 'receiver receive', 'receiver code', 'receiver write'];
  for (const path of ['weft-udp', 'weft-vxlan', 'weft-ipip', 'segment'] as const)
    t.deepEqual(places(path), ['sender wake-up', 'sender read', 'sender code', 'sender send', ...receiver], path);
  t.deepEqual(places('kernel-to-weft'), receiver);
  for (const path of ['direct', 'kernel-vxlan', 'plain-routing', 'weft-host-gw'] as const)
    t.deepEqual(places(path), []);
  for (const row of stages) t.true(row.median > 0, JSON.stringify(row));
}

netnsTest('a page that cannot be written is told before anything is measured', async (t) => {
  const { code, stdout, stderr } = await start(['bench', '--html', '/no/such/folder/report.html']).outcome;
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, /Cannot write \/no\/such\/folder\/report\.html: ENOENT.*\n.*Nothing has been measured/);
  t.notRegex(stderr, /preparing/);
});

netnsTest('a short benchmark measures every path and leaves nothing behind', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const page = join(directory, 'report.html');
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
    '--html',
    page,
  ]).outcome;
  t.is(code, 0, stderr);
  const report = readReport(stdout, 'standard output');
  checkStages(t, report);
  t.true(readFileSync(page, 'utf8').includes(jsonForScript(report).source), 'the page is of this report');
  t.deepEqual(Object.keys(report).toSorted(), KEYS);
  t.deepEqual(Object.keys(report.method).toSorted(), METHOD_KEYS);
  t.deepEqual(Object.keys(report.results[0] ?? {}).toSorted(), ROW_KEYS);
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
  // All echoes of a quick run that were answered.
  t.is(report.latencies?.length, 2 * paths.length);
  for (const { count, counts } of report.latencies ?? []) {
    t.true(count > 0 && count <= 100, String(count));
    t.is(
      counts.reduce((sum, bucket) => sum + bucket, 0),
      count,
    );
  }
  const judged = report.thresholds.filter(({ state }) => state !== 'not measured');
  t.is(judged.length, 4, 'lookups, start and memory');
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
