import test from 'ava';
import { Store } from '../../../lib/page/live/store.ts';
import { HISTORY, PEER_HISTORY } from '../../../lib/ui/messages.ts';
import { address, batch, hello, lines, pastTick, peer, status, TOTAL, tick, withHealth } from './scene.ts';

const subnets = (store: Store): string[] => [...store.peers.keys()];

test('no peers are none only when the daemon has answered', (t) => {
  const store = new Store();
  store.apply('hello', hello(), 0);
  store.apply('peers', { changed: [], gone: [] }, 0);
  t.false(store.peersKnown);
  store.apply('status', status({ peers: 0 }), 0);
  t.true(store.peersKnown);
});

test('peers come, change and go; those of another connection replace them all at once', (t) => {
  const store = new Store();
  store.apply('hello', hello(), 0);
  t.false(store.peersKnown);
  store.apply('peers', { changed: [peer(0), peer(1), peer(2)], gone: [] }, 0);
  store.apply('peers', { changed: [withHealth(peer(1), { loss: 1 })], gone: [peer(2).subnet] }, 0);
  t.deepEqual(subnets(store), [peer(0).subnet, peer(1).subnet]);
  t.is(store.peers.get(peer(1).subnet)?.trouble?.text, 'no answer');
  store.apply('hello', hello(), 0);
  t.is(store.peers.size, 2, 'they are shown until there are others');
  store.apply('peers', { changed: [peer(7)], gone: [] }, 0);
  t.deepEqual(subnets(store), [peer(7).subnet]);
});

test('the rates of a peer are those of both its addresses, and its traffic for sorting is a mean', (t) => {
  const store = new Store();
  const both = { ...peer(0), publicIpv6: '2001:db8::2' };
  const rates = { outboundPackets: 1, outboundBytes: 100, inboundPackets: 2, inboundBytes: 50 };
  store.apply('peers', { changed: [both, peer(1)], gone: [] }, 0);
  const peers = [
    { publicIp: address(0), ...rates },
    { publicIp: '2001:db8::2', ...rates },
  ];
  const view = () => store.peers.get(both.subnet)!;
  store.apply('tick', { ...tick(0, 0), peers }, 0);
  t.deepEqual(view().rates, { outBytes: 200, inBytes: 100, outPackets: 2, inPackets: 4 });
  t.true(view().busy > 0 && view().busy < 300);
  t.is(store.peers.get(peer(1).subnet)?.busy, 0);
  store.apply('tick', tick(1, 0), 0);
  t.is(view().rates.outBytes, 0);
  t.true(view().busy > 0, 'one second without is no end');
  for (let n = 2; n < 40; n++) store.apply('tick', tick(n, 0), 0);
  t.is(view().busy, 0);
  t.deepEqual(store.minute(both).slice(0, 2), [300, 0]);
});

test('no more is kept than is shown', (t) => {
  const store = new Store();
  store.apply('hello', hello({ history: Array.from({ length: HISTORY }, (_, k) => pastTick(k - HISTORY, 3)) }), 0);
  store.apply('peers', { changed: [peer(0)], gone: [] }, 0);
  for (let n = 0; n < 200; n++) store.apply('tick', tick(n, 3), 0);
  t.is(store.ticks.length, HISTORY);
  t.is(store.ticks.filter(({ peers }) => peers.length > 0).length, PEER_HISTORY);
  t.is(store.minute(peer(0)).length, PEER_HISTORY);
});

test('the daemon is gone until there is news of it, and its last values stay', (t) => {
  const store = new Store();
  store.apply('status', status(), 0);
  store.apply('tick', { ...tick(0, 0), total: TOTAL }, 0);
  t.deepEqual(store.apply('gone', { text: 'no answer', hint: null }, 0), ['state', 'peers']);
  t.is(store.gone?.text, 'no answer');
  t.is(store.status?.state, 'ready');
  t.deepEqual(store.total, TOTAL);
  store.apply('status', status({ state: 'starting' }), 0);
  t.is(store.gone, undefined);
});

test('silence is noticed, and ends with the next event', (t) => {
  const store = new Store();
  t.false(store.age(1e9), 'it never was there');
  store.apply('tick', tick(0, 0), 1000);
  t.false(store.age(5000));
  t.true(store.age(20_000));
  t.is(store.link, 'stale');
  t.is(store.silentSeconds(20_500), 19);
  store.apply('tick', tick(1, 0), 21_000);
  t.is(store.link, 'live');
});

test('a new connection brings its packets, and forgets those before', (t) => {
  const store = new Store();
  store.apply('hello', hello({ packets: batch(lines(500, 20)) }), 0);
  store.apply('packets', batch(lines(520, 5)), 0);
  t.is(store.packets.view.length, 25);
  store.apply('hello', hello({ packets: batch(lines(1, 3)) }), 0);
  t.deepEqual(
    store.packets.view.map(({ id }) => id),
    [1, 2, 3],
  );
});

test('text from outside is made fit to be read, and long text is cut', (t) => {
  const store = new Store();
  store.apply('peers', { changed: [{ ...peer(0), note: `a\u202eb\u0000${'x'.repeat(10_000)}` }], gone: [] }, 0);
  const note = store.peers.get(peer(0).subnet)!.peer.note!;
  t.true(note.startsWith('a\\u202eb\\u0000x'));
  t.true(note.length < 2100);
});
