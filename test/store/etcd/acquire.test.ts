import { execFileSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import { parseIpv6 } from '../../../lib/addr/ipv6.ts';
import type { SubnetPair } from '../../../lib/lease/lease.ts';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { formatSubnetKey } from '../../../lib/lease/subnet-key.ts';
import type { AcquireRequest, OwnLease } from '../../../lib/store/store.ts';
import { type EtcdServer, startEtcd } from '../../etcd-server.ts';
import {
  attrs,
  bytes,
  eventually,
  follow,
  Other,
  openStore,
  PATIENT,
  pair,
  type StoreOverrides,
  udpValue,
} from './harness.ts';

const CONFIG = parseNetworkConfig('{"Network":"10.5.0.0/16"}');
const DAY_MS = 24 * 3600 * 1000;

let etcd: EtcdServer;
test.before(async () => {
  etcd = await startEtcd();
});
test.after.always(() => etcd.stop());

/** A prefix of its own for each test, so that they can share one etcd. */
let prefixes = 0;
function setUp(t: ExecutionContext, overrides: StoreOverrides = {}) {
  const prefix = `/weft-test-${++prefixes}/network`;
  const other = new Other(t, etcd.endpoint);
  const open = (more: StoreOverrides = {}) =>
    openStore(t, etcd.endpoint, { prefix, random: () => 0, ...PATIENT, ...overrides, ...more });
  return { prefix, other, open, room: `${prefix}/subnets/` };
}

function request(publicIp: string, more: Partial<AcquireRequest> = {}): AcquireRequest {
  return { config: CONFIG, attrs: attrs(publicIp), previous: undefined, ...more };
}

function words({ lease, origin }: OwnLease): string {
  return `${origin} ${formatSubnetKey(lease.subnets)}`;
}

test('writes the bytes that flanneld writes, on a grant of 24 hours', async (t) => {
  const { open, other, room } = setUp(t);
  const own = await open({ now: () => 1_000_000 }).store.acquire(request('192.0.2.1'));
  t.is(words(own), 'allocated 10.5.1.0-24');
  t.is(own.lease.expiresAtMs, 1_000_000 + DAY_MS);
  const written = await other.get(`${room}10.5.1.0-24`);
  t.is(written?.value, '{"PublicIP":"192.0.2.1","PublicIPv6":null}');
  const left = (await other.client.timeToLive(written!.lease))!;
  // The clock runs between the grant and the question; a minute is more than a loaded machine takes.
  t.true(left > 86_340 && left <= 86_400, `${left} s left`);
});

test('writes dual-stack vxlan leases as flanneld does', async (t) => {
  const { open, other, room } = setUp(t);
  const config = parseNetworkConfig('{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48"}');
  const vxlan = { VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' };
  const more = { backendType: 'vxlan', backendData: vxlan, backendV6Data: vxlan, publicIpv6: parseIpv6('2001:db8::1') };
  await open().store.acquire({ config, attrs: attrs('192.0.2.1', more), previous: undefined });
  t.is(
    (await other.get(`${room}10.5.1.0-24&fd00:5:0:1::-64`))?.value,
    '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
  );
});

test('comes back to the lease that carries its PublicIP, on a new grant', async (t) => {
  const { open, other, room } = setUp(t);
  await other.put(`${room}10.5.9.0-24`, udpValue('192.0.2.9'));
  const first = await open({ random: () => 0.5 }).store.acquire(request('192.0.2.1'));
  const key = room + formatSubnetKey(first.lease.subnets);
  const before = await other.get(key);
  const again = await open().store.acquire(request('192.0.2.1', { previous: pair('10.5.77.0-24') }));
  t.is(words(again), words(first).replace('allocated', 'reused'));
  const after = await other.get(key);
  t.is(after?.value, before?.value);
  t.not(after?.lease, before?.lease);
  t.is((await other.keys(room)).length, 2);
});

test('a node with another PublicIP keeps the lease that it wrote last, unless somebody has written it since (L8 b)', async (t) => {
  const { open, other, room } = setUp(t);
  let written: string | undefined;
  const onWritten = (version: string): void => {
    written = version;
  };
  const previous = pair('10.5.77.0-24');
  await open().store.acquire(request('192.0.2.1', { previous, onWritten }));
  t.is(words(await open().store.acquire(request('192.0.2.2', { written, onWritten }))), 'reused 10.5.77.0-24');
  t.is((await other.get(`${room}10.5.77.0-24`))?.value, udpValue('192.0.2.2'));
  // Another machine got the address, and the lease with it.
  await open().store.acquire(request('192.0.2.2'));
  t.is(words(await open().store.acquire(request('192.0.2.3', { written, previous }))), 'allocated 10.5.1.0-24');
  t.is((await other.get(`${room}10.5.77.0-24`))?.value, udpValue('192.0.2.2'));
});

test('takes its previous subnet, unless somebody overlaps it', async (t) => {
  const { open, other, room } = setUp(t);
  const previous = pair('10.5.77.0-24');
  t.is(words(await open().store.acquire(request('192.0.2.1', { previous }))), 'previous 10.5.77.0-24');
  t.is(words(await open().store.acquire(request('192.0.2.2', { previous }))), 'allocated 10.5.1.0-24');
  await other.put(`${room}10.5.32.0-20`, udpValue('192.0.2.9'));
  const overlapped = request('192.0.2.3', { previous: pair('10.5.40.0-24') });
  t.is(words(await open().store.acquire(overlapped)), 'allocated 10.5.2.0-24');
});

test('leaves a reservation without a grant', async (t) => {
  const { open, other, room } = setUp(t);
  await other.put(`${room}10.5.50.0-24`, udpValue('192.0.2.1'));
  const own = await open().store.acquire(request('192.0.2.1', { previous: pair('10.5.77.0-24') }));
  t.is(words(own), 'reused 10.5.50.0-24');
  t.is(own.lease.expiresAtMs, undefined);
  t.is((await other.get(`${room}10.5.50.0-24`))?.lease, '0');
});

/** A network in which a node of 10.9.0.0/16 has no place. */
async function renumbered(t: ExecutionContext, overrides: StoreOverrides = {}) {
  const made = setUp(t, overrides);
  const grant = await made.other.client.grant(100);
  await made.other.put(`${made.room}10.9.7.0-24`, udpValue('192.0.2.1'), grant.id);
  await made.other.put(`${made.room}10.9.8.0-24`, udpValue('192.0.2.1'));
  return made;
}

test('a lease that does not fit any more goes after the new one is there, in a transaction of its own (L11)', async (t) => {
  const { open, other, room } = await renumbered(t);
  const { store } = open();
  const following = await follow(t, store);
  t.is(words(await store.acquire(request('192.0.2.1'))), 'allocated 10.5.1.0-24');
  t.deepEqual(await other.keys(room), ['10.5.1.0-24', '10.9.8.0-24'], 'the reservation stays');
  await following.until('the new one', ({ history }) => history.includes('put 10.5.1.0-24'));
  const { kvs } = await other.client.range({ key: bytes(`${room}10.5.1.0-24`) });
  const { header } = await other.client.range({ key: bytes(`${room}10.9.7.0-24`) });
  t.true(BigInt(header.revision) > BigInt(kvs[0]!.modRevision), 'a later revision deleted the old one');
});

test('a start with two leases of its own keeps the one that fits, and the other goes (L11)', async (t) => {
  const { open, other, room } = await renumbered(t);
  await other.put(`${room}10.5.40.0-24`, udpValue('192.0.2.1'), (await other.client.grant(100)).id);
  t.is(words(await open().store.acquire(request('192.0.2.1'))), 'reused 10.5.40.0-24');
  t.deepEqual(await other.keys(room), ['10.5.40.0-24', '10.9.8.0-24']);
});

test('where only the room of its own former lease is free, that goes first (L11)', async (t) => {
  const { open, other, room } = setUp(t);
  const config = parseNetworkConfig('{"Network":"10.5.0.0/24","SubnetLen":26}');
  await other.put(`${room}10.5.0.64-26`, udpValue('192.0.2.8'));
  const grant = await other.client.grant(100);
  await other.put(`${room}10.5.0.128-25`, udpValue('192.0.2.1'), grant.id);
  t.is(words(await open().store.acquire(request('192.0.2.1', { config }))), 'allocated 10.5.0.128-26');
  t.deepEqual(await other.keys(room), ['10.5.0.128-26', '10.5.0.64-26']);
});

test('keeps out of subnets whose key or value does not parse', async (t) => {
  const { open, other, room } = setUp(t);
  await other.put(`${room}10.5.1.0-24`, '{"PublicIP":');
  await other.put(`${room}x10.5.2.0-24`, udpValue('192.0.2.9'));
  await other.put(`${room}nonsense`, udpValue('192.0.2.1'));
  await other.put(`${room.slice(0, -1)}FOO/10.5.3.0-24`, udpValue('192.0.2.1'));
  const { store, log } = open();
  t.is(words(await store.acquire(request('192.0.2.1'))), 'allocated 10.5.3.0-24');
  t.is(store.health().skipped, 3);
  t.is(log.count('skipped'), 3);
});

test('of two nodes that pick the same subnet at the same time, each ends with its own', async (t) => {
  const { open, other, room } = setUp(t);
  const nodes = await Promise.all(
    ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((ip) => open().store.acquire(request(ip))),
  );
  t.deepEqual(nodes.map(words).sort(), ['allocated 10.5.1.0-24', 'allocated 10.5.2.0-24', 'allocated 10.5.3.0-24']);
  t.deepEqual(await other.keys(room), ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24']);
});

// Serial: no other test may make grants meanwhile.
test.serial('of two nodes that race for the last subnet, exactly one gets it and no grant is left over', async (t) => {
  const { open, other, room } = setUp(t);
  const config = parseNetworkConfig('{"Network":"10.5.0.0/24","SubnetLen":26}');
  await other.put(`${room}10.5.0.64-26`, udpValue('192.0.2.8'));
  await other.put(`${room}10.5.0.128-26`, udpValue('192.0.2.9'));
  const before = await grants();
  const outcomes = await Promise.allSettled(
    ['192.0.2.1', '192.0.2.2'].map((ip) => open().store.acquire(request(ip, { config }))),
  );
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.is(won.length, 1);
  t.is(lost[0]?.reason.code, 'OUT_OF_SUBNETS');
  const key = await other.get(`${room}10.5.0.192-26`);
  t.deepEqual(
    (await grants()).filter((grant) => !before.includes(grant) && BigInt(`0x${grant}`) !== BigInt(key!.lease)),
    [],
  );
});

/** The ids of all grants, in hexadecimal. */
async function grants(): Promise<string[]> {
  return (await etcd.etcdctl('lease', 'list'))
    .split('\n')
    .slice(1)
    .filter((line) => line !== '');
}

test('gives up after ten lost races', async (t) => {
  const { open, room } = setUp(t);
  let races = 0;
  // The store draws after it has listed and before it writes. There a rival takes what it is about to choose; the draw
  // cannot wait for a promise, so the rival is a process.
  const random = () => {
    const key = `${room}10.5.${++races}.0-24`;
    const args = ['--endpoints', etcd.endpoint, 'put', key, udpValue('192.0.2.99')];
    execFileSync('etcdctl', args, { env: { ...process.env, ETCDCTL_API: '3' } });
    return 0;
  };
  await t.throwsAsync(open({ random }).store.acquire(request('192.0.2.1')), { code: 'LEASE_CONTENDED' });
  t.is(races, 10);
});

test('what is prepared comes before the write, and anew when somebody takes the subnet meanwhile (F1)', async (t) => {
  const { open, other, room } = setUp(t);
  const prepared: string[] = [];
  const prepare = async (subnets: SubnetPair): Promise<void> => {
    const key = formatSubnetKey(subnets);
    t.is(await other.get(room + key), undefined);
    if (prepared.push(key) === 1) await other.put(room + key, udpValue('192.0.2.9'));
  };
  t.is(words(await open().store.acquire(request('192.0.2.1', { prepare }))), 'allocated 10.5.2.0-24');
  t.deepEqual(prepared, ['10.5.1.0-24', '10.5.2.0-24']);
  const fail = (): Promise<void> => Promise.reject(new Error('no device'));
  await t.throwsAsync(open().store.acquire(request('192.0.2.2', { prepare: fail })), { message: 'no device' });
  t.deepEqual(await other.keys(room), ['10.5.1.0-24', '10.5.2.0-24']);
});

test('in dual stack no two nodes share a subnet of one family, though their keys differ', async (t) => {
  const { open, other, room } = setUp(t);
  const config = parseNetworkConfig(
    '{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48","Backend":{"Type":"udp"}}',
  );
  let draws = 0;
  // Between list and write a rival takes the IPv4 subnet that is about to be chosen, with another IPv6 one.
  const random = () => {
    if (draws++ === 0) {
      const key = `${room}10.5.1.0-24&fd00:5:0:ff::-64`;
      const args = ['--endpoints', etcd.endpoint, 'put', key, udpValue('192.0.2.99')];
      execFileSync('etcdctl', args, { env: { ...process.env, ETCDCTL_API: '3' } });
    }
    return 0;
  };
  const own = await open({ random }).store.acquire(request('192.0.2.1', { config }));
  t.deepEqual(await other.keys(room), ['10.5.1.0-24&fd00:5:0:ff::-64', '10.5.2.0-24&fd00:5:0:1::-64']);
  t.is(words(own), 'allocated 10.5.2.0-24&fd00:5:0:1::-64');
});

/** A store that renews its lease every 100 ms. */
const RENEWING = { ttlSeconds: 60, renewMarginMs: 59_900 };

test('renews its lease before it ends', async (t) => {
  const { open, other, room } = setUp(t);
  const { store, log } = open(RENEWING);
  const own = await store.acquire(request('192.0.2.1'));
  const key = `${room}10.5.1.0-24`;
  await log.until('renewed the lease');
  const first = await other.get(key);
  await log.until('renewed the lease', log.count('renewed the lease') + 2);
  const second = await other.get(key);
  t.not(second?.lease, first?.lease);
  t.is(second?.value, udpValue('192.0.2.1'));
  t.true(store.health().leaseExpiresAtMs! > own.lease.expiresAtMs!);
});

test('without a watch too it takes its subnet again when its key was deleted, and leaves it to a node that has taken it', async (t) => {
  const { open, other, prefix, room } = setUp(t);
  const { store, log } = open(RENEWING);
  await other.put(`${prefix}/config`, '{"Network":"10.5.0.0/16"}');
  const kinds = new Set<string>();
  await store.acquire(request('192.0.2.1', { onCondition: ({ kind }) => kinds.add(kind) }));
  await other.delete(`${room}10.5.1.0-24`);
  await log.until('taking the same subnet again');
  await log.until('renewed the lease', log.count('renewed the lease') + 1);
  t.is((await other.get(`${room}10.5.1.0-24`))?.value, udpValue('192.0.2.1'));
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.9'));
  await eventually('the renewal has seen it', () => kinds.has('taken'));
  t.is((await other.get(`${room}10.5.1.0-24`))?.value, udpValue('192.0.2.9'));
});

test('renews over a value that was written for it, and stops when its lease has become a reservation', async (t) => {
  const { open, other, room } = setUp(t);
  const { store, log } = open(RENEWING);
  await store.acquire(request('192.0.2.1'));
  const grant = await other.client.grant(50);
  await other.put(`${room}10.5.1.0-24`, '{"publicip":"192.0.2.1"}', grant.id);
  // One renewal may have been under way.
  await log.until('renewed the lease', log.count('renewed the lease') + 2);
  t.is((await other.get(`${room}10.5.1.0-24`))?.value, udpValue('192.0.2.1'));
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await log.until('has become a reservation');
  t.is((await other.get(`${room}10.5.1.0-24`))?.lease, '0');
  t.is(store.health().leaseExpiresAtMs, undefined);
});

test('reads the network configuration, and says what to do when it is missing or wrong', async (t) => {
  const { open, other, prefix } = setUp(t);
  const { store } = open();
  const missing = await t.throwsAsync(store.networkConfig(), { code: 'CONFIG_MISSING' });
  t.is(missing?.message, `No network configuration at ${prefix}/config in etcd at ${etcd.endpoint}`);
  t.like(missing, {
    hint: `write one: ETCDCTL_API=3 etcdctl put ${prefix}/config '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}'`,
  });
  await other.put(`${prefix}/config`, '{"Network":"10.244.0.0/16","SubnetLen":31}');
  await t.throwsAsync(store.networkConfig(), {
    code: 'CONFIG_INVALID',
    message: `Network configuration at ${prefix}/config is invalid: SubnetLen is 31: must be 30 or less`,
  });
  await other.put(`${prefix}/config`, '{"network":"10.244.0.0/16","Backend":{"Type":"UDP","Port":4242}}');
  t.like(await store.networkConfig(), { subnetLen: 24, backendType: 'udp', backend: { Port: 4242 } });
});

test('takes a prefix with or without a trailing slash', async (t) => {
  const { open, other, prefix } = setUp(t);
  await other.put(`${prefix}/config`, '{"Network":"10.244.0.0/16"}');
  const { store } = open({ prefix: `${prefix.replace('/network', '//network')}/` });
  t.is((await store.networkConfig()).subnetLen, 24);
});

test('refuses a renewal margin that is not shorter than the lease', (t) => {
  t.throws(() => openStore(t, etcd.endpoint, { ttlSeconds: 60, renewMarginMs: 60_000 }), {
    code: 'STORE_OPTIONS_INVALID',
  });
});

test('all leases can be listed once, and what does not parse is skipped', async (t) => {
  const { open, other, room } = setUp(t);
  const { store } = open();
  t.deepEqual(await store.leases(), []);
  await other.put(`${room}10.5.7.0-24`, udpValue('192.0.2.7'));
  await other.put(`${room}nonsense`, udpValue('192.0.2.8'));
  await store.acquire(request('192.0.2.1'));
  const listed = await store.leases();
  t.deepEqual(listed.map(({ subnets }) => formatSubnetKey(subnets)).toSorted(), ['10.5.1.0-24', '10.5.7.0-24']);
  t.is(store.health().skipped, 1);
});
