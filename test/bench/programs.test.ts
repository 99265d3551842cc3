import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Selection } from '../../lib/bench/paths.ts';
import { planRun } from '../../lib/bench/plan.ts';
import { checkFlanneld, findProgram, programsOf, requirePrograms } from '../../lib/bench/programs.ts';

const NOTHING: Selection = { settings: undefined, paths: undefined, tests: undefined };

test('a run asks for what it needs and no more', (t) => {
  const needed = (more: Partial<Selection>, scales = false) => programsOf(planRun({ ...NOTHING, ...more }, 1), scales);
  t.deepEqual(needed({}), ['ip', 'tc', 'ethtool', 'etcd', 'etcdctl', 'iperf3', 'ping']);
  t.deepEqual(needed({ paths: ['direct'], tests: ['udp64'] }), ['ip', 'tc', 'ethtool']);
  t.deepEqual(needed({ paths: ['direct'], tests: ['rtt'] }), ['ip', 'tc', 'ethtool', 'ping']);
  t.deepEqual(needed({ paths: ['kernel-vxlan'], tests: ['rtt-half'] }), ['ip', 'tc', 'ethtool', 'iperf3', 'ping']);
  t.true(needed({ tests: ['scale-peers'] }, true).includes('etcd'));
});

test('a program is found where PATH says, and what cannot be run is said', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-programs-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [program, plain, directory] = ['iperf3', 'etcd', 'ping'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(program, '');
  chmodSync(program, 0o755);
  writeFileSync(plain, '');
  mkdirSync(directory);
  const path = `/nowhere:${folder}`;
  t.is(findProgram('iperf3', path), program);
  t.is(findProgram('etcd', path), undefined);
  t.notThrows(() => requirePrograms(['iperf3'], path));
  t.throws(() => requirePrograms(['iperf3', 'etcd'], path), {
    code: 'TOOL_MISSING',
    message: 'Cannot run "etcd": it is not installed',
  });
  t.notThrows(() => checkFlanneld(program));
  const said = [`${folder}/flanneld`, plain, directory].map((file) => t.throws(() => checkFlanneld(file))?.message);
  t.deepEqual(said, [
    `Cannot run flanneld: "${folder}/flanneld" does not exist`,
    `Cannot run flanneld: "${plain}" is not executable`,
    `Cannot run flanneld: "${directory}" is not a file`,
  ]);
});
