import test from 'ava';
import { metricsOf, PACKET_SIZES, SETTINGS, TESTS, UNITS } from '../../lib/bench/matrix.ts';
import { isWanted, NETWORKS, PATHS, pathText, type Selection, setupOf } from '../../lib/bench/paths.ts';
import { INNER_MTU } from '../../lib/bench/pod-link.ts';

const ALL: Selection = { settings: undefined, paths: undefined, tests: undefined, flanneld: true };

function cells(selection: Selection): string[] {
  return SETTINGS.flatMap((setting) =>
    TESTS.flatMap((test) =>
      PATHS.filter((path) => isWanted(selection, setting, test, path)).map((path) => `${setting} ${test} ${path}`),
    ),
  );
}

test('without a selection every path is measured by one stream where the scheduler is free, and the main ones by all', (t) => {
  const planned = cells(ALL);
  for (const path of PATHS) t.true(planned.includes(`free tcp1 ${path}`), path);
  for (const path of ['kernel-vxlan', 'weft-udp', 'weft-vxlan'])
    for (const name of TESTS) t.true(planned.includes(`free ${name} ${path}`));
  // What keeps a run of five rounds below half an hour: docs/performance.md.
  const without = cells({ ...ALL, flanneld: false });
  t.true(without.length <= 115, String(without.length));
  t.deepEqual(
    planned.filter((cell) => !without.includes(cell)),
    planned.filter((cell) => cell.includes(' flannel-')),
    'and without flanneld all but its paths',
  );
});

test('a selection is measured in all combinations, but a storm only as it is planned', (t) => {
  const tests = cells({ ...ALL, tests: ['tcp4'] });
  const storms = PATHS.filter((path) => setupOf(path).kind === 'segment');
  t.is(storms.length, 3);
  t.is(tests.length, SETTINGS.length * (PATHS.length - storms.length));
  t.deepEqual(
    cells({ ...ALL, settings: ['nic-like'], paths: ['weft-ipip', 'segment'] }),
    TESTS.map((name) => `nic-like ${name} weft-ipip`),
  );
  t.deepEqual(cells({ ...ALL, paths: ['segment-storm'] }), ['free tcp1 segment-storm']);
});

test('networks that are up together share neither addresses nor UDP ports', (t) => {
  const networks = Object.values(NETWORKS);
  t.is(new Set(networks.map(({ number }) => number)).size, networks.length);
  const ports = networks.flatMap(({ backend }) => ('Port' in backend ? [backend.Port] : []));
  t.is(new Set(ports).size, ports.length);
  // 4790 and VNI 42 are those of lib/lab/kernel-vxlan.ts.
  t.false((ports as number[]).includes(4790));
  for (const path of PATHS) t.true(pathText(path).length > 10);
});

test('a quick run measures the main paths where the scheduler is free; a selection is measured all the same', (t) => {
  const quick = cells({ ...ALL, quick: true });
  t.true(quick.every((cell) => cell.startsWith('free ')));
  for (const path of ['direct', 'kernel-vxlan', 'weft-udp', 'weft-vxlan', 'weft-ipip', 'weft-host-gw'])
    t.true(quick.includes(`free tcp1 ${path}`), path);
  t.deepEqual(cells({ ...ALL, tests: ['rtt'], quick: true }), cells({ ...ALL, tests: ['rtt'] }));
});

test('names of tests stay, and each has figures with units', (t) => {
  for (const name of ['tcp1', 'tcp4', 'udp64', 'rtt'] as const) t.true(TESTS.includes(name));
  t.is(new Set(TESTS).size, TESTS.length);
  for (const name of TESTS)
    for (const metric of metricsOf(name)) t.is(typeof UNITS[metric], 'string', `${name} ${metric}`);
  t.is(Math.max(...Object.values(PACKET_SIZES)), INNER_MTU, 'no packet is larger than every path carries whole');
});
