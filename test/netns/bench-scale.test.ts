import test from 'ava';
import type { BenchReport } from '../../lib/bench/report.ts';
import { whySkipped } from './enter.ts';
import { remainsOf, start } from './weft.ts';

// What `weft bench` measures of large networks.

const netnsTest = whySkipped() === undefined ? test.serial : test.serial.skip;

/** Seconds: others run on this machine meanwhile, and what they take is no result. */
const UNHURRIED = '100000';

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
