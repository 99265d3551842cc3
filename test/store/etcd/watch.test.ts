import test, { type ExecutionContext } from 'ava';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { type EtcdServer, startEtcd } from '../../etcd-server.ts';
import { PATIENCE_MS } from '../../patience.ts';
import {
  attrs,
  bytes,
  Following,
  follow,
  Other,
  openStore,
  PATIENT,
  type StoreOverrides,
  udpValue,
} from './harness.ts';

let etcd: EtcdServer;
test.before(async () => {
  etcd = await startEtcd();
});
test.after.always(() => etcd.stop());

let prefixes = 0;
function setUp(t: ExecutionContext, overrides: StoreOverrides = {}) {
  const prefix = `/weft-test-${++prefixes}/network`;
  const { store, log } = openStore(t, etcd.endpoint, { prefix, ...PATIENT, ...overrides });
  return { store, log, other: new Other(t, etcd.endpoint), room: `${prefix}/subnets/`, prefix };
}

test('begins with all leases, the own one included, and goes on with changes in order', async (t) => {
  const { store, other, room, prefix } = setUp(t);
  await other.put(`${room}10.5.9.0-24`, udpValue('192.0.2.9'));
  await other.put(`${prefix}/subnetsFOO/10.5.8.0-24`, udpValue('192.0.2.8'));
  const config = parseNetworkConfig('{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.0","SubnetMax":"10.5.1.0"}');
  await store.acquire({ config, attrs: attrs('192.0.2.1'), previous: undefined });
  const following = await follow(t, store);
  t.is(following.keys, '10.5.1.0-24,10.5.9.0-24');
  await other.put(`${room}10.5.7.0-24`, udpValue('192.0.2.7'));
  await other.put(`${room}10.5.7.0-24`, udpValue('192.0.2.77'));
  await other.delete(`${room}10.5.9.0-24`);
  await other.put(`${prefix}/config`, '{}');
  const last = await other.put(`${room}10.5.6.0-24`, udpValue('192.0.2.6'));
  await following.untilKeys('10.5.1.0-24,10.5.6.0-24,10.5.7.0-24');
  t.deepEqual(following.written, [
    'list 10.5.1.0-24,10.5.9.0-24',
    'put 10.5.7.0-24',
    'put 10.5.7.0-24',
    'leave 10.5.9.0-24',
    'put 10.5.6.0-24',
  ]);
  t.like(store.health(), { connected: true, lastError: undefined, revision: last, skipped: 0, watchRestarts: 0 });
});

