import test, { type ExecutionContext } from 'ava';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import type { AcquireRequest, OwnLeaseCondition } from '../../../lib/store/store.ts';
import { type EtcdServer, startEtcd } from '../../etcd-server.ts';
import { TcpProxy } from '../../tcp-proxy.ts';
import { attrs, eventually, follow, Other, openStore, type StoreOverrides, udpValue } from './harness.ts';

const CONFIG_TEXT = '{"Network":"10.5.0.0/16"}';
const CONFIG = parseNetworkConfig(CONFIG_TEXT);
const OURS = '192.0.2.1';
const OTHER = '192.0.2.9';
const KEY = '10.5.1.0-24';

let etcd: EtcdServer;
test.before(async () => {
  etcd = await startEtcd();
});
test.after.always(() => etcd.stop());

interface Kept {
  readonly conditions: OwnLeaseCondition[];
  /** The kinds of the conditions, each once where it was told several times. */
  kinds(): string;
}

function keepConditions(): Kept & { readonly onCondition: (condition: OwnLeaseCondition) => void } {
  const conditions: OwnLeaseCondition[] = [];
  const kinds = (): string =>
    conditions
      .map(({ kind }) => kind)
      .filter((kind, index, all) => kind !== all[index - 1])
      .join();
  return { conditions, kinds, onCondition: (condition) => conditions.push(condition) };
}

/** A store that holds 10.5.1.0/24 and follows its etcd, under a prefix of its own. */
let prefixes = 0;
async function hold(
  t: ExecutionContext,
  overrides: StoreOverrides = {},
  more: Partial<AcquireRequest> & { readonly reserved?: true } = {},
) {
  const prefix = `/weft-own-${++prefixes}/network`;
  const other = new Other(t, etcd.endpoint);
  await other.put(`${prefix}/config`, CONFIG_TEXT);
  if (more.reserved) await other.put(`${prefix}/subnets/${KEY}`, udpValue(OURS));
  const { store, log } = openStore(t, etcd.endpoint, { prefix, random: () => 0, ...overrides });
  const kept = keepConditions();
  const request = { config: CONFIG, attrs: attrs(OURS), previous: undefined, onCondition: kept.onCondition, ...more };
  const own = await store.acquire(request);
  const following = await follow(t, store);
  return { store, log, other, own, following, kept, prefix, key: `${prefix}/subnets/${KEY}` };
}

test('a lease whose key is deleted is written again at once, on a grant (L1)', async (t) => {
  const { other, key, following, kept, log, store } = await hold(t);
  const before = await other.get(key);
  await other.delete(key);
  await log.until('wrote the lease again');
  await following.untilKeys(KEY);
  const after = await other.get(key);
  t.is(after?.value, udpValue(OURS));
  t.not(after?.lease, before?.lease);
  t.not(after?.lease, '0');
  t.is(kept.kinds(), 'gone,held');
  t.true(store.health().leaseExpiresAtMs! > Date.now());
});

test('a lease whose grant is revoked is written again at once (L2)', async (t) => {
  const { other, key, log } = await hold(t);
  await other.client.revoke((await other.get(key))!.lease);
  await log.until('wrote the lease again');
  t.is((await other.get(key))?.value, udpValue(OURS));
});

test("another node's value over our lease is left alone, and our lease is back when it goes (L3)", async (t) => {
  const { other, key, log, kept, following } = await hold(t);
  await other.put(key, udpValue(OTHER));
  await eventually('the loss is noticed', () => kept.conditions.at(-1)?.kind === 'taken');
  await following.until('the other value', ({ history }) => history.at(-1) === `put ${KEY}`);
  t.is((await other.get(key))?.value, udpValue(OTHER));
  await other.delete(key);
  await log.until('wrote the lease again');
  t.is((await other.get(key))?.value, udpValue(OURS));
  t.is(kept.kinds(), 'taken,gone,held');
});

test('a lease that was overwritten and is given back in place is on a grant of ours again (L3)', async (t) => {
  const { other, key, log, kept } = await hold(t);
  await other.put(key, udpValue(OTHER));
  await eventually('the loss is noticed', () => kept.conditions.at(-1)?.kind === 'taken');
  const grant = await other.client.grant(60);
  await other.put(key, udpValue(OURS), grant.id);
  await log.until('wrote the lease again');
  t.not((await other.get(key))?.lease, grant.id);
  t.is(kept.conditions.at(-1)?.kind, 'held');
});

