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

test('the table has the median, the spread and the share of kernel VXLAN for each path', (t) => {
  const text = formatReport(report());
  t.true(
    text.includes(`TCP, 1 stream
Setting  Path           Gb/s     ±      min–max  of kernel-vxlan  CPU s/GB  kernel  weftd s/GB  kernel  retransmits
free     kernel-vxlan  13.00  1.00  12.00–14.00            1.000      0.50       -           -       -            1
free     weft-udp       7.50  1.50    6.00–9.00            0.577      1.25    80 %        0.75    80 %            0
`),
    text,
  );
  t.true(
    text.includes(`UDP, 64-byte packets, highest rate without loss
Setting   Path          packets/s  ±          min–max  of kernel-vxlan  Gb/s  limited by
nic-like  kernel-vxlan    250,000  -  250,000–250,000            1.000  0.13  sender 1
`),
    text,
  );
  t.notRegex(text, /Round trip, idle/, 'what was not measured has no table');
});

test('kernel, congestion control, queue, MTU and method are printed', (t) => {
  const text = formatReport(report());
  for (const expected of [
    /2 x Some CPU, 4\.0 GB, load 0\.25 before the run/,
    /Linux 6\.18\.44, Node v20\.20\.2, Weft 0\.1\.0, commit unknown/,
    /congestion control cubic \(the system's own is bbr\), 3 s after 1 s that do not count, MSS 1398/,
    /inner MTU 1450 for all, underlay MTU 1500, underlay queue noqueue/,
    /IPv4 packets of 64 bytes \(20 IP \+ 8 UDP \+ 36\), loss up to 0\.1 %, trials of 1 s/,
    /floods the direct path with 320,000 packets\/s, 319,000 arrive/,
  ])
    t.regex(text, expected);
});

test('an offload that fell back and fragments that were made can be seen', (t) => {
  const text = formatReport(report());
  t.regex(text, /Offloads of weft-udp +in use udp-gro\n +udp-gso: the kernel refused it: EIO\n/);
  t.regex(text, /IP fragments made +kernel-vxlan 0, weft-udp 3\n/);
});

test('starts, memory, MAC lookups and the storm are printed', (t) => {
  const text = formatReport(report());
  t.regex(text, /weftd ready after +0\.40 s \(0\.39–0\.41\), 2 starts\n/);
  t.regex(text, /weftd resident +weft-udp 93\.0 MB, weft-vxlan 92\.0 MB\n/);
  t.regex(text, /FDB lookup, 10,000 leases +3\.30 ns\n/);
  t.regex(
    text,
    /Storm +10,000 broadcasts of 64 bytes a second; of 45,000 offered the limiter dropped 43,700, 1,300 BUM frames left\n/,
  );
  t.notRegex(formatReport(report({ storm: null })), /Storm/);
});

test('each threshold is printed with what was measured and whether it holds', (t) => {
  const text = formatReport(report());
  t.regex(text, /TCP 1 stream, free, of kernel VXLAN +at least 0\.5 +0\.577 +ok\n/);
  t.regex(text, /TCP 4 streams, free, of kernel VXLAN +at least 0\.25 +- +not measured\n/);
  t.regex(text, /weftd ready after start +at most 1 s +0\.410 +ok\n/);
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
