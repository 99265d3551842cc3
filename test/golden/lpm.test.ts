import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { parsePrefix } from '../../lib/addr/prefix.ts';
import { slowLookup } from './lpm.ts';

const ROUTES = [
  '10.244.0.0/16',
  '10.244.5.0/24',
  '10.244.5.128/25',
  '10.244.5.200/32',
  'fd00::/16',
  'fd00:244::/32',
].map((text, peer) => ({ prefix: parsePrefix(text)!, peer }));

const CASES: readonly (readonly [address: string, peer: number | undefined])[] = [
  ['10.244.0.0', 0],
  ['10.244.255.255', 0],
  ['10.244.5.127', 1],
  ['10.244.5.128', 2],
  ['10.244.5.199', 2],
  ['10.244.5.200', 3],
  ['10.244.5.201', 2],
  ['10.245.0.0', undefined],
  ['10.243.255.255', undefined],
  ['fd00:243::1', 4],
  ['fd00:244:ffff::1', 5],
  ['fd01::1', undefined],
  ['::10.244.5.200', undefined],
];

for (const [address, peer] of CASES)
  test(`looks up ${address}`, (t) => {
    const four = parseIpv4(address);
    const found = four === undefined ? slowLookup(ROUTES, 6, parseIpv6(address)!) : slowLookup(ROUTES, 4, four);
    t.is(found, peer);
    // The order of the routes does not matter.
    const reversed = ROUTES.toReversed();
    t.is(four === undefined ? slowLookup(reversed, 6, parseIpv6(address)!) : slowLookup(reversed, 4, four), peer);
  });

test('a default route catches the rest of its family only', (t) => {
  const routes = [{ prefix: parsePrefix('0.0.0.0/0')!, peer: 7 }];
  t.is(slowLookup(routes, 4, 0xffffffff), 7);
  t.is(slowLookup(routes, 6, 1n), undefined);
});
