import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { PATHS } from '../../lib/bench/paths.ts';
import type { BenchReport } from '../../lib/bench/report.ts';
import { DEMO_BACKENDS } from '../../lib/demo/backends.ts';
import type { DemoReport } from '../../lib/demo/run.ts';
import { listNamespaces } from '../../lib/lab/netns.ts';
import { whySkipped } from './enter.ts';

// `weft demo` and `weft bench` as a user starts them. Each makes labs of its own, named after its process id.

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly pid: number;
}

function start(args: readonly string[]): { child: ChildProcess; outcome: Promise<Outcome>; progress: () => string } {
  const child = spawn(process.execPath, [WEFT, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 100_000 });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const outcome = once(child, 'close').then(([code, signal]) => {
    return { code: code as number | null, signal: signal as string | null, stdout, stderr, pid: child.pid ?? 0 };
  });
  return { child, outcome, progress: () => stderr };
}

/** Namespaces and directories of the lab that a process made. */
function remainsOf(prefix: 'b' | 'd', pid: number): string[] {
  const id = `${prefix}${pid.toString(36)}`;
  const directory = join(tmpdir(), `weft-lab-${id}`);
  return [
    ...listNamespaces().filter((name) => name.split('-')[0] === id),
    ...(existsSync(directory) ? [directory] : []),
  ];
}

/** The fewest claims, and some that only this backend makes. */
const CLAIMS = {
  udp: [24, 'outer ports', 'outer checksum'],
  vxlan: [27, 'vxlan header', 'inner ethernet', 'outer source ports follow the flows'],
  'host-gw': [18, "the hosts' kernels dropped none of the pods' packets", 'ttl'],
  ipip: [21, 'outer ipv4', 'inner ttl'],
} as const;

for (const backend of DEMO_BACKENDS)
  netnsTest(
    `${backend}: the demo holds every claim it makes, writes a capture and leaves nothing else behind`,
    async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'weft-demo-test-'));
      t.teardown(() => rmSync(directory, { recursive: true }));
      const capture = join(directory, 'demo.pcapng');
      const args = ['demo', '--backend', backend, '--json', '--keep-capture', capture];
      const { code, stdout, stderr, pid } = await start(args).outcome;
      t.is(code, 0, stderr);
      const report = JSON.parse(stdout) as DemoReport;
      t.true(report.ok);
      t.is(report.backend, backend);
      const [fewest, ...own] = CLAIMS[backend];
      t.true(report.claims.length >= fewest, JSON.stringify(report.claims));
      const held = report.claims.filter(({ state }) => state === 'ok').map(({ name }) => name);
      for (const name of own) t.true(held.includes(name), name);
      t.deepEqual(
        report.claims.filter(({ state }) => state === 'FAILED'),
        [],
      );
      t.deepEqual(
        report.overhead.map(({ path }) => path),
        ['direct', 'kernel-vxlan', `weft-${backend}`],
      );
      for (const { rttP50Ms, gigabitsPerSecond } of report.overhead) t.true(rttP50Ms > 0 && gigabitsPerSecond > 0);
      t.true(report.durationSeconds < 60, String(report.durationSeconds));
      t.is(readFileSync(capture).readUInt32LE(0), 0x0a0d0d0a);
      t.deepEqual(remainsOf('d', pid), []);
    },
  );

netnsTest('Ctrl-C in the middle of the demo ends it with nothing left', async (t) => {
  const { child, outcome, progress } = start(['demo', '--json']);
  child.stderr?.on('data', () => {
    if (progress().includes('Capturing on')) child.kill('SIGINT');
  });
  const { signal, code, stderr, stdout, pid } = await outcome;
  t.true(signal === 'SIGINT' || code === 1, `${code} ${signal} ${stderr}`);
  t.is(stdout, '', 'no report');
  t.deepEqual(remainsOf('d', pid), []);
});

netnsTest('a short benchmark measures every path and leaves nothing behind', async (t) => {
  const { code, stdout, stderr, pid } = await start([
    'bench',
    '--json',
    '--quick',
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
    PATHS,
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
  const { code, stdout, stderr, pid } = await start(['bench', '--json', '--quick', ...selection]).outcome;
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
