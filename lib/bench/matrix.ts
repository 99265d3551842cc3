/** What a benchmark measures, and under which conditions: the rows of its report. */
import { INNER_MTU } from './pod-link.ts';

/** Bytes of the IPv4 packets of each UDP test. The largest is what every path carries whole: the inner MTU of all. */
export const PACKET_SIZES = { udp64: 64, udp256: 256, udp512: 512, udp1024: 1024, udp1450: INNER_MTU } as const;

/** Streams, and whether the other end sends as many at the same time. */
export const STREAMS = {
  tcp1: { streams: 1, bothWays: false },
  tcp4: { streams: 4, bothWays: false },
  tcp16: { streams: 16, bothWays: false },
  bidir: { streams: 1, bothWays: true },
} as const;

/** How fast one TCP stream goes beside the echoes: share of what `tcp1` of the path reached; 1 is as fast as it can. */
export const LOADS = { rtt: 0, 'rtt-half': 0.5, 'rtt-full': 1 } as const;

export type UdpTest = keyof typeof PACKET_SIZES;
export type TcpTest = keyof typeof STREAMS;
type RttTest = keyof typeof LOADS;
export type TestName = TcpTest | UdpTest | RttTest;

/** In the order in which a path is measured by them. */
// Object.keys forgets that the keys are those of the tables.
export const TESTS = [STREAMS, PACKET_SIZES, LOADS].flatMap((tests) => Object.keys(tests)) as readonly TestName[];

/** What grows with the size of a network, measured once a run: lib/bench/scale.ts. */
export const SCALES = ['scale-routes', 'scale-peers', 'scale-leases'] as const;
export type ScaleName = (typeof SCALES)[number];

export function isTcp(test: TestName): test is TcpTest {
  return test in STREAMS;
}

export function isUdp(test: TestName): test is UdpTest {
  return test in PACKET_SIZES;
}

const TCP_METRICS = [
  'throughput',
  'machineCpu',
  'machineUser',
  'machineKernel',
  'daemonCpu',
  'daemonUser',
  'daemonKernel',
  'retransmits',
] as const;
const RTT_METRICS = ['p50', 'p99', 'lost'] as const;
export type Metric = (typeof TCP_METRICS)[number] | (typeof RTT_METRICS)[number] | 'back' | 'load' | 'rate' | 'loss';

/** What one test yields, in the order of the table. */
export function metricsOf(test: TestName): readonly Metric[] {
  if (isTcp(test)) return STREAMS[test].bothWays ? ['throughput', 'back', ...TCP_METRICS.slice(1)] : TCP_METRICS;
  if (isUdp(test)) return ['rate', 'loss'];
  return LOADS[test] === 0 ? RTT_METRICS : [...RTT_METRICS, 'load'];
}

export const UNITS: Readonly<Record<Metric, string>> = {
  throughput: 'Gb/s',
  back: 'Gb/s',
  machineCpu: 's/GB',
  machineUser: 's/GB',
  machineKernel: 's/GB',
  daemonCpu: 's/GB',
  daemonUser: 's/GB',
  daemonKernel: 's/GB',
  retransmits: '',
  rate: 'packets/s',
  loss: '',
  p50: 'ms',
  p99: 'ms',
  lost: '',
  load: 'Gb/s',
};

/** Conditions under which the same is measured. */
export const SETTINGS = ['free', 'one-core', 'nic-like'] as const;
export type Setting = (typeof SETTINGS)[number];

export const SETTING_TEXT: Readonly<Record<Setting, string>> = {
  free: 'the scheduler places everything; the veth carries packets of 64 KB whole',
  'one-core': 'every process of the run on one CPU, kernel work follows: total cost per bit',
  'nic-like': 'segmentation offloads of the underlay veth off, GRO on, as on a plain NIC',
};
