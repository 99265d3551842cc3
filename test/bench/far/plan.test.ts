import test from 'ava';
import { planPaths } from '../../../lib/bench/far/plan.ts';
import type { Description, OverlayNetwork, Side } from '../../../lib/bench/far/requests.ts';

const ENVIRONMENT: Description['environment'] = {
  kernel: '6.18',
  cpu: 'a CPU',
  cpus: 2,
  memoryBytes: 1e9,
  node: 'v20',
  weft: '0.1.0',
  commit: null,
  loadAverage: 0,
  defaultCongestionControl: 'cubic',
};
const TESTS = ['tcp1', 'udp64', 'rtt'] as const;

interface Machine extends Partial<Description> {
  readonly networks?: readonly OverlayNetwork[];
  readonly why?: string;
  /** Subnets of peers. */
  readonly peers?: readonly string[];
}

/** A side that only answers what a plan asks. */
function side({ isRoot = true, missing = [], networks = [], why, peers = [] }: Machine): Side {
  const ask = async (request: { readonly type: string; readonly peer?: string }): Promise<unknown> => {
    if (request.type === 'describe') return { environment: ENVIRONMENT, isRoot, missing };
    if (request.type === 'overlay') return { networks, why: why ?? null };
    if (!peers.includes(request.peer ?? '')) throw new Error('no such peer');
    return {};
  };
  return { ask: ask as Side['ask'] };
}

const network = (subnet: string, address: string | null = subnet.replace('/24', '')): OverlayNetwork => ({
  name: '',
  backend: 'udp',
  subnet,
  address,
  mtu: 1472,
});

const plan = (near: Machine, far: Machine) => planPaths({ near: side(near), far: side(far) }, TESTS);

test('root on both and a weftd on both: everything', async (t) => {
  const near = { networks: [network('10.244.1.0/24')], peers: ['10.244.2.0/24'] };
  const far = { networks: [network('10.244.2.0/24')], peers: ['10.244.1.0/24'] };
  const { paths, tests, notMeasured, overlay } = await plan(near, far);
  t.deepEqual(paths, ['underlay', 'overlay', 'weft-udp', 'weft-vxlan']);
  t.deepEqual(tests, TESTS);
  t.deepEqual(notMeasured, []);
  t.deepEqual(overlay, { name: '', backend: 'udp', mtu: 1472 });
});

test('what is missing is left out, with the side that lacks it', async (t) => {
  const { paths, tests, notMeasured } = await plan(
    { why: 'No control socket at /x' },
    { isRoot: false, missing: ['iperf3', 'ping'] },
  );
  t.deepEqual(paths, ['underlay']);
  // ping is needed here alone.
  t.deepEqual(tests, ['udp64', 'rtt']);
  t.deepEqual(notMeasured, [
    { path: 'overlay', test: null, why: 'no weftd to measure here: No control socket at /x' },
    { path: 'weft-udp', test: null, why: 'weftds of its own need root, which weft bench is not on the far side' },
    { path: 'weft-vxlan', test: null, why: 'weftds of its own need root, which weft bench is not on the far side' },
    { path: 'underlay', test: 'tcp1', why: 'iperf3 is not installed on the far side' },
  ]);
  const withoutEtcd = await plan({ missing: ['etcd'] }, {});
  t.deepEqual(withoutEtcd.notMeasured.find(({ path }) => path === 'weft-udp')?.why, 'etcd is not installed here');
});

test('weftds that are not peers of each other, or have no address, are no path', async (t) => {
  const near = { networks: [network('10.244.1.0/24')], peers: ['10.244.2.0/24'] };
  for (const far of [
    { networks: [network('10.244.2.0/24')], peers: [] },
    { networks: [network('10.244.2.0/24', null)], peers: ['10.244.1.0/24'] },
  ]) {
    const { paths, notMeasured } = await plan(near, far);
    t.deepEqual(paths, ['underlay', 'weft-udp', 'weft-vxlan']);
    t.regex(notMeasured[0]?.why ?? '', /not each other's peers/);
  }
});

test('of several networks the first that both are in counts', async (t) => {
  const near = { networks: [network('10.1.1.0/24'), network('10.2.1.0/24')], peers: ['10.2.2.0/24'] };
  const far = { networks: [network('10.3.2.0/24'), { ...network('10.2.2.0/24'), name: 'b' }], peers: ['10.2.1.0/24'] };
  t.deepEqual((await plan(near, far)).paths[1], 'overlay');
});
