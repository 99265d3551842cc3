/** What a benchmark measures, and under which conditions: the rows of its report. */

export const TESTS = ['tcp1', 'tcp4', 'udp64', 'rtt'] as const;
export type TestName = (typeof TESTS)[number];

/** What one test yields, in the order of the table. */
export const METRICS = {
  tcp1: ['throughput', 'machineCpu', 'daemonCpu', 'retransmits'],
  tcp4: ['throughput', 'machineCpu', 'daemonCpu', 'retransmits'],
  udp64: ['rate', 'loss'],
  rtt: ['p50', 'p99', 'lost'],
} as const satisfies Record<TestName, readonly string[]>;
export type Metric = (typeof METRICS)[TestName][number];

export const UNITS: Readonly<Record<Metric, string>> = {
  throughput: 'Gb/s',
  machineCpu: 's/GB',
  daemonCpu: 's/GB',
  retransmits: '',
  rate: 'packets/s',
  loss: '',
  p50: 'ms',
  p99: 'ms',
  lost: '',
};

/** Conditions under which the same is measured. */
export const SETTINGS = ['free', 'one-core', 'nic-like'] as const;
export type Setting = (typeof SETTINGS)[number];

export const SETTING_TEXT: Readonly<Record<Setting, string>> = {
  free: 'the scheduler places everything; the veth carries packets of 64 KB whole',
  'one-core': 'every process of the run on one CPU, kernel work follows: total cost per bit',
  'nic-like': 'segmentation offloads of the underlay veth off, GRO on, as on a plain NIC',
};
