import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { type Ipv4Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { changeOfSubnet, lossOf, NAT_HINT, ownLeaseFaults } from '../../lib/daemon/own-lease.ts';
import type { SubnetPair } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import type { OwnLeaseCondition } from '../../lib/store/store.ts';

const subnets = (text: string): SubnetPair => ({ ipv4: parsePrefix(text) as Ipv4Prefix, ipv6: undefined });
const OWN = subnets('10.244.1.0/24');
const OTHER = decodeLeaseAttrs('{"PublicIP":"192.0.2.9"}');

function texts(condition: OwnLeaseCondition, publicIp = '192.0.2.1'): string[] {
  return ownLeaseFaults(condition, OWN, parseIpv4(publicIp)!).map(({ text, blocks }) => `${blocks}: ${text}`);
}

test('whatever is wrong with the own lease is a sentence, and keeps the node from being ready (L3, V4)', (t) => {
  t.deepEqual(texts({ kind: 'held' }), []);
  t.deepEqual(texts({ kind: 'gone', obstacle: undefined }), [
    'true: Our lease 10.244.1.0/24 is gone from etcd; it is being written again',
  ]);
  t.deepEqual(texts({ kind: 'gone', obstacle: 'etcd is full' }), [
    'true: Our lease 10.244.1.0/24 is gone from etcd; it cannot be written again: etcd is full',
  ]);
  t.deepEqual(texts({ kind: 'taken', by: OTHER }), [
    'true: Our lease 10.244.1.0/24 was taken by 192.0.2.9; delete its key to get it back, or this node takes another subnet soon',
  ]);
  t.deepEqual(texts({ kind: 'lost', to: OTHER }), [
    'true: Our subnet 10.244.1.0/24 now belongs to 192.0.2.9; this node takes another',
  ]);
  t.regex(texts({ kind: 'shared' })[0] ?? '', /PublicIP 192\.0\.2\.1 has written our lease .*--public-ip/);
  t.true(texts({ kind: 'shared' }, '10.0.2.15')[0]?.endsWith(NAT_HINT));
  t.is(lossOf(OWN, undefined), 'Our subnet 10.244.1.0/24 is not one of the network configuration any more');
});

test('a lease that is only being written again has a moment before it counts (L1)', (t) => {
  t.true(ownLeaseFaults({ kind: 'gone', obstacle: undefined }, OWN, 1)[0]!.graceMs! > 0);
});

test('a change of subnet says what becomes of the pods (L5)', (t) => {
  t.is(changeOfSubnet(undefined, OWN), undefined);
  t.is(changeOfSubnet(subnets('10.244.1.1/24'), OWN), undefined);
  t.regex(
    changeOfSubnet(subnets('10.244.7.1/24'), OWN) ?? '',
    /^The subnet of this node was 10\.244\.7\.0\/24 and is 10\.244\.1\.0\/24: pods .*\(ip link delete cni0\)/,
  );
});
