import test from 'ava';
import { duplicateFaults, lossFaults, nestedFaults } from '../../lib/daemon/lease-faults.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { parseSubnetKey } from '../../lib/lease/subnet-key.ts';

const lease = (key: string, publicIp: string): Lease => ({
  subnets: parseSubnetKey(key)!,
  attrs: decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`),
  expiresAtMs: undefined,
});
const texts = (...leases: readonly Lease[]): string[] => nestedFaults(leases).map(({ text }) => text);

test("a subnet inside another node's is an alarm that names both (S4)", (t) => {
  const wide = lease('10.5.2.0-24', '192.0.2.2');
  const alarm =
    'Lease 10.5.2.0/31 of 192.0.2.9 lies inside lease 10.5.2.0/24 of 192.0.2.2, and takes its packets: delete the wrong one';
  t.deepEqual(texts(lease('10.5.2.0-31', '192.0.2.9'), lease('10.5.3.0-24', '192.0.2.3'), wide), [alarm]);
  t.deepEqual(texts(wide, lease('10.5.2.128-25', '192.0.2.2')), [], 'of one node');
  t.deepEqual(texts(wide, lease('10.5.2.0-24&fd00::-64', '192.0.2.9')), [], 'refused, which is an alarm already');
  t.deepEqual(texts(wide, lease('10.5.2.0-24&fd00::-64', '192.0.2.8'), lease('10.5.2.0-31', '192.0.2.9')), [alarm]);
  const [six] = texts(lease('10.5.4.0-24&fd00::-64', '192.0.2.4'), lease('10.5.5.0-24&fd00::-62', '192.0.2.5'));
  t.true(six?.startsWith('Lease fd00::/64 of 192.0.2.4 lies inside lease fd00::/62 of 192.0.2.5'), six);
});

test('many of them are few alarms (S4)', (t) => {
  const many = Array.from({ length: 100 }, (_, n) => lease(`10.5.2.${2 * n}-31`, '192.0.2.9'));
  const all = texts(lease('10.5.2.0-24', '192.0.2.2'), ...many);
  t.is(all.length, 6);
  t.is(all.at(-1), '95 more leases lie inside those of other nodes: weft peers lists all');
});

test('leases with our PublicIP are few alarms, however many there are (L6, S4)', (t) => {
  const many = Array.from({ length: 100 }, (_, n) => lease(`10.5.${n}.0-24`, n === 0 ? '192.0.2.2' : '192.0.2.1'));
  const all = duplicateFaults(many, many[1]!.attrs.publicIp).map(({ text }) => text);
  t.is(all.length, 6);
  t.is(all[0], 'Lease 10.5.1.0/24 has our PublicIP 192.0.2.1 too');
  t.is(all.at(-1), '94 more leases have our PublicIP too: weft peers lists all');
});

test('peers that were lost at once are one alarm, with how it came and how many (L4)', (t) => {
  t.deepEqual(lossFaults(undefined), []);
  const textOf = (lost: number, known: number): string => lossFaults({ how: 'list', lost, known })[0]!.text;
  t.true(textOf(1, 1).startsWith('Etcd has lost the only peer at once (it no longer lists them)'));
  t.true(textOf(3, 3).startsWith('Etcd has lost all 3 peers at once'));
  t.true(textOf(3, 4).startsWith('Etcd has lost 3 of 4 peers at once'));
});
