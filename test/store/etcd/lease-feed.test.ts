import test from 'ava';
import type { LeaseEvent } from '../../../lib/lease/lease-set.ts';
import type { KeyValue } from '../../../lib/store/etcd/api.ts';
import { LeaseFeed } from '../../../lib/store/etcd/lease-feed.ts';
import { LeaseKeys } from '../../../lib/store/etcd/lease-keys.ts';
import { LeaseView, SkippedKeys } from '../../../lib/store/etcd/lease-view.ts';
import { bytes, eventually, LogRecorder, udpValue } from './harness.ts';

const LEAVING_MS = 20;

function kv(n: number): KeyValue {
  const value = bytes(udpValue(`192.0.2.${n}`));
  return { key: bytes(`/subnets/10.5.${n}.0-24`), value, createRevision: '1', modRevision: '1', lease: '7' };
}

test('nothing that is leaving ends while etcd is away, nor right after it is back (L1)', async (t) => {
  const log = new LogRecorder();
  const keys = new LeaseKeys('', new SkippedKeys(log));
  const view = new LeaseView({ isOwn: () => false, leavingMs: LEAVING_MS });
  const events: LeaseEvent[] = [];
  let following = false;
  const feed = new LeaseFeed({
    view,
    listener: { onLeases: (event) => events.push(event) },
    isFollowing: () => following,
    now: () => performance.now(),
    log,
  });
  t.teardown(() => feed.close());
  feed.list(keys.readAll([kv(1), kv(2), kv(3)]), true);
  feed.change(keys.readChanges([{ type: 'DELETE', kv: kv(2) }]));
  const due = view.nextMs!;
  await eventually('that its time is over', () => performance.now() > due + 5 * LEAVING_MS);
  t.is(events.at(-1)?.leases.length, 3);
  following = true;
  const back = performance.now();
  feed.following();
  t.true(view.nextMs! >= back + LEAVING_MS);
  await eventually('its end', () => events.at(-1)?.leases.length === 2);
  t.is(events.at(-1)?.changes[0]?.type, 'delete');
});
