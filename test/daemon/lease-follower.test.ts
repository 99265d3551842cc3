import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { formatPrefix, type Ipv4Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { LeaseFollower } from '../../lib/daemon/lease-follower.ts';
import { NAT_HINT } from '../../lib/daemon/own-lease.ts';
import { Faults } from '../../lib/faults.ts';
import type { StoredLease, SubnetPair } from '../../lib/lease/lease.ts';
import { LeaseSet, type StoredChange } from '../../lib/lease/lease-set.ts';
import { logTo } from '../log.ts';

const subnets = (text: string): SubnetPair => ({ ipv4: parsePrefix(text) as Ipv4Prefix, ipv6: undefined });

function lease(subnet: string, publicIp: string, createRevision = 1n): StoredLease {
  const attrs = { publicIpv6: undefined, backendType: '', backendData: undefined, backendV6Data: undefined };
  return {
    subnets: subnets(subnet),
    attrs: { publicIp: parseIpv4(publicIp)!, ...attrs },
    expiresAtMs: undefined,
    createRevision,
    reserved: false,
  };
}

const LEAVING_MS = 15_000;
const OWN = lease('10.244.1.0/24', '192.0.2.1');
const PEER = lease('10.244.2.0/24', '192.0.2.2');

function follow(intervalMs: number, publicIp = '192.0.2.1') {
  const applied: string[][] = [];
  const lines: [level: string, message: string, fields: Record<string, unknown>][] = [];
  const log = logTo((fields, message, level) => lines.push([level, message, fields as Record<string, unknown>]));
  const faults = new Faults({ log, onChange: () => undefined, now: () => 0 });
  const follower = new LeaseFollower({
    own: OWN.subnets,
    publicIp: parseIpv4(publicIp)!,
    log,
    faults,
    intervalMs,
    apply: (leases) => applied.push(leases.map(({ subnets: { ipv4 } }) => formatPrefix(ipv4))),
  });
  const set = new LeaseSet({ isOwn: ({ attrs }) => attrs.publicIp === parseIpv4(publicIp), leavingMs: LEAVING_MS });
  return {
    follower,
    faults,
    applied,
    lines,
    list: (...leases: readonly StoredLease[]): void => follower.onLeases(set.replace(leases, 0)),
    change: (...changes: readonly StoredChange[]): void => follower.onLeases(set.apply(changes, 0)),
    leave: (): void => follower.onLeases(set.expire(LEAVING_MS)!),
    alarms: () => lines.filter(([level]) => level === 'error'),
  };
}

test('the first list is applied before onLeases returns, also an empty one', (t) => {
  const { follower, applied, list } = follow(1000);
  list(OWN, PEER);
  t.deepEqual(applied, [['10.244.1.0/24', '10.244.2.0/24']]);
  t.deepEqual(follower.others(), [{ ...PEER, leavesAtMs: undefined }]);
  follower.close();
  const empty = follow(1000);
  empty.list();
  t.deepEqual(empty.applied, [[]]);
  empty.follower.close();
});

test('a storm of events is applied together, and its end is what counts', async (t) => {
  const { follower, applied, list, change, leave } = follow(30);
  list(OWN);
  for (let host = 0; host < 250; host++) change({ type: 'put', lease: lease(`10.244.${host}.0/24`, '192.0.2.2') });
  change({ type: 'put', lease: OWN });
  for (let host = 10; host < 250; host++) change({ type: 'delete', subnets: subnets(`10.244.${host}.0/24`) });
  leave();
  while (applied.length < 2) await sleep(5);
  await sleep(60);
  t.is(applied.length, 2);
  t.is(applied[1]?.length, 10);
  follower.close();
});

test('after close nothing is applied', async (t) => {
  const { follower, applied, list, change } = follow(10);
  list(OWN);
  change({ type: 'put', lease: PEER });
  follower.close();
  await sleep(30);
  t.is(applied.length, 1);
});

test('a lease that is missing in a list is leaving, and then gone (L4)', (t) => {
  const { follower, lines, list, leave } = follow(0);
  const other = lease('10.244.3.0/24', '192.0.2.3');
  list(OWN, PEER, other);
  list(OWN, other);
  t.is(follower.others()[1]?.leavesAtMs, LEAVING_MS);
  leave();
  t.is(follower.others().length, 1);
  const fields = { subnet: '10.244.2.0/24', publicIp: '192.0.2.2' };
  t.deepEqual(lines.slice(-2), [
    ['info', 'Lease leaving: its key is gone', fields],
    ['info', 'Lease gone', fields],
  ]);
  follower.close();
});

test('an emptied etcd is an alarm that keeps nothing from passing, until the peers are back (L4)', async (t) => {
  const { follower, faults, applied, list } = follow(1);
  list(OWN, PEER, lease('10.244.3.0/24', '192.0.2.3'));
  list(OWN);
  while (applied.length < 2) await sleep(2);
  const [alarm] = faults.alarms;
  t.true(alarm?.startsWith('Etcd has lost all 2 peers at once (it no longer lists them); they stay in force'), alarm);
  t.is(faults.blocking, undefined);
  t.is(applied.at(-1)?.length, 3);
  list(OWN, PEER, lease('10.244.3.0/24', '192.0.2.3'));
  while (faults.alarms.length > 0) await sleep(2);
  follower.close();
});

test('a change is a line of the log: a lease that is new, written again, gone; of our own only the second', (t) => {
  const { follower, lines, list, change, leave } = follow(0);
  list();
  change({ type: 'put', lease: OWN }, { type: 'put', lease: PEER }, { type: 'put', lease: PEER });
  change({ type: 'put', lease: OWN }, { type: 'delete', subnets: PEER.subnets });
  change({ type: 'put', lease: PEER }, { type: 'delete', subnets: PEER.subnets });
  leave();
  t.deepEqual(
    lines
      .filter(([, message]) => message.startsWith('Lease'))
      .map(([level, message, { subnet }]) => [level, message, subnet]),
    [
      ['info', 'Lease seen', '10.244.2.0/24'],
      ['debug', 'Lease written again', '10.244.2.0/24'],
      ['debug', 'Lease written again', '10.244.1.0/24'],
      ['info', 'Lease leaving: its key is gone', '10.244.2.0/24'],
      ['info', 'Lease back', '10.244.2.0/24'],
      ['info', 'Lease leaving: its key is gone', '10.244.2.0/24'],
      ['info', 'Lease gone', '10.244.2.0/24'],
    ],
  );
  follower.close();
});

test('a lease that differs in a further list is seen again, one that was only renewed is not', (t) => {
  const { follower, lines, list } = follow(0);
  list(OWN, PEER);
  list(OWN, { ...PEER, expiresAtMs: 1 });
  list(OWN, lease('10.244.2.0/24', '192.0.2.3'));
  t.deepEqual(
    lines.filter(([, message]) => message.startsWith('Lease')).map(([, message, { publicIp }]) => [message, publicIp]),
    [
      ['Lease seen', '192.0.2.2'],
      ['Lease seen', '192.0.2.3'],
    ],
  );
  follower.close();
});

test('another node with our PublicIP raises an alarm once, and its end is logged', async (t) => {
  const { follower, faults, lines, list, change, alarms } = follow(1);
  const twin = lease('10.244.7.0/24', '192.0.2.1');
  list(OWN, twin);
  const alarm = 'Lease 10.244.7.0/24 has our PublicIP 192.0.2.1 too';
  t.deepEqual(faults.alarms, [alarm]);
  t.is(faults.blocking, undefined);
  change({ type: 'put', lease: twin });
  await sleep(10);
  t.deepEqual(alarms(), [['error', `Alarm: ${alarm}`, {}]]);
  change({ type: 'delete', subnets: twin.subnets });
  while (faults.alarms.length > 0) await sleep(2);
  t.deepEqual(lines.at(-1), ['info', `Alarm is over: ${alarm}`, {}]);
  follower.close();
});

test('with the NAT address of Vagrant the alarm says what to do', (t) => {
  const { follower, list, alarms } = follow(0, '10.0.2.15');
  list(lease('10.244.1.0/24', '10.0.2.15'), lease('10.244.2.0/24', '10.0.2.15'));
  t.true(alarms()[0]?.[1].endsWith(NAT_HINT));
  follower.close();
});