test("a subnet that stays another node's is given up (L3)", async (t) => {
  const { other, key, kept, store } = await hold(t, { yieldMs: 50 });
  await other.put(key, udpValue(OTHER));
  await eventually('it is given up', () => kept.conditions.at(-1)?.kind === 'lost');
  t.like(kept.conditions.at(-1), { to: attrs(OTHER) });
  await other.delete(key);
  t.is(store.health().leaseExpiresAtMs, undefined);
  t.is(await other.get(key), undefined, 'it is not ours to write any more');
});

test('in an etcd that was set up anew the lease is written again once the configuration is there (L4)', async (t) => {
  const first = await startEtcd();
  t.teardown(() => first.stop());
  const proxy = await TcpProxy.start(first.clientPort);
  t.teardown(() => proxy.stop());
  const kept = keepConditions();
  const { store, log } = openStore(t, proxy.endpoint, { random: () => 0 });
  await store.acquire({ config: CONFIG, attrs: attrs(OURS), previous: undefined, onCondition: kept.onCondition });
  await follow(t, store);

  await first.eraseAndRestart();
  const other = new Other(t, first.endpoint);
  await eventually('the loss is noticed', () => kept.conditions.some((one) => one.kind === 'gone' && !!one.obstacle));
  const key = `/coreos.com/network/subnets/${KEY}`;
  t.is(await other.get(key), undefined, 'without a configuration nobody knows that it fits');
  await other.put('/coreos.com/network/config', CONFIG_TEXT);
  await log.until('wrote the lease again');
  t.is((await other.get(key))?.value, udpValue(OURS));
  t.is(kept.kinds(), 'gone,held');
});

test('a lease that is gone is given up when the network has no place for it any more (L4, L7)', async (t) => {
  const { other, key, kept, prefix } = await hold(t);
  await other.put(`${prefix}/config`, '{"Network":"10.6.0.0/16"}');
  await other.delete(key);
  await eventually('it is given up', () => kept.conditions.at(-1)?.kind === 'lost');
  t.like(kept.conditions.at(-1), { to: undefined });
  t.is(await other.get(key), undefined);
});

test('a deleted reservation is written again as a lease (L1)', async (t) => {
  const { key, log, other, own, store } = await hold(t, {}, { reserved: true });
  t.is(own.lease.expiresAtMs, undefined);
  await other.delete(key);
  await log.until('it was a reservation, and becomes a lease');
  await log.until('wrote the lease again');
  t.not((await other.get(key))?.lease, '0');
  t.not(store.health().leaseExpiresAtMs, undefined);
});

test('a value that nobody can read is corrected, once a minute at most (L3)', async (t) => {
  let uptime = 0;
  const { key, log, other, store } = await hold(t, { uptime: () => uptime });
  const corrected = 'wrote the lease over a value that nobody can read';
  uptime += 60_000;
  await other.put(key, 'not JSON');
  await log.until(corrected);
  t.is((await other.get(key))?.value, udpValue(OURS));
  const revision = await other.put(key, 'not JSON again');
  await eventually('it has been seen', () => Number(store.health().revision) >= Number(revision));
  t.is((await other.get(key))?.value, 'not JSON again');
  uptime += 60_000;
  await other.put(key, 'not JSON either');
  await log.until(corrected, 2);
  t.is((await other.get(key))?.value, udpValue(OURS));
});

/** Clocks that stand still but where the test moves them. */
function clocks() {
  const at = { now: Date.now(), uptime: 0 };
  return { at, now: () => at.now, uptime: () => at.uptime };
}

/** Lists come quickly, and with each a look at the clocks. */
const LISTING = { relistIntervalMs: 50 };
const HOUR_MS = 3_600_000;

test('a failed renewal is tried again in a minute though the clock was set back by hours (L13)', async (t) => {
  const { at, now, uptime } = clocks();
  const server = await startEtcd();
  t.teardown(() => server.stop());
  const { store, log } = openStore(t, server.endpoint, {
    ...LISTING,
    now,
    uptime,
    random: () => 0,
    renewRetryMs: 60_000,
  });
  await store.acquire({ config: CONFIG, attrs: attrs(OURS), previous: undefined });
  const following = await follow(t, store);
  at.now -= 2 * HOUR_MS;
  await server.kill();
  at.uptime += 23 * HOUR_MS;
  at.now += 23 * HOUR_MS;
  await log.until('could not renew the lease; trying again');
  await server.restart();
  at.uptime += 60_000;
  at.now += 60_000;
  await log.until('renewed the lease');
  t.is(following.keys, KEY);
  t.is(Math.round((store.health().leaseExpiresAtMs! - at.now) / HOUR_MS), 24);
});

