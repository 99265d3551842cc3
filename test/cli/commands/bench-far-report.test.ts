import test from 'ava';
import { type FarReport, type FarSample, toFarRows } from '../../../lib/bench/far/far-report.ts';
import { formatFarReport } from '../../../lib/cli/commands/bench-far-report.ts';

const environment = {
  kernel: '6.18.0',
  cpu: 'AMD EPYC',
  cpus: 2,
  memoryBytes: 16e9,
  node: 'v20.20.2',
  weft: '0.1.0',
  commit: 'abc1234',
  loadAverage: 0.1,
  defaultCongestionControl: 'cubic',
};

const base = { round: 1, test: 'tcp1', direction: 'to-far', side: null } as const;
const SAMPLES: readonly FarSample[] = [
  { ...base, path: 'underlay', metric: 'throughput', value: 9.41 },
  { ...base, path: 'underlay', metric: 'machineCpu', side: 'near', value: 1.5 },
  { ...base, path: 'underlay', metric: 'machineCpu', side: 'far', value: 1.7 },
  { ...base, path: 'weft-vxlan', metric: 'throughput', value: 4.705 },
  { ...base, path: 'weft-vxlan', metric: 'daemonCpu', side: 'far', value: 0.9 },
  { ...base, path: 'underlay', test: 'rtt', direction: 'both', metric: 'p50', value: 0.01 },
  { ...base, path: 'overlay', test: 'rtt', direction: 'both', metric: 'p50', value: 0.25 },
  { ...base, path: 'underlay', test: 'udp64', metric: 'rate', value: 1234567, limit: 'sender' },
];

const REPORT: FarReport = {
  schema: 'weft-bench-far/1',
  startedAt: '2026-11-29T12:00:00.000Z',
  durationSeconds: 61,
  interrupted: false,
  lost: null,
  near: { address: '192.0.2.1', isRoot: true, environment },
  far: { address: '192.0.2.2', isRoot: true, environment: { ...environment, cpus: 8 } },
  method: {
    rounds: 3,
    congestionControl: 'cubic',
    tcpSeconds: 2,
    tcpOmittedSeconds: 1,
    smallPacketBytes: 64,
    maxLoss: 0.001,
    udpTrialSeconds: 0.5,
    generator: '',
    pings: 500,
    pingIntervalSeconds: 0.002,
    rttResolutionMs: 0.001,
  },
  overlay: { name: 'blue', backend: 'vxlan', mtu: 1450 },
  tcpMss: { underlay: 1448, overlay: 1398 },
  results: toFarRows(SAMPLES),
  residentBytes: { overlay: { near: 100e6, far: 101e6 } },
  notMeasured: [
    { path: 'weft-udp', test: 'tcp1', why: 'the far side was lost before' },
    { path: 'weft-udp', test: 'rtt', why: 'the far side was lost before' },
    { path: 'overlay', test: null, why: 'no weftd to measure here' },
  ],
  failures: [{ round: 2, path: 'weft-vxlan', test: null, direction: null, message: 'No echo' }],
};

test('a report names both machines, compares with the underlay, and says what is missing', (t) => {
  const text = formatFarReport(REPORT);
  t.regex(text, /^Here +192\.0\.2\.1: 2 x AMD EPYC/m);
  t.regex(text, /^Far side +192\.0\.2\.2: 8 x AMD EPYC/m);
  t.regex(text, /^Overlay +blue, vxlan, MTU 1450, as it runs$/m);
  t.regex(text, /^Path +Way +Gb\/s +ratio +CPU s\/GB +weftd s\/GB$/m);
  t.regex(text, /^underlay +to far +9\.41 +1\.000 +1\.50\/1\.70 +-$/m);
  t.regex(text, /^weft-vxlan +to far +4\.71 +0\.500 +- +-\/0\.90$/m);
  t.regex(text, /^overlay +0\.250 +25\.0 /m);
  t.regex(text, /^underlay +to far +1,234,567 .* sender$/m);
  t.regex(text, /^ {2}weft-udp tcp1, rtt: the far side was lost before$/m);
  t.regex(text, /^ {2}overlay: no weftd to measure here$/m);
  t.regex(text, /^ {2}round 2 weft-vxlan: No echo$/m);
  t.notRegex(text, /Interrupted|undefined|NaN/);
});

test('repeats have a spread, and every line its place on 80 columns', (t) => {
  const again = SAMPLES.map((sample) => ({ ...sample, round: 2, value: sample.value * 1.1 }));
  const text = formatFarReport({ ...REPORT, results: toFarRows([...SAMPLES, ...again]) });
  t.regex(text, /^underlay +to far +9\.88 +9\.41–10\.35 +1\.000 +1\.58\/1\.79 +-$/m);
  t.deepEqual(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
});

test('how a run ended is its last line', (t) => {
  t.regex(
    formatFarReport({ ...REPORT, interrupted: true }),
    /Interrupted: the report has what was measured before\.\n$/,
  );
  t.regex(formatFarReport({ ...REPORT, lost: 'It has ended: SIGINT there' }), /SIGINT there\nThe report has .*\n$/);
  t.notThrows(() => formatFarReport({ ...REPORT, results: [], tcpMss: {}, overlay: null }));
});
