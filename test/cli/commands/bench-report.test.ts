import test from 'ava';
import { type BenchReport, type Sample, SCHEMA, toRows } from '../../../lib/bench/report.ts';
import { judge } from '../../../lib/bench/thresholds.ts';
import { formatReport } from '../../../lib/cli/commands/bench-report.ts';

const SAMPLES: readonly Sample[] = [
  ...[12, 14, 13].map(
    (throughput, index): Sample => ({
      round: index + 1,
      setting: 'free',
      test: 'tcp1',
      path: 'kernel-vxlan',
      values: { throughput, machineCpu: 0.5, retransmits: index },
    }),
  ),
  ...[6, 9, 7.5].map(
    (throughput, index): Sample => ({
      round: index + 1,
      setting: 'free',
      test: 'tcp1',
      path: 'weft-udp',
      values: { throughput, machineCpu: 1.25, machineKernel: 1, daemonCpu: 0.75, daemonKernel: 0.6, retransmits: 0 },
    }),
  ),
  {
    round: 1,
    setting: 'nic-like',
    test: 'udp64',
    path: 'kernel-vxlan',
    values: { rate: 250_000, loss: 0 },
    limit: 'sender',
  },
];

function report(more: Partial<BenchReport> = {}): BenchReport {
  const parts = {
    results: toRows(SAMPLES),
    fib: [],
    fdb: [
      { entries: 2, nanosecondsPerLookup: 3 },
      { entries: 10_000, nanosecondsPerLookup: 3.3 },
    ],
    daemon: {
      readySeconds: [0.41, 0.39],
      residentBytes: [93e6, 92e6],
      residentBytesOf: { 'weft-udp': 93e6, 'weft-vxlan': 92e6 },
    },
  };
  return {
    schema: SCHEMA,
    startedAt: '2026-01-02T03:04:05.000Z',
    durationSeconds: 61,
    interrupted: false,
    budget: null,
    notMeasured: [],
    estimate: null,
    noise: { controls: [], stealShare: 0, direct: [], verdict: 'quiet', reasons: [] },
    environment: {
      kernel: '6.18.44',
      cpu: 'Some CPU',
      cpus: 2,
      memoryBytes: 4e9,
      node: 'v20.20.2',
      weft: '0.1.0',
      commit: null,
      loadAverage: 0.25,
      defaultCongestionControl: 'bbr',
    },
    method: {
      rounds: 3,
      congestionControl: 'cubic',
      tcpSeconds: 3,
      tcpOmittedSeconds: 1,
      qdisc: 'noqueue',
      underlayMtu: 1500,
      innerMtu: 1450,
      tcpMss: 1398,
      smallPacketBytes: 64,
      maxLoss: 0.001,
      udpTrialSeconds: 1,
      generator: 'how it is offered',
      pings: 500,
      pingIntervalSeconds: 0.002,
      rttResolutionMs: 0.001,
      oneCoreCpu: 0,
    },
    ...parts,
    scale: { routes: [], peers: [], leases: [] },
    generatorCeiling: [{ setting: 'free', sentPerSecond: 320_000, receivedPerSecond: 319_000 }],
    offloads: {
      'weft-udp': [
        { name: 'udp-gso', active: false, reason: 'the kernel refused it: EIO' },
        { name: 'udp-gro', active: true, reason: 'in use' },
      ],
    },
    storm: { framesPerSecond: 10_000, offered: 45_000, flooded: 1300, limited: 43_700 },
    fragments: { 'kernel-vxlan': 0, 'weft-udp': 3 },
    thresholds: judge(parts),
    failures: [],
    ...more,
  };
}

test('the tables have median, spread and the ratio to kernel VXLAN for each path', (t) => {
  const text = formatReport(report());
  t.true(
    text.includes(`TCP, 1 stream, free
Path           Gb/s     ±      min–max  ratio  retransmits
kernel-vxlan  13.00  1.00  12.00–14.00  1.000            1
weft-udp       7.50  1.50    6.00–9.00  0.577            0

TCP, 1 stream: CPU seconds for a GB of payload, free
Path          CPU s/GB     ±  kernel  weftd s/GB     ±  kernel
kernel-vxlan      0.50  0.00       -           -     -       -
weft-udp          1.25  0.00    80 %        0.75  0.00    80 %
`),
    text,
  );
  t.true(
    text.includes(`UDP, 64-byte packets, highest rate without loss, nic-like
Path          packets/s  ratio  Gb/s  limited by
kernel-vxlan    250,000  1.000  0.13      sender
`),
    text,
  );
  t.notRegex(text, /Round trip, idle/, 'what was not measured has no table');
});

