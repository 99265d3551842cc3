import test from 'ava';
import { type CurveReport, curvePlots, packetBytes, packetRows } from '../../lib/report/curves.ts';
import { fullReport } from './full-report.ts';

const NOTHING: CurveReport = { results: [], scale: { routes: [], peers: [], leases: [] } };

function rate(name: string, path: string, median: number, setting = 'free') {
  return { setting, test: name, metric: 'rate', path, median, min: median - 1, max: median + 2 };
}

test('a full run has each curve, with its figures at its places', (t) => {
  const report = fullReport();
  const plots = curvePlots(report);
  t.deepEqual(
    plots.map(({ id }) => id),
    'packet-rate packet-loss scale-routes scale-build scale-peers scale-memory scale-rest scale-known scale-leases'.split(
      ' ',
    ),
  );
  const routes = plots.find(({ id }) => id === 'scale-routes');
  t.deepEqual(
    routes?.curves[0]?.points.map(({ x, at, y }) => [x, at, y]),
    report.scale.routes.map((point) => [point.routes, Math.log10(point.routes), point.nanosecondsPerLookup]),
  );
  t.deepEqual(
    routes?.ticks.map(({ text }) => text),
    ['2', '100', '10,000', '100,000'],
  );
  const leases = plots.find(({ id }) => id === 'scale-leases');
  t.deepEqual(
    leases?.curves[0]?.points.map(({ x, at }) => [x, at]),
    [
      [0, 0],
      [100, 1],
      [1000, 2],
    ],
  );
});

test('packet sizes are in order of their bytes, with the spread; one size is no curve, and other settings are none', (t) => {
  const results = [
    rate('udp1450', 'weft-udp', 90),
    rate('udp64', 'weft-udp', 100),
    rate('udp64', 'direct', 700),
    rate('udp64', 'weft-udp', 5, 'one-core'),
    rate('udp1450', 'weft-udp', 6, 'one-core'),
  ];
  t.deepEqual(curvePlots({ ...NOTHING, results }), [
    {
      id: 'packet-rate',
      xLabel: 'bytes of an IPv4 packet',
      yLabel: 'packets/s',
      ticks: [
        { at: 64, text: '64' },
        { at: 1450, text: '1,450' },
      ],
      curves: [
        {
          name: 'weft-udp',
          ours: true,
          points: [
            { x: 64, at: 64, y: 100, min: 99, max: 102 },
            { x: 1450, at: 1450, y: 90, min: 89, max: 92 },
          ],
        },
      ],
    },
  ]);
  t.deepEqual(
    packetRows({ results }, 'rate').map((row) => `${row.test} ${row.path}`),
    ['udp64 direct', 'udp64 weft-udp', 'udp64 weft-udp', 'udp1450 weft-udp', 'udp1450 weft-udp'],
  );
});

test('paths that lost no packet have no curve of loss, and a run that measured nothing has none at all', (t) => {
  const loss = (name: string, path: string, max: number) => ({ ...rate(name, path, max), metric: 'loss', min: 0, max });
  const results = [loss('udp64', 'a', 0), loss('udp256', 'a', 0), loss('udp64', 'b', 0), loss('udp256', 'b', 0.5)];
  const plots = curvePlots({ ...NOTHING, results });
  t.deepEqual(
    plots.map(({ curves }) => curves.map(({ name, points }) => [name, points[1]?.max])),
    [[['b', 50]]],
  );
  t.deepEqual(curvePlots(NOTHING), []);
});

test('bytes of a UDP test', (t) => {
  t.deepEqual(['udp64', 'udp1450', 'tcp1', 'rtt', 'udp', 'xudp64'].map(packetBytes), [
    64,
    1450,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
