import test from 'ava';
import { type FarSample, findFarRow, toFarRows } from '../../../lib/bench/far/far-report.ts';

const sample = (values: Partial<FarSample>): FarSample => ({
  round: 1,
  path: 'underlay',
  test: 'tcp1',
  direction: 'to-far',
  metric: 'throughput',
  side: null,
  value: 1,
  ...values,
});

test('samples of one path, test, way, figure and side are a row, compared with the underlay of the same', (t) => {
  const rows = toFarRows([
    sample({ path: 'weft-udp', value: 2 }),
    sample({ value: 9 }),
    sample({ round: 2, value: 10 }),
    sample({ round: 3, value: 8 }),
    sample({ direction: 'from-far', value: 4 }),
    sample({ path: 'weft-udp', round: 2, value: 4 }),
    sample({ path: 'weft-udp', direction: 'from-far', value: 1 }),
  ]);
  t.deepEqual(
    rows.map(({ path, direction, median, min, max, ratioToUnderlay, unit }) => [
      path,
      direction,
      median,
      min,
      max,
      ratioToUnderlay,
      unit,
    ]),
    [
      ['underlay', 'to-far', 9, 8, 10, 1, 'Gb/s'],
      ['underlay', 'from-far', 4, 4, 4, 1, 'Gb/s'],
      ['weft-udp', 'to-far', 3, 2, 4, 3 / 9, 'Gb/s'],
      ['weft-udp', 'from-far', 1, 1, 1, 0.25, 'Gb/s'],
    ],
  );
});

test('CPU times of the two sides are two rows; without an underlay, or with 0, there is no ratio', (t) => {
  const rows = toFarRows([
    sample({ metric: 'machineCpu', side: 'near', value: 3 }),
    sample({ metric: 'machineCpu', side: 'far', value: 5 }),
    sample({ metric: 'retransmits', value: 0 }),
    sample({ path: 'overlay', metric: 'retransmits', value: 7 }),
    sample({ path: 'overlay', metric: 'daemonCpu', side: 'far', value: 1 }),
  ]);
  const wanted = { path: 'underlay', test: 'tcp1', direction: 'to-far', metric: 'machineCpu', side: 'far' } as const;
  t.is(findFarRow(rows, wanted)?.median, 5);
  t.is(findFarRow(rows, { ...wanted, metric: 'throughput', side: null }), undefined);
  t.deepEqual(
    rows.filter(({ path }) => path === 'overlay').map(({ ratioToUnderlay }) => ratioToUnderlay),
    [null, null],
  );
});

test('what limited a rate stands beside it', (t) => {
  const rows = toFarRows([
    sample({ test: 'udp64', metric: 'rate', value: 5, limit: 'loss' }),
    sample({ test: 'udp64', metric: 'rate', value: 6, limit: 'sender', round: 2 }),
    sample({ test: 'udp64', metric: 'loss', value: 0 }),
  ]);
  t.deepEqual(
    rows.map(({ limits }) => limits),
    [['loss', 'sender'], undefined],
  );
});
