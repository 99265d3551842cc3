import test from 'ava';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { settleContests } from '../../lib/backend/holders.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { parseSubnetKey } from '../../lib/lease/subnet-key.ts';

const lease = (key: string, publicIp: string): Lease => ({
  subnets: parseSubnetKey(key)!,
  attrs: decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`),
  expiresAtMs: undefined,
});

test('of two leases for one prefix the first has it, and the reason of the other names it (L15)', (t) => {
  const { usable, refused } = settleContests([
    lease('10.5.2.0-24', '192.0.2.9'),
    lease('10.5.2.0-24&fd00::-64', '192.0.2.2'),
    lease('10.5.2.0-23', '192.0.2.3'),
  ]);
  t.deepEqual(
    usable.map(({ subnets }) => formatPrefix(subnets.ipv4)),
    ['10.5.2.0/24', '10.5.2.0/23'],
  );
  const reason = 'its subnet is leased to 192.0.2.9 too, by an older key: delete the wrong one';
  t.deepEqual(refused, [{ subnet: '10.5.2.0/24', publicIp: '192.0.2.2', reason }]);
});

test('an IPv6 subnet that an older lease has is taken out of its lease, and the IPv4 one stays (L15)', (t) => {
  const { usable, refused } = settleContests([
    lease('10.5.2.0-24&fd00::-64', '192.0.2.2'),
    lease('10.5.3.0-24&fd00::-64', '192.0.2.3'),
  ]);
  t.deepEqual(
    usable.map(({ subnets }) => subnets.ipv6 !== undefined),
    [true, false],
  );
  t.like(refused, [{ subnet: 'fd00::/64', publicIp: '192.0.2.3' }]);
});

test('two keys of one node do not contradict each other', (t) => {
  const leases = [lease('10.5.2.0-24', '192.0.2.2'), lease('10.5.2.0-24&fd00::-64', '192.0.2.2')];
  t.deepEqual(settleContests(leases), { usable: leases, refused: [] });
});
