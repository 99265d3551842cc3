import test from 'ava';
import { type Sample, toRows } from '../../lib/bench/report.ts';

function tcp(round: number, path: Sample['path'], throughput: number, more: Partial<Sample> = {}): Sample {
  const values = { throughput, machineCpu: 1 / throughput, retransmits: 0 };
  return { round, setting: 'free', test: 'tcp1', path, values, ...more };
}

test('samples become rows with median, spread and the ratio of the medians within one setting', (t) => {
  const rows = toRows([
    ...[10, 30, 20].map((value, round) => tcp(round, 'kernel-vxlan', value)),
    ...[9, 8, 40].map((value, round) => tcp(round, 'weft-udp', value)),
    tcp(1, 'weft-udp', 5, { setting: 'one-core' }),
  ]);
  const row = rows.find(
    ({ setting, metric, path }) => setting === 'free' && metric === 'throughput' && path === 'weft-udp',
  );
  t.deepEqual(row, {
    setting: 'free',
    test: 'tcp1',
    metric: 'throughput',
    unit: 'Gb/s',
    path: 'weft-udp',
    samples: [9, 8, 40],
    median: 9,
    min: 8,
    max: 40,
    deviation: 1,
    outliers: [],
    ratioToKernelVxlan: 9 / 20,
  });
  const alone = rows.find(({ setting, metric }) => setting === 'one-core' && metric === 'throughput');
  t.is(alone?.ratioToKernelVxlan, null, 'no kernel-vxlan was measured in that setting');
});

test('a metric that a path does not have makes no row, and 0 retransmits have no ratio', (t) => {
  const rows = toRows([tcp(1, 'kernel-vxlan', 10), tcp(1, 'direct', 20)]);
  t.deepEqual(
    rows.map(({ path, metric }) => `${path} ${metric}`),
    ['kernel-vxlan', 'direct'].flatMap((name) => [`${name} throughput`, `${name} machineCpu`, `${name} retransmits`]),
  );
  t.is(rows.find(({ metric }) => metric === 'retransmits')?.ratioToKernelVxlan, null);
});

test('what limited a packet rate stands in the row of the rate only', (t) => {
  const sample = (round: number, limit: string): Sample => ({
    round,
    setting: 'free',
    test: 'udp64',
    path: 'direct',
    values: { rate: 1000, loss: 0 },
    limit,
  });
  const rows = toRows([sample(1, 'sender'), sample(2, 'loss')]);
  t.deepEqual(rows.find(({ metric }) => metric === 'rate')?.limits, ['sender', 'loss']);
  t.is(rows.find(({ metric }) => metric === 'loss')?.limits, undefined);
});