test('a machine whose monotonic clock slept renews by the wall clock, and shows the true end (L14)', async (t) => {
  const { at, now, uptime } = clocks();
  const { store, log } = await hold(t, { ...LISTING, now, uptime });
  at.now += 22 * HOUR_MS;
  t.is(store.health().leaseExpiresAtMs! - at.now, 2 * HOUR_MS);
  at.now += HOUR_MS;
  await log.until('renewed the lease');
  t.is(store.health().leaseExpiresAtMs! - at.now, 24 * HOUR_MS);
});

test('a lease that ran out while the machine slept is taken again at once when it wakes (L14)', async (t) => {
  const { at, now, uptime } = clocks();
  const { other, key, log } = await hold(t, { now, uptime });
  at.now += 25 * HOUR_MS;
  await other.client.revoke((await other.get(key))!.lease);
  await log.until('wrote the lease again');
  t.is((await other.get(key))?.value, udpValue(OURS));
});

test('a subnet that another node took while the machine slept is given up at once (L14, L5)', async (t) => {
  const prefix = `/weft-own-${++prefixes}/network`;
  const other = new Other(t, etcd.endpoint);
  const { store } = openStore(t, etcd.endpoint, { prefix, random: () => 0 });
  const kept = keepConditions();
  await store.acquire({ config: CONFIG, attrs: attrs(OURS), previous: undefined, onCondition: kept.onCondition });
  // Asleep: it sees neither.
  await other.delete(`${prefix}/subnets/${KEY}`);
  await other.put(`${prefix}/subnets/${KEY}`, udpValue(OTHER));
  await follow(t, store);
  await eventually('it is given up', () => kept.conditions.at(-1)?.kind === 'lost');
  t.is(kept.kinds(), 'taken,lost');
  t.is((await other.get(`${prefix}/subnets/${KEY}`))?.value, udpValue(OTHER));
});

test('an older lease of another node that has a subnet of ours takes it, and our key goes (L5)', async (t) => {
  const prefix = `/weft-own-${++prefixes}/network`;
  const other = new Other(t, etcd.endpoint);
  const { store } = openStore(t, etcd.endpoint, { prefix, random: () => 0 });
  const kept = keepConditions();
  await store.acquire({ config: CONFIG, attrs: attrs(OURS), previous: undefined, onCondition: kept.onCondition });
  const key = `${prefix}/subnets/${KEY}`;
  // As in a race of two dual-stack nodes: the other was first, under a key that differs in its IPv6 part.
  await other.delete(key);
  await other.put(`${prefix}/subnets/10.5.1.0-24&fd00:5:0:9::-64`, udpValue(OTHER));
  await other.put(key, udpValue(OURS));
  await follow(t, store);
  await eventually('it is given up', () => kept.conditions.at(-1)?.kind === 'lost');
  t.is(await other.get(key), undefined);
});

test('a younger lease over ours, and a longer one inside it, are not given way to (S4)', async (t) => {
  const { other, key, kept, prefix, following } = await hold(t);
  await other.put(`${prefix}/subnets/10.5.0.0-22`, udpValue(OTHER));
  await other.put(`${prefix}/subnets/10.5.1.4-30`, udpValue(OTHER));
  await following.until('both are seen', ({ state }) => state.size === 3);
  t.deepEqual(
    kept.conditions.filter(({ kind }) => kind !== 'held'),
    [],
  );
  await other.delete(key);
  // Now the other one is older.
  await eventually('it is given up', () => kept.conditions.at(-1)?.kind === 'lost');
});

test('of two machines with one PublicIP neither writes before its next renewal, and the first says so (L6)', async (t) => {
  const { at, now, uptime } = clocks();
  const first = await hold(t, { ...LISTING, now, uptime });
  const { other, key, prefix } = first;
  const before = await other.get(key);
  const second = keepConditions();
  const { store } = openStore(t, etcd.endpoint, { prefix, ...LISTING });
  await store.acquire({ config: CONFIG, attrs: attrs(OURS), previous: undefined, onCondition: second.onCondition });
  await follow(t, store);
  await eventually('the first says so', () => first.kept.conditions.at(-1)?.kind === 'shared');
  const { lists } = first.following;
  await first.following.until('three more lists', (following) => following.lists > lists + 3);
  const taken = await other.get(key);
  t.not(taken?.lease, before?.lease);
  t.is(first.log.count('wrote the lease again') + first.log.count('renewed the lease'), 0);
  t.is(second.conditions.filter(({ kind }) => kind !== 'held').length, 0);

  at.uptime += 23 * HOUR_MS;
  await first.log.until('renewed the lease');
  await eventually('now the second says so', () => second.conditions.at(-1)?.kind === 'shared');
  t.is(first.kept.conditions.at(-1)?.kind, 'held');
  t.is(first.log.count('renewed the lease'), 1);
});
