import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { KnownLease, Lease, StoredLease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type LeaseChange, type LeaseEvent, LeaseSet, type StoredChange } from '../../lib/lease/lease-set.ts';
import { formatSubnetKey, parseSubnetKey } from '../../lib/lease/subnet-key.ts';

const OWN = parseIpv4('192.0.2.1');
const isOwn = ({ attrs }: Lease): boolean => attrs.publicIp === OWN;
const LEAVING_MS = 15_000;
const DAY_MS = 24 * 3_600_000;

function newSet(): LeaseSet {
  return new LeaseSet({ isOwn, leavingMs: LEAVING_MS });
}

function lease(key: string, publicIp: string, createRevision = 1n, reserved = false): StoredLease {
  const attrs = decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`);
  return { subnets: parseSubnetKey(key)!, attrs, expiresAtMs: undefined, createRevision, reserved };
}

function put(key: string, publicIp: string, createRevision = 1n): StoredChange {
  return { type: 'put', lease: lease(key, publicIp, createRevision) };
}

function remove(key: string): StoredChange {
  return { type: 'delete', subnets: parseSubnetKey(key)! };
}

/** Peers 2, 3, ... of 192.0.2.0, each with 10.5.<n>.0/24. */
function peers(...numbers: readonly number[]): StoredLease[] {
  return numbers.map((n) => lease(`10.5.${n}.0-24`, `192.0.2.${n}`));
}

function deletions(...numbers: readonly number[]): StoredChange[] {
  return numbers.map((n) => remove(`10.5.${n}.0-24`));
}

/** Leases by their keys; of one that is leaving with the time when it ends. */
function keys(leases: readonly KnownLease[]): string {
  return leases
    .map(({ subnets, leavesAtMs }) => formatSubnetKey(subnets) + (leavesAtMs === undefined ? '' : `@${leavesAtMs}`))
    .join();
}

/** "+" a new lease, "~" one that was there, ">" one that is leaving, "-" one that is gone. */
function word(change: LeaseChange): string {
  if (change.type === 'delete') return `-${formatSubnetKey(change.previous.subnets)}`;
  const key = formatSubnetKey(change.lease.subnets);
  if (change.type === 'leave') return `>${key}`;
  return `${change.previous === undefined ? '+' : '~'}${key}`;
}

function words({ leases, changes, complete }: LeaseEvent): string {
  return `${complete ? 'list' : 'changes'} ${changes.map(word).join(' ')} = ${keys(leases)}`;
}

test('keeps leases by their subnets, and an event carries all of them', (t) => {
  const set = newSet();
  const first = set.apply([put('10.5.1.0-24', '192.0.2.1'), put('10.5.2.0-24', '192.0.2.2', 2n)], 0);
  t.is(words(first), 'changes +10.5.1.0-24 +10.5.2.0-24 = 10.5.1.0-24,10.5.2.0-24');
  const second = set.apply([put('10.5.1.0-24', '192.0.2.9')], 0);
  t.is(words(second), 'changes ~10.5.1.0-24 = 10.5.1.0-24,10.5.2.0-24');
  const [change] = second.changes;
  t.is(change?.type === 'put' ? change.previous?.attrs.publicIp : undefined, OWN);
  t.deepEqual(set.get(parseSubnetKey('10.5.1.0-24')!), lease('10.5.1.0-24', '192.0.2.9'));
  t.is(keys(first.leases), '10.5.1.0-24,10.5.2.0-24', 'an event that was delivered never changes');
});

test('the deletion of a lease that is not known is no change', (t) => {
  t.is(words(newSet().apply([remove('10.5.3.0-24')], 0)), 'changes  = ');
});

test('finds what a complete list changed: a new PublicIP does, a renewal does not', (t) => {
  const set = newSet();
  const list = (...leases: readonly StoredLease[]): string => words(set.replace(leases, 0));
  t.is(
    list(lease('10.5.1.0-24', '192.0.2.1'), lease('10.5.2.0-24', '192.0.2.2')),
    'list +10.5.1.0-24 +10.5.2.0-24 = 10.5.1.0-24,10.5.2.0-24',
  );
  t.is(list(lease('10.5.1.0-24', '192.0.2.1'), lease('10.5.2.0-24', '192.0.2.2')), 'list  = 10.5.1.0-24,10.5.2.0-24');
  t.is(
    list(lease('10.5.2.0-24', '192.0.2.7'), lease('10.5.3.0-24', '192.0.2.3')),
    'list +10.5.3.0-24 ~10.5.2.0-24 -10.5.1.0-24 = 10.5.2.0-24,10.5.3.0-24',
  );
});

test('leases come the oldest first, whatever the order of keys and lists (L15)', (t) => {
  const set = newSet();
  set.replace([lease('10.5.9.0-24', '192.0.2.9', 5n)], 0);
  t.is(keys(set.apply([put('10.5.1.0-24', '192.0.2.2', 7n)], 0).leases), '10.5.9.0-24,10.5.1.0-24');
  const listed = [lease('10.5.1.0-24', '192.0.2.2', 7n), lease('10.5.9.0-24', '192.0.2.9', 5n)];
  t.is(keys(set.replace(listed, 0).leases), '10.5.9.0-24,10.5.1.0-24');
  t.is(keys(set.apply([put('10.5.9.0-24', '192.0.2.9', 8n)], 0).leases), '10.5.1.0-24,10.5.9.0-24', 'made anew');
});

test('a peer whose key is deleted stays for 15 s (L1)', (t) => {
  const set = newSet();
  set.replace(peers(2, 3), 0);
  t.is(words(set.apply(deletions(2), 1000)), 'changes >10.5.2.0-24 = 10.5.3.0-24,10.5.2.0-24@16000');
  t.is(words(set.apply(deletions(2), 2000)), 'changes  = 10.5.3.0-24,10.5.2.0-24@16000', 'deleted again');
  t.is(words(set.replace(peers(3), 5000)), 'list  = 10.5.3.0-24,10.5.2.0-24@16000', 'listed meanwhile');
  t.is(set.nextMs, 16_000);
  t.is(set.expire(15_999), undefined);
  t.is(words(set.expire(16_000)!), 'changes -10.5.2.0-24 = 10.5.3.0-24');
  t.is(set.nextMs, undefined);
});

test('a peer that writes its lease again in time never went (L1)', (t) => {
  const set = newSet();
  set.replace(peers(2, 3), 0);
  set.apply(deletions(2), 1000);
  t.is(words(set.apply([put('10.5.2.0-24', '192.0.2.2', 9n)], 9000)), 'changes ~10.5.2.0-24 = 10.5.3.0-24,10.5.2.0-24');
  t.is(set.nextMs, undefined);
});

test('a leaving peer gives way at once to whoever leases its subnet or one that overlaps it (L5)', (t) => {
  for (const [key, why] of [
    ['10.5.2.0-25', 'a part of it'],
    ['10.5.0.0-16', 'more than it'],
    ['10.5.2.0-24&fd00::-64', 'it, under another key'],
  ] as const) {
    const set = newSet();
    set.replace(peers(2, 30), 0);
    set.apply([remove('10.5.2.0-24')], 0);
    t.true(words(set.apply([put(key, '192.0.2.9', 9n)], 1)).includes(' -10.5.2.0-24 ='), why);
  }
  const set = newSet();
  set.replace(peers(2, 30), 0);
  t.is(
    words(set.apply([remove('10.5.2.0-24'), put('10.5.2.0-25', '192.0.2.9', 9n)], 0)).split(' = ')[0],
    'changes +10.5.2.0-25 >10.5.2.0-24 -10.5.2.0-24',
  );
});

test('the own lease goes with its key, and no alarm comes of a subnet of ours that changed', (t) => {
  const set = newSet();
  set.replace([lease('10.5.1.0-24', '192.0.2.1'), ...peers(2)], 0);
  const event = set.apply([put('10.5.8.0-24', '192.0.2.1', 9n), remove('10.5.1.0-24')], 0);
  t.is(words(event), 'changes +10.5.8.0-24 -10.5.1.0-24 = 10.5.2.0-24,10.5.8.0-24');
  t.is(event.loss, undefined);
});

for (const [what, how, list] of [
  ['is empty', 'list', []],
  ['lacks more than half of the peers', 'list', peers(2)],
  ['comes from another history', 'another-history', peers(2, 3, 4)],
] as const)
  test(`a list that ${what} removes nobody for 24 h (L4)`, (t) => {
    const set = newSet();
    set.replace(peers(2, 3, 4, 5), 0);
    const event = set.replace(list, 1000, how === 'list');
    const lost = 4 - list.length;
    t.deepEqual(event.loss, { how, lost, known: 4 });
    t.is(event.leases.length, 4);
    t.is(set.nextMs, DAY_MS);
    t.is(set.replace(list, 2000).leases.length, 4, 'the next list lacks them as well');
    // One is written again, the subnet of another is leased to somebody else.
    const back = set.apply([put('10.5.5.0-24', '192.0.2.5', 9n), put('10.5.5.0-25', '192.0.2.9', 9n)], 3000);
    t.is(back.loss?.lost, lost > 1 ? lost : undefined);
    t.is(set.expire(DAY_MS)?.leases.length ?? 0, lost > 1 ? list.length + 2 : 0);
  });

test('a list without the only peer removes it no sooner than in 24 h, but one whose key was seen to go leaves in 15 s (L4)', (t) => {
  const set = newSet();
  set.replace([lease('10.5.1.0-24', '192.0.2.1'), ...peers(2)], 0);
  t.deepEqual(set.replace([], 10).loss, { how: 'list', lost: 1, known: 1 });
  t.is(set.nextMs, DAY_MS);
  set.replace(peers(2), 20);
  t.is(set.apply(deletions(2), 30).loss, undefined);
  t.is(set.replace([], 40).loss, undefined);
  t.is(set.nextMs, 30 + LEAVING_MS);
});

test('deletions of more than half of the peers within 15 s remove nobody (L4)', (t) => {
  const set = newSet();
  set.replace(peers(2, 3, 4, 5), 0);
  t.is(set.apply(deletions(2, 3), 1000).loss, undefined, 'half of them');
  const event = set.apply(deletions(4), 15_000);
  t.deepEqual(event.loss, { how: 'changes', lost: 3, known: 4 });
  t.is(set.nextMs, DAY_MS, 'those that went before stay too');
  const slowly = newSet();
  slowly.replace(peers(2, 3, 4, 5), 0);
  for (const [step, n] of [2, 3, 4, 5].entries()) {
    t.is(slowly.apply(deletions(n), step * 20_000).loss, undefined);
    t.is(slowly.expire(step * 20_000 + 15_000)?.leases.length, 3 - step);
  }
});

test('a reservation that was lost with most others stays until its subnet is leased (L4)', (t) => {
  const set = newSet();
  set.replace([lease('10.5.2.0-24', '192.0.2.2', 1n, true), ...peers(3)], 0);
  set.replace([], 0);
  t.is(keys(set.expire(DAY_MS)!.leases), '10.5.2.0-24@Infinity');
  t.is(set.nextMs, undefined);
});

test('a node that changes its subnet is not lost, and leaves the old one in 15 s (L4, L11)', (t) => {
  const set = newSet();
  set.replace(peers(2, 3), 0);
  const moves = [put('10.5.12.0-24', '192.0.2.2', 9n), put('10.5.13.0-24', '192.0.2.3', 9n), ...deletions(2, 3)];
  t.is(set.apply(moves, 0).loss, undefined);
  t.is(set.expire(LEAVING_MS)?.leases.length, 2);
  set.replace([], 20_000);
  set.apply([put('10.5.22.0-24', '192.0.2.2', 10n)], 20_000);
  t.is(set.nextMs, 20_000 + LEAVING_MS, 'also when it does so after etcd was emptied');
});

test('a store that is followed again gives leaving peers the whole time', (t) => {
  const set = newSet();
  set.replace(peers(2, 3), 0);
  set.apply(deletions(2), 0);
  set.resume(14_000);
  t.is(set.nextMs, 29_000);
});
