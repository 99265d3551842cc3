import test from 'ava';
import type { Lease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type LeaseDiff, LeaseSet } from '../../lib/lease/lease-set.ts';
import { formatSubnetKey, parseSubnetKey } from '../../lib/lease/subnet-key.ts';

function lease(key: string, publicIp: string, expiresAtMs?: number): Lease {
  return { subnets: parseSubnetKey(key)!, attrs: decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`), expiresAtMs };
}

function keys(leases: readonly Lease[]): string {
  return leases.map(({ subnets }) => formatSubnetKey(subnets)).join();
}

function words({ added, changed, removed }: LeaseDiff): string {
  return `+${keys(added)} ~${keys(changed)} -${keys(removed)}`;
}

test('keeps leases by their subnets', (t) => {
  const set = new LeaseSet();
  set.apply({ type: 'put', lease: lease('10.5.1.0-24', '192.0.2.1') });
  set.apply({ type: 'put', lease: lease('10.5.2.0-24', '192.0.2.2') });
  set.apply({ type: 'put', lease: lease('10.5.1.0-24', '192.0.2.9') });
  set.apply({ type: 'delete', subnets: parseSubnetKey('10.5.3.0-24')! });
  t.is(keys(set.list()), '10.5.1.0-24,10.5.2.0-24');
  t.deepEqual(set.get(parseSubnetKey('10.5.1.0-24')!), lease('10.5.1.0-24', '192.0.2.9'));
  set.apply({ type: 'delete', subnets: parseSubnetKey('10.5.1.0-24')! });
  t.is(keys(set.list()), '10.5.2.0-24');
});

test('tells what a complete list changed, a new PublicIP included and a new expiry time not', (t) => {
  const set = new LeaseSet();
  t.is(
    words(set.replace([lease('10.5.1.0-24', '192.0.2.1'), lease('10.5.2.0-24', '192.0.2.2')])),
    '+10.5.1.0-24,10.5.2.0-24 ~ -',
  );
  t.is(words(set.replace([lease('10.5.1.0-24', '192.0.2.1', 5), lease('10.5.2.0-24', '192.0.2.2')])), '+ ~ -');
  t.is(
    words(set.replace([lease('10.5.2.0-24', '192.0.2.7'), lease('10.5.3.0-24', '192.0.2.3')])),
    '+10.5.3.0-24 ~10.5.2.0-24 -10.5.1.0-24',
  );
  t.is(words(set.replace([])), '+ ~ -10.5.2.0-24,10.5.3.0-24');
});
