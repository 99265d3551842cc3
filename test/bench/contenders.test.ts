import test from 'ava';
import { CONTENDERS, contenderText, isWanted, NETWORKS, pathOf, type Selection } from '../../lib/bench/contenders.ts';
import { SETTINGS, TESTS } from '../../lib/bench/matrix.ts';

const ALL: Selection = { settings: undefined, contenders: undefined, tests: undefined };

function cells(selection: Selection): string[] {
  return SETTINGS.flatMap((setting) =>
    TESTS.flatMap((test) =>
      CONTENDERS.filter((contender) => isWanted(selection, setting, test, contender)).map(
        (contender) => `${setting} ${test} ${contender}`,
      ),
    ),
  );
}

test('without a selection every contender is measured by one stream where the scheduler is free, and the main ones by all', (t) => {
  const planned = cells(ALL);
  for (const contender of CONTENDERS) t.true(planned.includes(`free tcp1 ${contender}`), contender);
  for (const contender of ['direct', 'kernel-vxlan', 'weft-udp', 'weft-vxlan'])
    for (const name of TESTS) t.true(planned.includes(`free ${name} ${contender}`));
  // What keeps a run of five rounds below a quarter of an hour: docs/performance.md.
  t.true(planned.length <= 58, String(planned.length));
});

test('a selection is measured in all combinations, but a storm only as it is planned', (t) => {
  const tests = cells({ ...ALL, tests: ['tcp4'] });
  const storms = CONTENDERS.filter((contender) => pathOf(contender).kind === 'segment');
  t.is(storms.length, 3);
  t.is(tests.length, SETTINGS.length * (CONTENDERS.length - storms.length));
  t.deepEqual(cells({ settings: ['nic-like'], contenders: ['weft-ipip', 'segment'], tests: undefined }), [
    'nic-like tcp1 weft-ipip',
    'nic-like tcp4 weft-ipip',
    'nic-like udp64 weft-ipip',
    'nic-like rtt weft-ipip',
  ]);
  t.deepEqual(cells({ ...ALL, contenders: ['segment-storm'] }), ['free tcp1 segment-storm']);
});

test('networks that are up together share neither addresses nor UDP ports', (t) => {
  const networks = Object.values(NETWORKS);
  t.is(new Set(networks.map(({ number }) => number)).size, networks.length);
  const ports = networks.flatMap(({ backend }) => ('Port' in backend ? [backend.Port] : []));
  t.is(new Set(ports).size, ports.length);
  // 4790 and VNI 42 are those of lib/lab/kernel-vxlan.ts.
  t.false((ports as number[]).includes(4790));
  for (const contender of CONTENDERS) t.true(contenderText(contender).length > 10);
});
