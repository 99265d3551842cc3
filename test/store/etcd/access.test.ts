import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { type EtcdServer, startEtcd } from '../../etcd-server.ts';
import { attrs, Following, follow, Other, openStore, udpValue } from './harness.ts';

const PREFIX = '/coreos.com/network';
const ROOM = `${PREFIX}/subnets/`;
const CONFIG = parseNetworkConfig('{"Network":"10.5.0.0/16"}');
const ROOT = { username: 'root', password: 'root-secret' };
const WEFT = { username: 'weft', password: 'weft-secret' };

/** An etcd with authentication on: root, and the user weft with read and write permission on flannel's prefix. */
async function startWithAuth(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  await etcd.etcdctl('user', 'add', 'root:root-secret');
  await etcd.etcdctl('user', 'add', 'weft:weft-secret');
  await etcd.etcdctl('role', 'add', 'network');
  await etcd.etcdctl('role', 'grant-permission', 'network', '--prefix=true', 'readwrite', `${PREFIX}/`);
  await etcd.etcdctl('user', 'grant-role', 'weft', 'network');
  await etcd.etcdctl('user', 'grant-role', 'root', 'root');
  await etcd.etcdctl('auth', 'enable');
  return etcd;
}

test('works with a user, and goes on when etcd restarts and no longer knows its token', async (t) => {
  const etcd = await startWithAuth(t);
  const { store, log } = openStore(t, etcd.endpoint, WEFT);
  const other = new Other(t, etcd.endpoint, ROOT);
  await store.acquire({ config: CONFIG, attrs: attrs('192.0.2.1'), previous: undefined });
  const following = await follow(t, store);
  t.is(following.state.size, 1);
  await etcd.restart();
  await other.put(`${ROOM}10.9.1.0-24`, udpValue('192.0.2.9'));
  await following.until('the lease put after the restart', ({ state }) => state.size === 2);
  await store.acquire({ config: CONFIG, attrs: attrs('192.0.2.1'), previous: undefined });
  t.is(store.health().lastError, undefined);
  t.false(JSON.stringify(log.lines).includes('secret'));
});

test('says that a password is wrong, and shows it nowhere', async (t) => {
  const etcd = await startWithAuth(t);
  const { store, log } = openStore(t, etcd.endpoint, { username: 'weft', password: 'not-the-secret' });
  const error = await t.throwsAsync(store.networkConfig(), { code: 'STORE_DENIED' });
  t.is(
    error?.message,
    `Etcd at ${etcd.endpoint} denies access: etcdserver: authentication failed, invalid user ID or password`,
  );
  t.like(error, { hint: 'check --etcd-username and --etcd-password' });
  const watch = store.watch(new Following());
  await log.until('not following etcd');
  await watch.close();
  await t.throwsAsync(watch.ready, { code: 'STORE_CLOSED' });
  for (const shown of [
    inspect(store, { depth: 9, showHidden: true }),
    inspect(error, { depth: 9 }),
    JSON.stringify(log.lines),
  ])
    t.false(shown.includes('not-the-secret'));
});

test('says what is missing when etcd asks for a user, or gives this one no permission', async (t) => {
  const etcd = await startWithAuth(t);
  const nobody = openStore(t, etcd.endpoint).store;
  const anonymous = await t.throwsAsync(nobody.networkConfig(), { code: 'STORE_DENIED' });
  t.is(anonymous?.message, `Etcd at ${etcd.endpoint} denies access: etcdserver: user name is empty`);
  t.like(anonymous, { hint: 'this etcd asks for a user: give --etcd-username and --etcd-password' });
  const elsewhere = openStore(t, etcd.endpoint, { ...WEFT, prefix: '/elsewhere' }).store;
  const forbidden = await t.throwsAsync(elsewhere.networkConfig(), { code: 'STORE_DENIED' });
  t.is(forbidden?.message, `Etcd at ${etcd.endpoint} denies access: etcdserver: permission denied`);
  t.regex(String(Object(forbidden).hint), /etcdctl role grant-permission/);
});

test('keeps all leases when its permission is taken away, and follows again when it is back', async (t) => {
  const etcd = await startWithAuth(t);
  const { store, log } = openStore(t, etcd.endpoint, { ...WEFT, relistIntervalMs: 50 });
  const other = new Other(t, etcd.endpoint, ROOT);
  const following = await follow(t, store);
  await other.put(`${ROOM}10.9.1.0-24`, udpValue('192.0.2.9'));
  await following.untilKeys('10.9.1.0-24');
  const root = ['--user', 'root:root-secret'];
  await etcd.etcdctl(...root, 'role', 'revoke-permission', 'network', '--prefix=true', `${PREFIX}/`);
  await log.until('could not list the leases again');
  t.is(following.keys, '10.9.1.0-24');
  t.is(log.count('could not list the leases again'), 1);
  await etcd.etcdctl(...root, 'role', 'grant-permission', 'network', '--prefix=true', 'readwrite', `${PREFIX}/`);
  const { lists } = following;
  await following.until('a further list', (now) => now.lists > lists);
  t.is(following.keys, '10.9.1.0-24');
});

test('does not mind a user name that is given to an etcd without authentication', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  const { store } = openStore(t, etcd.endpoint, WEFT);
  t.is((await follow(t, store)).lists, 1);
});
