import test from 'ava';
import { type Sample, type Threshold, toRows } from '../../lib/bench/report.ts';
import { judge } from '../../lib/bench/thresholds.ts';

function tcp(path: Sample['path'], throughput: number): Sample {
  return { round: 1, setting: 'free', test: 'tcp1', path, values: { throughput } };
}

const NOTHING = { results: [], fib: [], fdb: [], daemon: null };

function stateOf(thresholds: readonly Threshold[], name: RegExp): string {
  const found = thresholds.filter((threshold) => name.test(threshold.name));
  if (found.length !== 1) throw new Error(`${found.length} thresholds match ${name}`);
  return found[0]!.state;
}

test('a run that measured nothing judges nothing', (t) => {
  const thresholds = judge(NOTHING);
  t.is(thresholds.length, 23);
  t.is(new Set(thresholds.map(({ name }) => name)).size, thresholds.length, 'no two have one name');
  t.deepEqual([...new Set(thresholds.map(({ state }) => state))], ['not measured']);
});

test('each ratio is held against its limit, which itself is still good', (t) => {
  const judged = (kernel: number, auto: number, off: number) =>
    judge({
      ...NOTHING,
      results: toRows([tcp('kernel-vxlan', kernel), tcp('weft-udp', auto), tcp('weft-udp-off', off)]),
    });
  t.is(stateOf(judged(10, 5, 0.6), /free tcp1 weft-udp over kernel/), 'ok');
  t.is(stateOf(judged(10, 4.99, 0.6), /free tcp1 weft-udp over kernel/), 'MISSED');
  t.is(stateOf(judged(10, 6, 1), /weft-udp over weft-udp-off/), 'ok');
  t.is(stateOf(judged(10, 5.9, 1), /weft-udp over weft-udp-off/), 'MISSED');
  t.is(stateOf(judged(100, 50, 6), /weft-udp-off over kernel/), 'ok');
  t.is(stateOf(judged(100, 50, 5.9), /weft-udp-off over kernel/), 'MISSED');
  t.is(stateOf(judged(10, 5, 1), /one-core tcp1 weft-udp over kernel/), 'not measured');
});

test('each backend is held against what it has to keep up with, in the same run', (t) => {
  const judged = (...throughputs: readonly (readonly [Sample['path'], number])[]) =>
    judge({ ...NOTHING, results: toRows(throughputs.map(([path, value]) => tcp(path, value))) });
  const pairs: readonly (readonly [Sample['path'], Sample['path'], number])[] = [
    ['weft-vxlan', 'weft-udp', 0.95],
    ['kernel-to-weft', 'kernel-to-weft-off', 2.5],
    ['weft-ipip', 'weft-udp-off', 2],
    ['segment-storm', 'segment', 0.9],
    ['segment-storm', 'storm-aside', 0.9],
  ];
  for (const [path, base, limit] of pairs) {
    const name = new RegExp(`free tcp1 ${path} over ${base}$`);
    t.is(stateOf(judged([path, limit * 8], [base, 8]), name), 'ok');
    t.is(stateOf(judged([path, limit * 8 - 0.01], [base, 8]), name), 'MISSED');
    t.is(stateOf(judged([path, 8]), name), 'not measured');
  }
  t.is(stateOf(judged(['weft-host-gw', 8], ['plain-routing', 8]), /one-core tcp1 weft-host-gw/), 'not measured');
});

test('a round trip, a lookup, a start and the memory must not exceed their limits', (t) => {
  const rtt = (path: Sample['path'], p50: number): Sample => ({
    round: 1,
    setting: 'free',
    test: 'rtt',
    path,
    values: { p50, p99: 1, lost: 0 },
  });
  const judged = (p50: number, many: number, ready: number, bytes: number) =>
    judge({
      results: toRows([rtt('kernel-vxlan', 0.01), rtt('weft-udp', p50)]),
      fib: [
        { routes: 2, nanosecondsPerLookup: 2 },
        { routes: 10_000, nanosecondsPerLookup: many },
      ],
      fdb: [
        { entries: 2, nanosecondsPerLookup: 3 },
        { entries: 10_000, nanosecondsPerLookup: many * 1.5 },
      ],
      daemon: { readySeconds: [0.1, ready], residentBytes: [bytes, 1e6], residentBytesOf: {} },
    });
  const names = [/rtt/, /FIB/, /FDB/, /ready/, /resident/];
  const good = judged(0.1, 2.4, 1, 150e6);
  const bad = judged(0.101, 2.41, 1.01, 150.1e6);
  t.deepEqual(
    names.map((name) => stateOf(good, name)),
    ['ok', 'ok', 'ok', 'ok', 'ok'],
  );
  t.deepEqual(
    names.map((name) => stateOf(bad, name)),
    ['MISSED', 'MISSED', 'MISSED', 'MISSED', 'MISSED'],
  );
});
