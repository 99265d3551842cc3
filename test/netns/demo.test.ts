import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { DemoReport } from '../../lib/demo/run.ts';
import { BACKEND_NAMES } from '../../lib/lab/backends.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// `weft demo` as a user starts it.

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

/** The fewest claims, and some that only this backend makes. */
const CLAIMS = {
  udp: [24, 'outer ports', 'outer checksum'],
  vxlan: [27, 'vxlan header', 'inner ethernet', 'outer source ports follow the flows'],
  'host-gw': [18, "the hosts' kernels dropped none of the pods' packets", 'ttl'],
  ipip: [21, 'outer ipv4', 'inner ttl'],
} as const;

for (const backend of BACKEND_NAMES)
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
      t.is(readFileSync(capture).readUInt32LE(0), 0x0a0d0d0a);
      t.deepEqual(remainsOf('d', pid), []);
    },
  );

netnsTest('Ctrl-C in the middle of the demo ends it without a word, and with nothing left (N13)', async (t) => {
  const { child, outcome, progress } = start(['demo', '--json']);
  child.stderr?.on('data', () => {
    if (progress().includes('Capturing on')) child.kill('SIGINT');
  });
  const { signal, code, stderr, stdout, pid } = await outcome;
  t.is(signal, 'SIGINT', `${code} ${stderr}`);
  t.notRegex(stderr, /SIG|nterrupted|error|Cannot/);
  t.is(stdout, '', 'no report');
  t.deepEqual(remainsOf('d', pid), []);
});
