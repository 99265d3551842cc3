import test from 'ava';
import type { Lease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type LeaseChange, type LeaseEvent, LeaseSet, type StoredChange } from '../../lib/lease/lease-set.ts';
import { formatSubnetKey, parseSubnetKey } from '../../lib/lease/subnet-key.ts';

function lease(key: string, publicIp: string, expiresAtMs?: number): Lease {
  return { subnets: parseSubnetKey(key)!, attrs: decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`), expiresAtMs };
}

function put(key: string, publicIp: string): StoredChange {
  return { type: 'put', lease: lease(key, publicIp) };
}

function remove(key: string): StoredChange {
  return { type: 'delete', subnets: parseSubnetKey(key)! };
}

function keys(leases: readonly Lease[]): string {
  return leases.map(({ subnets }) => formatSubnetKey(subnets)).join();
}

/** "+" a new lease, "~" one that was there, "-" one that is gone. */
function word(change: LeaseChange): string {
  if (change.type === 'delete') return `-${keys([change.previous])}`;
  return `${change.previous === undefined ? '+' : '~'}${keys([change.lease])}`;
}

function words({ leases, changes, complete }: LeaseEvent): string {
  return `${complete ? 'list' : 'changes'} ${changes.map(word).join(' ')} = ${keys(leases)}`;
}

test('keeps leases by their subnets, and an event carries all of them', (t) => {
  const set = new LeaseSet();
  const first = set.apply([put('10.5.1.0-24', '192.0.2.1'), put('10.5.2.0-24', '192.0.2.2')]);
  t.is(words(first), 'changes +10.5.1.0-24 +10.5.2.0-24 = 10.5.1.0-24,10.5.2.0-24');
  const second = set.apply([put('10.5.1.0-24', '192.0.2.9')]);
  t.is(words(second), 'changes ~10.5.1.0-24 = 10.5.1.0-24,10.5.2.0-24');
  t.deepEqual(second.changes[0]?.previous, lease('10.5.1.0-24', '192.0.2.1'));
  t.deepEqual(set.get(parseSubnetKey('10.5.1.0-24')!), lease('10.5.1.0-24', '192.0.2.9'));
  t.is(words(set.apply([remove('10.5.1.0-24')])), 'changes -10.5.1.0-24 = 10.5.2.0-24');
  t.is(keys(first.leases), '10.5.1.0-24,10.5.2.0-24', 'an event that was delivered never changes');
});

test('what came and went between two events is in neither list, but among the changes', (t) => {
  const event = new LeaseSet().apply([put('10.5.1.0-24', '192.0.2.1'), remove('10.5.1.0-24')]);
  t.is(words(event), 'changes +10.5.1.0-24 -10.5.1.0-24 = ');
});

test('the deletion of a lease that is not known is no change', (t) => {
  t.is(words(new LeaseSet().apply([remove('10.5.3.0-24')])), 'changes  = ');
});

test('finds what a complete list changed: a new PublicIP does, a new expiry time does not', (t) => {
  const set = new LeaseSet();
  const list = (...leases: readonly Lease[]): string => words(set.replace(leases));
  t.is(
    list(lease('10.5.1.0-24', '192.0.2.1'), lease('10.5.2.0-24', '192.0.2.2')),
    'list +10.5.1.0-24 +10.5.2.0-24 = 10.5.1.0-24,10.5.2.0-24',
  );
  t.is(
    list(lease('10.5.1.0-24', '192.0.2.1', 5), lease('10.5.2.0-24', '192.0.2.2')),
    'list  = 10.5.1.0-24,10.5.2.0-24',
  );
  t.is(
    list(lease('10.5.2.0-24', '192.0.2.7'), lease('10.5.3.0-24', '192.0.2.3')),
    'list +10.5.3.0-24 ~10.5.2.0-24 -10.5.1.0-24 = 10.5.2.0-24,10.5.3.0-24',
  );
  t.is(list(), 'list -10.5.2.0-24 -10.5.3.0-24 = ');
});