test('kernel, congestion control, queue, MTU and method are printed', (t) => {
  // Wherever a line is broken.
  const text = formatReport(report()).replaceAll(/\n {2,}/g, ' ');
  for (const expected of [
    /2 x Some CPU, 4\.0 GB, load 0\.25 before the run/,
    /Linux 6\.18\.44, Node v20\.20\.2, Weft 0\.1\.0, commit unknown/,
    /congestion control cubic \(the system's own is bbr\), 3 s after 1 s that do not count, MSS 1398/,
    /inner MTU 1450 for all, underlay MTU 1500, underlay queue noqueue/,
    /^Rounds +3, interleaved, 61 s in all$/m,
    /IPv4 packets, header included; loss up to 0\.1 %, trials of 1 s/,
    /floods the direct path with 320,000 packets\/s, 319,000 arrive/,
  ])
    t.regex(text, expected);
  t.notRegex(text, /^(RTT|one-core) /m, 'how, of what was not measured');
});

test('a run that was broken off says how many of its rounds there are', (t) => {
  const once = SAMPLES.filter(({ round }) => round === 1);
  const text = formatReport(report({ results: toRows(once) }));
  t.regex(text, /^Rounds +1 of 3, interleaved/m);
  t.regex(text, /^Path +Gb\/s +ratio +retransmits$/m, 'one sample has no spread');
  t.regex(text, /^By one round: a hint, not a verdict\.$/m);
});

test('every line fits 80 columns, whatever is compared', (t) => {
  const paths = ['kernel-vxlan', 'kernel-to-weft-off'] as const;
  const long = paths.flatMap((path) =>
    (['one-core', 'nic-like'] as const).flatMap((setting) =>
      [20.123, 20.2, 19.9, 20.1, 11.5].map((throughput, index): Sample => {
        const cpu = { machineCpu: 15.621, machineKernel: 14, daemonCpu: 14.341, daemonKernel: 8 };
        const values = { throughput, ...cpu, retransmits: 12_345 };
        return { round: index + 1, setting, test: 'tcp1', path, values };
      }),
    ),
  );
  const rates = [312_345, 123_456, 223_984, 315_845, 280_728].map(
    (rate, index): Sample => ({
      round: index + 1,
      setting: 'free',
      test: 'udp64',
      path: 'flannel-vxlan',
      values: { rate, loss: 0 },
      limit: index === 0 ? 'loss' : 'sender',
    }),
  );
  const results = toRows([...long, ...rates]);
  const thresholds = judge({ results, fib: [], fdb: [], daemon: null }).map((threshold) => ({
    ...threshold,
    measured: 150.123,
    state: 'MISSED' as const,
  }));
  const fragments = { 'kernel-vxlan': 1, 'weft-udp': 3, 'weft-vxlan': 12, 'weft-udp-off': 7, 'weft-vxlan-off': 9 };
  const text = formatReport(report({ results, thresholds, fragments }));
  t.deepEqual(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
  t.regex(text, /flannel-vxlan .* sender 4\/5$/m);
});

test('an offload that fell back and fragments that were made can be seen', (t) => {
  const text = formatReport(report());
  t.regex(text, /Offloads of weft-udp +in use udp-gro\n +udp-gso: the kernel refused it: EIO\n/);
  t.regex(text, /IP fragments made +weft-udp 3\n/);
  t.regex(formatReport(report({ fragments: { 'weft-udp': 0 } })), /IP fragments made +none\n/);
  const off = ['tun-tso', 'tun-uso'].map((name) => ({ name, active: false, reason: 'switched off' }) as const);
  t.regex(
    formatReport(report({ offloads: { 'weft-udp-off': off } as unknown as BenchReport['offloads'] })),
    /Offloads of weft-udp-off +none in use\n +tun-tso, tun-uso: switched off\n/,
  );
});

test('starts, memory, MAC lookups and the storm are printed', (t) => {
  const text = formatReport(report());
  t.regex(text, /weftd ready after +median 0\.40 s \(0\.39–0\.41\), 2 starts\n/);
  t.regex(text, /weftd resident +weft-udp 93\.0 MB, weft-vxlan 92\.0 MB\n/);
  t.regex(text, /FDB lookup, 10,000 leases +3\.30 ns\n/);
  t.regex(
    text,
    /Storm +10,000 broadcasts of 64 bytes a second; of 45,000\s+offered the limiter dropped 43,700, 1,300 BUM frames\s+left\n/,
  );
  t.notRegex(formatReport(report({ storm: null })), /Storm/);
});

test('each threshold is printed with what was measured and whether it holds', (t) => {
  const text = formatReport(report());
  t.regex(text, /free tcp1 weft-udp over kernel-vxlan +≥ 0\.5 +0\.577 +ok\n/);
  t.notRegex(text, /free tcp4/);
  t.regex(text, /^\d+ more thresholds are of what was not measured\.$/m);
  t.regex(text, /weftd ready after start +≤ 1 s +0\.410 +ok\n/);
});

test('a measurement that failed is named with its place', (t) => {
  const failure = {
    round: 2,
    setting: 'free',
    test: 'tcp4',
    path: 'weft-udp',
    message: 'iperf3 failed: no route',
  } as const;
  t.regex(
    formatReport(report({ failures: [failure] })),
    /Measurements that failed\nround 2 free tcp4 weft-udp: iperf3 failed: no route\n/,
  );
});

test('an outlier is marked where it stands, and what the marks mean is said', (t) => {
  const samples = [10, 10.2, 9.9, 10.1, 3].map(
    (throughput, index): Sample => ({
      round: index + 1,
      setting: 'free',
      test: 'tcp1',
      path: 'direct',
      values: { throughput, machineCpu: 0.5, retransmits: 0 },
    }),
  );
  const text = formatReport(report({ results: toRows(samples) }));
  t.regex(text, /direct +10\.00 +0\.10 +3\.00\*–10\.20 /);
  t.regex(text, /± median deviation, min–max, \* outlier/);
});
