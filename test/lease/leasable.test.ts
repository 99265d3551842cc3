import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { canBeLeased, formatLeasable, leasablePrefixes } from '../../lib/lease/leasable.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';

const EXAMPLE = parseNetworkConfig(
  '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0"}',
);

test('from the first address of SubnetMin to the last of SubnetMax', (t) => {
  const can = (text: string): boolean => canBeLeased(parseIpv4(text)!, EXAMPLE);
  t.deepEqual(['10.9.255.255', '10.10.0.0', '10.99.15.255', '10.99.16.0'].map(can), [false, true, true, false]);
  t.false(canBeLeased(1n, EXAMPLE));
  t.is(formatLeasable(EXAMPLE, 4), '10.10.0.0 to 10.99.15.255');
});

test('the prefixes are all of it and nothing else', (t) => {
  t.deepEqual(leasablePrefixes(EXAMPLE, 4).map(formatPrefix), [
    '10.10.0.0/15',
    '10.12.0.0/14',
    '10.16.0.0/12',
    '10.32.0.0/11',
    '10.64.0.0/11',
    '10.96.0.0/15',
    '10.98.0.0/16',
    '10.99.0.0/20',
  ]);
  t.deepEqual(leasablePrefixes(EXAMPLE, 6), []);
});

test('up to the ends of the address space, of both families', (t) => {
  const last = parseNetworkConfig('{"Network":"255.255.0.0/16","EnableIPv6":true,"IPv6Network":"ffff::/62"}');
  const sizeOf = (length: number): bigint => 1n << BigInt(32 - length);
  t.is(
    leasablePrefixes(last, 4).reduce((sum, { length }) => sum + sizeOf(length), 0n),
    65536n - 256n,
  );
  t.deepEqual(leasablePrefixes(last, 6).map(formatPrefix), ['ffff:0:0:1::/64', 'ffff:0:0:2::/63']);
});
