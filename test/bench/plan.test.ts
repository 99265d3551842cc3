import test from 'ava';
import { PATHS, type Selection } from '../../lib/bench/paths.ts';
import { notMeasured, pathsOf, planRun, scalesOf, testsOf } from '../../lib/bench/plan.ts';

const ALL: Selection = { settings: undefined, paths: undefined, tests: undefined, flanneld: true };
const SOME: Selection = {
  settings: ['free', 'nic-like'],
  paths: ['direct', 'weft-udp', 'weft-ipip'],
  tests: ['tcp1', 'rtt'],
};

test('each round measures the same in another order', (t) => {
  t.deepEqual(pathsOf(ALL), PATHS);
  const plan = planRun(ALL, 3);
  const cells = (round: number) =>
    plan.filter((visit) => visit.round === round).map(({ setting, path }) => `${setting} ${path}`);
  t.deepEqual(cells(1).toSorted(), cells(2).toSorted());
  t.notDeepEqual(cells(1), cells(2));
  for (const { setting, path, tests } of plan) t.deepEqual(tests, testsOf(ALL, setting, path));
  const paths = planRun(SOME, 3)
    .filter(({ setting }) => setting === 'free')
    .map(({ path }) => path);
  const [one, two, three] = ['direct', 'weft-udp', 'weft-ipip'];
  t.is(paths.join(), [one, two, three, two, three, one, three, one, two].join());
});

test('what was planned and not tried is named, with the rounds it misses', (t) => {
  const plan = planRun(SOME, 2);
  const everything = plan.flatMap(({ tests, ...place }) => tests.map((name) => ({ ...place, test: name })));
  t.is(everything.length, 2 * 2 * 3 * 2);
  t.deepEqual(notMeasured(plan, everything), []);
  const without = everything.filter(
    ({ round, setting, path, test: name }) =>
      !(path === 'weft-ipip' && setting === 'free' && name === 'rtt') &&
      !(round === 2 && setting === 'nic-like' && path === 'direct'),
  );
  t.deepEqual(notMeasured(plan, without), [
    { setting: 'free', test: 'rtt', path: 'weft-ipip', rounds: 2 },
    { setting: 'nic-like', test: 'tcp1', path: 'direct', rounds: 1 },
    { setting: 'nic-like', test: 'rtt', path: 'direct', rounds: 1 },
  ]);
});

test('scales are measured in a run of everything, and where they are named', (t) => {
  t.deepEqual(scalesOf(ALL), ['scale-routes', 'scale-peers', 'scale-leases']);
  t.deepEqual(scalesOf({ ...ALL, quick: true }), []);
  t.deepEqual(scalesOf({ ...ALL, paths: ['direct'] }), []);
  const named: Selection = { ...ALL, tests: ['scale-peers'], quick: true };
  t.deepEqual(scalesOf(named), ['scale-peers']);
  t.deepEqual(pathsOf(named), [], 'and then no path is');
});