test('skips what does not parse, counts it, logs it once, and loses nothing else', async (t) => {
  const { store, log, other, room } = setUp(t, { relistIntervalMs: 50 });
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await other.put(`${room}10.5.2.0-24`, 'not JSON');
  await other.put(`${room}../10.5.3.0-24`, udpValue('192.0.2.3'));
  const following = await follow(t, store);
  t.is(following.keys, '10.5.1.0-24');
  await other.put(`${room}no-subnet\n\u001b[31m`, udpValue('192.0.2.4'));
  await other.put(`${room}10.5.5.0-24`, '{"PublicIP":""}');
  await other.put(`${room}10.5.6.0-24`, udpValue('192.0.2.6'));
  await following.untilKeys('10.5.1.0-24,10.5.6.0-24');
  const { lists } = following;
  await following.until('further lists', (now) => now.lists >= lists + 3);
  t.is(following.keys, '10.5.1.0-24,10.5.6.0-24');
  t.is(store.health().skipped, 4);
  t.is(log.count('skipped a lease'), 4);
  t.deepEqual(
    log.lines
      .filter(({ message }) => message.includes('skipped'))
      .map(({ fields }) => String(fields.reason))
      .sort((a, b) => a.localeCompare(b, 'en')),
    [
      'line 1, column 1: a value is expected, found "not JSON"',
      'PublicIP is "": must be an IPv4 address',
      'the key does not name a subnet as flannel writes it',
      'the key does not name a subnet as flannel writes it',
    ],
  );
  await other.put(`${room}10.5.2.0-24`, 'still not JSON');
  await log.until('skipped a lease', 5);
  await other.put(`${room}10.5.2.0-24`, udpValue('192.0.2.2'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24,10.5.6.0-24');
});

test('keeps a lease whose value stops being readable until its key goes', async (t) => {
  const { store, other, room } = setUp(t, { relistIntervalMs: 50 });
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await other.put(`${room}10.5.2.0-24`, udpValue('192.0.2.2'));
  const following = await follow(t, store);
  await other.put(`${room}10.5.1.0-24`, '{"PublicIP":');
  await other.put(`${room}10.5.3.0-24`, udpValue('192.0.2.3'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
  const { lists } = following;
  await following.until('further lists', (now) => now.lists >= lists + 2);
  t.is(following.keys, '10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
  t.is(following.state.get('10.5.1.0-24'), 0xc0000201);
  await other.delete(`${room}10.5.1.0-24`);
  await following.untilKeys('10.5.2.0-24,10.5.3.0-24');
});

test('lists again at its interval, while changes go on, without ever going back', async (t) => {
  const { store, other, room } = setUp(t, { relistIntervalMs: 1 });
  const following = await follow(t, store);
  // Each write has a higher PublicIP; a list applied late would show an older one.
  let highest = 0;
  let wentBack = 0;
  const watching = following.until('300 writes and 20 lists', ({ state, lists }) => {
    const seen = state.get('10.5.1.0-24') ?? 0;
    if (seen < highest) wentBack++;
    highest = Math.max(highest, seen);
    return lists >= 20 && highest === 0x0a000000 + 300;
  });
  for (let n = 1; n <= 300; n++) await other.put(`${room}10.5.1.0-24`, udpValue(`10.0.${n >> 8}.${n & 255}`));
  await watching;
  t.is(wentBack, 0);
});

test('delivers 2000 leases at once', async (t) => {
  const { store, other, room } = setUp(t);
  for (let block = 0; block < 20; block++) await putMany(other, room, block * 100, 100);
  const following = await follow(t, store);
  t.is(following.state.size, 2000);
  t.is(following.lists, 1);
});

test('applies a storm of changes in order, each once, and the changes of one transaction together', async (t) => {
  const { store, other, room } = setUp(t);
  const following = new Following();
  const batches: number[][] = [];
  const watch = store.watch({
    onLeases: (event) => {
      if (!event.complete)
        batches.push(event.changes.map((one) => (one.type === 'put' ? one.lease.attrs.publicIp - 0x0a000000 : -1)));
      following.onLeases(event);
    },
  });
  t.teardown(() => watch.close());
  await watch.ready;
  // 50 transactions of 60 keys: not awaited one by one, so that etcd delivers them in heaps.
  const writes: Promise<void>[] = [];
  for (let block = 0; block < 50; block++) writes.push(putMany(other, room, block * 60, 60));
  await Promise.all(writes);
  await following.until('3000 leases', ({ state }) => state.size === 3000);
  const order = batches.flat();
  t.is(order.length, 3000);
  t.is(new Set(order).size, 3000);
  // A transaction's keys follow each other and are never split over two calls.
  for (const batch of batches) {
    t.is(batch.length % 60, 0);
    for (const [index, value] of batch.entries()) if (index % 60 > 0) t.is(value, batch[index - 1]! + 1);
  }
});

/** Writes leases `first`, `first + 1`, ... in one transaction; the PublicIP holds the number. */
async function putMany(other: Other, room: string, first: number, count: number): Promise<void> {
  const success = Array.from({ length: count }, (_, index) => {
    const n = first + index;
    const key = bytes(`${room}10.${16 + (n >> 8)}.${n & 255}.0-24`);
    return { requestPut: { key, value: bytes(udpValue(`10.0.${n >> 8}.${n & 255}`)), lease: '0' } };
  });
  await other.client.txn({ compare: [], success, failure: [] });
}

test('withdraws a lease when etcd expires it', async (t) => {
  const { store, other, room } = setUp(t);
  const following = await follow(t, store);
  await other.putFor(1, `${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await following.untilKeys('10.5.1.0-24');
  await following.untilKeys('');
  t.is(following.history.at(-1), 'delete 10.5.1.0-24');
});

test('keys that are deleted in one transaction cut nobody off (L4)', async (t) => {
  const { store, other, room } = setUp(t);
  for (const n of [1, 2, 3]) await other.put(`${room}10.5.${n}.0-24`, udpValue(`192.0.2.${n}`));
  const following = await follow(t, store);
  await etcd.etcdctl('del', '--prefix', room);
  await following.until('the deletion', ({ history }) => history.at(-1) === 'leave 10.5.3.0-24');
  t.deepEqual(following.loss, { how: 'changes', lost: 3, known: 3 });
  for (const n of [1, 2, 3]) await other.put(`${room}10.5.${n}.0-24`, udpValue(`192.0.2.${n}`));
  await following.until('that all are back', ({ loss }) => loss === undefined);
  t.is(following.keys, '10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
  t.false(following.history.some((line) => line.startsWith('delete')));
});

test('grants that run out together cut nobody off (L4)', async (t) => {
  const { store, other, room } = setUp(t, { leavingMs: PATIENCE_MS });
  const following = await follow(t, store);
  for (const n of [1, 2, 3]) await other.putFor(2, `${room}10.5.${n}.0-24`, udpValue(`192.0.2.${n}`));
  await following.until('three leases', ({ state }) => state.size === 3);
  await following.until('that they run out', ({ loss }) => loss !== undefined && loss.lost > 1);
  t.is(following.keys, '10.5.1.0-24,10.5.2.0-24,10.5.3.0-24');
});

test('leases come the oldest key first, after further lists too: a newcomer cannot take the VtepMAC of a peer in use', async (t) => {
  const { store, other, room } = setUp(t, { relistIntervalMs: 50 });
  await other.put(`${room}10.5.9.0-24`, udpValue('192.0.2.9'));
  const following = await follow(t, store);
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await following.untilKeys('10.5.1.0-24,10.5.9.0-24');
  const { lists } = following;
  await following.until('further lists', (now) => now.lists >= lists + 2);
  t.is(following.order, '10.5.9.0-24,10.5.1.0-24');
  const late = await follow(t, store);
  t.is(late.order, '10.5.9.0-24,10.5.1.0-24', 'and on a node that starts now');
});

test('goes on after a listener has failed', async (t) => {
  const { store, log, other, room } = setUp(t);
  const following = new Following();
  let failures = 1;
  const watch = store.watch({
    onLeases: (event) => {
      if (!event.complete && failures-- > 0) {
        following.miss();
        throw new Error('a mistake');
      }
      following.onLeases(event);
    },
  });
  t.teardown(() => watch.close());
  await watch.ready;
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await log.until('a listener failed');
  await other.put(`${room}10.5.2.0-24`, udpValue('192.0.2.2'));
  await following.untilKeys('10.5.1.0-24,10.5.2.0-24');
  t.deepEqual(following.history, ['list ', 'put 10.5.2.0-24']);
  t.is(log.count('a listener failed'), 1);
});

test('serves several watches, and a closed one hears nothing more', async (t) => {
  const { store, other, room } = setUp(t);
  const one = new Following();
  const first = store.watch(one);
  await first.ready;
  const two = await follow(t, store);
  await other.put(`${room}10.5.1.0-24`, udpValue('192.0.2.1'));
  await Promise.all([one.untilKeys('10.5.1.0-24'), two.untilKeys('10.5.1.0-24')]);
  await first.close();
  await other.put(`${room}10.5.2.0-24`, udpValue('192.0.2.2'));
  await two.untilKeys('10.5.1.0-24,10.5.2.0-24');
  t.is(one.keys, '10.5.1.0-24');
});
