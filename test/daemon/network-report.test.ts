import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { type Ipv4Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { type NetworkParts, summarize, toNetworkReport } from '../../lib/daemon/network-report.ts';
import { WeftError } from '../../lib/error.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import type { StoreHealth } from '../../lib/store/store.ts';
import { violations } from '../control/schema.ts';
import { backendAtRest } from './backend-at-rest.ts';

const BLUE = { name: 'blue', etcdPrefix: '/t/blue', subnetFile: '/blue.env', netns: '/run/netns/blue' };
const HEALTH: StoreHealth = {
  endpoint: 'http://192.0.2.254:2379',
  connected: true,
  lastError: undefined,
  revision: '7',
  skipped: 0,
  watchRestarts: 0,
  leaseExpiresAtMs: undefined,
};
const NOTHING: NetworkParts = {
  state: 'starting',
  wait: undefined,
  config: undefined,
  external: undefined,
  own: undefined,
  backend: undefined,
  others: [],
  alarms: [],
};

function lease(subnet: string, publicIp: string): Lease {
  const attrs = { publicIpv6: undefined, backendType: '', backendData: undefined, backendV6Data: undefined };
  const ipv4 = parsePrefix(subnet) as Ipv4Prefix;
  return {
    subnets: { ipv4, ipv6: undefined },
    attrs: { publicIp: parseIpv4(publicIp)!, ...attrs },
    expiresAtMs: undefined,
  };
}

function refusals(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    subnet: `10.5.${index}.0/24`,
    publicIp: `192.0.2.${index}`,
    reason: 'its PublicIP is this host',
  }));
}

test('a network that has nothing yet is reported with nulls', (t) => {
  const etcd = {
    endpoint: 'http://192.0.2.254:2379',
    prefix: '/t/blue',
    connected: true,
    lastError: null,
    revision: '7',
    skipped: 0,
    watchRestarts: 0,
  };
  t.deepEqual(toNetworkReport(BLUE, NOTHING, HEALTH, true), {
    name: 'blue',
    etcdPrefix: '/t/blue',
    netns: '/run/netns/blue',
    state: 'starting',
    waitingFor: null,
    alarms: [],
    network: null,
    lease: null,
    external: null,
    backend: null,
    store: { kind: 'etcd', ...etcd },
    etcd,
    offloads: [],
    peers: 0,
    subnetFile: '/blue.env',
  });
});

test('what is waited for is told, and what has failed is an alarm too', (t) => {
  const error = new WeftError('PORT_BUSY', 'the port is in use', { hint: 'free it' });
  const wait = { error, sinceMs: 0, attempts: 3 };
  const waiting = toNetworkReport(BLUE, { ...NOTHING, state: 'waiting', wait }, HEALTH, true);
  t.deepEqual(waiting.waitingFor, {
    code: 'PORT_BUSY',
    message: 'the port is in use',
    hint: 'free it',
    since: '1970-01-01T00:00:00.000Z',
    attempts: 3,
  });
  t.deepEqual(waiting.alarms, []);
  t.deepEqual(violations('NetworkReport', waiting), []);
  const failed: NetworkParts = { ...NOTHING, state: 'failed', wait };
  t.deepEqual(toNetworkReport(BLUE, failed, HEALTH, true).alarms, ['Network "blue" has failed: the port is in use']);
  t.is(summarize(failed), 'Failed: the port is in use');
  t.is(summarize({ ...NOTHING, state: 'waiting', wait }), 'Waiting: the port is in use');
  t.is(summarize(NOTHING), 'starting');
});

test('a ready network is one line with its subnet, its device and the peers that are used', (t) => {
  const own = { lease: lease('10.5.1.0/24', '192.0.2.1'), origin: 'reused' as const };
  const backend = backendAtRest(refusals(1), []);
  const others = [lease('10.5.0.0/24', '192.0.2.0'), lease('10.5.2.0/24', '192.0.2.2')];
  const config = parseNetworkConfig('{"Network":"10.5.0.0/16"}');
  const parts: NetworkParts = { ...NOTHING, state: 'ready', config, own, backend, others };
  t.is(summarize(parts), '10.5.1.0/24 on flannel.1, 1 peers');
  const report = toNetworkReport(BLUE, parts, HEALTH, false);
  t.deepEqual(violations('NetworkReport', report), []);
  t.like(report, {
    peers: 1,
    network: { ipv4: '10.5.0.0/16', subnetLen: 24 },
    lease: { ipv4: '10.5.1.0/24', origin: 'reused' },
    backend: { device: 'flannel.1', sourceCheck: false },
  });
});

test('many leases that are not used do not hide other alarms', (t) => {
  const parts: NetworkParts = {
    ...NOTHING,
    state: 'ready',
    backend: backendAtRest(refusals(40), []),
    alarms: ['Our lease is gone'],
  };
  const { alarms } = toNetworkReport(BLUE, parts, HEALTH, true);
  t.is(alarms.length, 7);
  t.is(alarms[0], 'Our lease is gone');
  t.is(alarms[1], 'Lease 10.5.0.0/24 of 192.0.2.0 is not used: its PublicIP is this host');
  t.is(alarms[6], '35 more leases are not used: weft peers says which, and why');
});
