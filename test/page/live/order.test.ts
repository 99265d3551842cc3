import test from 'ava';
import { byNeed, sorted } from '../../../lib/page/live/order.ts';
import type { PeerView } from '../../../lib/page/live/store.ts';
import { Store } from '../../../lib/page/live/store.ts';
import { peer, tick, withHealth } from './scene.ts';

function views(): PeerView[] {
  const store = new Store();
  const changed = [
    withHealth(peer(2), { rttMs: 9, loss: 0.5 }),
    withHealth(peer(0), { rttMs: null, loss: 1 }),
    { ...peer(30), health: null },
    withHealth(peer(1), { rttMs: 0.1 }),
    peer(10),
  ];
  store.apply('peers', { changed, gone: [] }, 0);
  store.apply('tick', tick(0, 2), 0);
  return [...store.peers.values()];
}

const numbers = (list: readonly PeerView[]): number[] =>
  list.map(({ peer: { publicIp } }) => Number(publicIp.split('.')[3]) - 2);

test('by subnet they stand by its numbers, not its letters', (t) => {
  t.deepEqual(numbers(sorted(views(), 'subnet', false)), [0, 1, 2, 10, 30]);
  t.deepEqual(numbers(sorted(views(), 'address', true)), [30, 10, 2, 1, 0]);
});

test('what has no value is last either way, and equals stand by their subnet', (t) => {
  t.deepEqual(numbers(sorted(views(), 'rtt', false)), [1, 10, 2, 0, 30]);
  t.deepEqual(numbers(sorted(views(), 'rtt', true)), [2, 10, 1, 0, 30]);
  t.deepEqual(numbers(sorted(views(), 'loss', true)), [0, 2, 1, 10, 30]);
  t.deepEqual(numbers(sorted(views(), 'traffic', true)), [0, 1, 2, 10, 30]);
});

test('who is in trouble comes before who is busy', (t) => {
  t.deepEqual(numbers(views().toSorted(byNeed)), [0, 2, 1, 10, 30]);
});
