import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type BenchReport, findRow } from '../../lib/bench/report.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// `weft bench` beside a flanneld.

const WEFTD = fileURLToPath(new URL('../../../bin/weftd', import.meta.url));

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

/** Seconds: others run on this machine meanwhile, and what they take is no result. */
const UNHURRIED = '100000';

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
