import test, { type ExecutionContext } from 'ava';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { formatSubnetKey } from '../../../lib/lease/subnet-key.ts';
import { type EtcdServer, type EtcdServerOptions, startEtcd } from '../../etcd-server.ts';
import { type Tap, TcpProxy } from '../../tcp-proxy.ts';
import { attrs, eventually, Following, follow, Other, openStore, type StoreOverrides, udpValue } from './harness.ts';
import { WatchTaps } from './watch-tap.ts';

const ROOM = '/coreos.com/network/subnets/';
/** Answers a missing heartbeat within a second instead of eight. */
const QUICK: StoreOverrides = { heartbeatMs: 200, dialTimeoutMs: 1000, callTimeoutMs: 5000 };

async function start(t: ExecutionContext, options?: EtcdServerOptions): Promise<EtcdServer> {
  const etcd = await startEtcd(options);
  t.teardown(() => etcd.stop());
  return etcd;
}

/** An etcd, a wire to it that can be cut, a store at the far end of it, and another client that is not affected. */
async function setUp(t: ExecutionContext, overrides: StoreOverrides = {}, tap?: () => Tap) {
  const etcd = await start(t);
  const proxy = await TcpProxy.start(etcd.clientPort, tap);
  t.teardown(() => proxy.stop());
  const other = new Other(t, etcd.endpoint);
  await other.put(`${ROOM}10.5.1.0-24`, udpValue('192.0.2.1'));
  const { store, log } = openStore(t, proxy.endpoint, overrides);
  const following = await follow(t, store);
  // A change that arrives shows that the watch is established, too.
  await other.put(`${ROOM}10.5.2.0-24`, udpValue('192.0.2.2'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24');
  return { etcd, proxy, other, store, log, following };
}

test('waits for an etcd that is down at the start', async (t) => {
  const etcd = await start(t);
  await etcd.kill();
  const { store, log } = openStore(t, etcd.endpoint, QUICK);
  const refused = await t.throwsAsync(store.networkConfig(), { code: 'STORE_UNREACHABLE' });
  t.is(refused?.message, `Cannot reach etcd at ${etcd.endpoint}: connect ECONNREFUSED 127.0.0.1:${etcd.clientPort}`);
  const following = new Following();
  const watch = store.watch(following);
  await log.until('not following etcd');
  t.like(store.health(), { connected: false, revision: undefined, lastError: refused?.message });
  t.is(following.lists, 0, 'no list is no empty list');
  await etcd.restart();
  await watch.ready;
  t.deepEqual(following.history, ['list ']);
});

test('keeps all leases while etcd is dead, and is back with what happened meanwhile', async (t) => {
  const { etcd, proxy, other, store, log, following } = await setUp(t);
  await etcd.kill();
  await log.until('not following etcd');
  t.false(store.health().connected);
  t.truthy(store.health().lastError);
  await proxy.cut();
  await etcd.restart();
  await other.put(`${ROOM}10.5.3.0-24`, udpValue('192.0.2.3'));
  await other.delete(`${ROOM}10.5.1.0-24`);
  const last = await other.put(`${ROOM}10.5.2.0-24`, udpValue('192.0.2.22'));
  t.is(following.keys, '10.5.1.0-24,10.5.2.0-24');
  await proxy.restore();
  await following.untilKeys('10.5.2.0-24,10.5.3.0-24');
  // Resumed, not listed again: every change arrives as an event, once.
  t.deepEqual(following.written, [
    'list 10.5.1.0-24',
    'put 10.5.2.0-24',
    'put 10.5.3.0-24',
    'put 10.5.2.0-24',
    'leave 10.5.1.0-24',
  ]);
  await log.until('following etcd again');
  t.like(store.health(), { connected: true, lastError: undefined, revision: last, watchRestarts: 1 });
  t.true(log.lines.length < 10, JSON.stringify(log.lines));
});

test('notices an etcd that hangs, and loses nothing when it goes on', async (t) => {
  const { etcd, other, log, following } = await setUp(t);
  etcd.pause();
  await log.until('not following etcd');
  t.is(following.keys, '10.5.1.0-24,10.5.2.0-24');
  etcd.resume();
  await other.put(`${ROOM}10.5.4.0-24`, udpValue('192.0.2.4'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24,10.5.4.0-24');
  t.is(following.lists, 1);
});

test('notices a black hole by its heartbeat, and does not pile up connections in it', async (t) => {
  const { proxy, other, log, following } = await setUp(t, QUICK);
  proxy.hold();
  await log.until('not following etcd');
  const before = proxy.accepted;
  await eventually('further attempts', () => proxy.accepted >= before + 4);
  t.true(proxy.clientConnections <= 2, `${proxy.clientConnections} connections`);
  await other.delete(`${ROOM}10.5.2.0-24`);
  proxy.release();
  await following.untilKeys('10.5.1.0-24');
});

test('lists again when the history it needs was compacted while it was away', async (t) => {
  const { etcd, proxy, other, store, log, following } = await setUp(t);
  await proxy.cut();
  await other.put(`${ROOM}10.5.3.0-24`, udpValue('192.0.2.3'));
  await other.delete(`${ROOM}10.5.1.0-24`);
  const last = await other.put(`${ROOM}10.5.2.0-24`, udpValue('192.0.2.22'));
  await etcd.etcdctl('compact', last);
  await proxy.restore();
  await following.until('a second list', ({ lists }) => lists === 2);
  t.is(following.written.at(-1), 'list 10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
  t.is(following.state.get('10.5.2.0-24'), 0xc0000216);
  t.is(store.health().revision, last);
  t.is(log.count('etcd cannot continue the watch'), 1);
  await other.put(`${ROOM}10.5.4.0-24`, udpValue('192.0.2.4'));
  await following.untilKeys('10.5.2.0-24,10.5.3.0-24,10.5.4.0-24');
});

test('asks again from the last applied revision when the wire breaks right behind the reply to a watch', async (t) => {
  const taps = new WatchTaps();
  const { proxy, other, following } = await setUp(t, {}, () => taps.tap());
  const applied = await other.put(`${ROOM}10.5.3.0-24`, udpValue('192.0.2.3'));
  await following.until('the third lease', ({ state }) => state.size === 3);
  await proxy.cut();
  for (let n = 4; n < 14; n++) await other.put(`${ROOM}10.5.${n}.0-24`, udpValue(`192.0.2.${n}`));
  taps.asked.length = 0;
  taps.cuts = 2;
  await proxy.restore();
  await following.until('all leases', ({ state }) => state.size === 13);
  const next = String(BigInt(applied) + 1n);
  t.deepEqual(taps.asked, [next, next, next]);
  t.deepEqual(
    following.history.slice(3),
    Array.from({ length: 10 }, (_, index) => `put 10.5.${index + 4}.0-24`),
  );
});

test('catches up on more than the 4 MiB that gRPC usually allows', async (t) => {
  const { proxy, other, store, following } = await setUp(t);
  await proxy.cut();
  const large = udpValue('192.0.2.9').replace('}', `,"BackendData":"${'x'.repeat(900_000)}"}`);
  for (let n = 3; n < 9; n++) await other.put(`${ROOM}10.5.${n}.0-24`, large);
  await proxy.restore();
  await following.until('all leases', ({ state }) => state.size === 8);
  t.is(following.lists, 1);
  const second = await follow(t, store);
  t.is(second.state.size, 8);
});

test('another etcd that answers at the same address cuts nobody off (L4)', async (t) => {
  const { proxy, other, following } = await setUp(t);
  for (let n = 0; n < 10; n++) await other.put(`${ROOM}10.5.3.0-24`, udpValue('192.0.2.3'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
  await proxy.cut();
  const second = await start(t);
  const otherSecond = new Other(t, second.endpoint);
  await otherSecond.put(`${ROOM}10.5.9.0-24`, udpValue('192.0.2.9'));
  proxy.target = second.clientPort;
  await proxy.restore();
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24,10.5.3.0-24,10.5.9.0-24');
  t.deepEqual(following.loss, { how: 'another-history', lost: 3, known: 4 });
  t.is(following.lists, 2);
  // The subnet of one is leased to another, the others are written again.
  await otherSecond.put(`${ROOM}10.5.1.0-25`, udpValue('192.0.2.8'));
  await following.untilKeys('10.5.1.0-25,10.5.2.0-24,10.5.3.0-24,10.5.9.0-24');
  for (const n of [2, 3]) await otherSecond.put(`${ROOM}10.5.${n}.0-24`, udpValue(`192.0.2.${n}`));
  await following.until('that all are back', ({ loss }) => loss === undefined);
  t.is(following.keys, '10.5.1.0-25,10.5.2.0-24,10.5.3.0-24,10.5.9.0-24');
});

test('uses the next endpoint when one is dead, at the start and later', async (t) => {
  const etcd = await start(t);
  const [one, two] = [await TcpProxy.start(etcd.clientPort), await TcpProxy.start(etcd.clientPort)];
  t.teardown(() => Promise.all([one.stop(), two.stop()]));
  await one.cut();
  const { store } = openStore(t, `${one.endpoint}/,${two.endpoint}/`);
  const following = await follow(t, store);
  t.is(store.health().endpoint, two.endpoint);
  await one.restore();
  await two.cut();
  const other = new Other(t, etcd.endpoint);
  await other.put(`${ROOM}10.5.1.0-24`, udpValue('192.0.2.1'));
  await following.untilKeys('10.5.1.0-24');
  t.like(store.health(), { endpoint: one.endpoint, connected: true });
  await one.cut();
  const error = await t.throwsAsync(store.networkConfig(), { code: 'STORE_UNREACHABLE' });
  t.regex(error?.message ?? '', /^No etcd endpoint works: Cannot reach .*ECONNREFUSED.*; Cannot reach .*ECONNREFUSED/);
});

test('tries a renewal again that etcd was away for', async (t) => {
  const { etcd, other, store, log } = await setUp(t, {
    ...QUICK,
    ttlSeconds: 60,
    renewMarginMs: 59_500,
    renewRetryMs: 100,
  });
  const config = parseNetworkConfig('{"Network":"10.6.0.0/16"}');
  const { lease } = await store.acquire({ config, attrs: attrs('192.0.2.1'), previous: undefined });
  await etcd.kill();
  await log.until('could not renew the lease');
  t.is(store.health().leaseExpiresAtMs, lease.expiresAtMs);
  await etcd.restart();
  await log.until('renewed the lease');
  t.is((await other.get(`${ROOM}${formatSubnetKey(lease.subnets)}`))?.value, udpValue('192.0.2.1'));
});
