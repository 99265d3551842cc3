import test from 'ava';
import fc from 'fast-check';
import { formatPrefix, ipv4Prefix, ipv6Prefix } from '../../lib/addr/prefix.ts';
import { formatSubnetKey, parseSubnetKey, subnetsClaimedByKey } from '../../lib/lease/subnet-key.ts';
import { flanneldKeys } from './vectors.ts';

/** The subnets a key routes to, as text; undefined when it is refused. */
function routed(key: string): string | undefined {
  const subnets = parseSubnetKey(key);
  if (subnets === undefined) return undefined;
  return [subnets.ipv4, ...(subnets.ipv6 === undefined ? [] : [subnets.ipv6])].map(formatPrefix).join(' ');
}

test('reads and writes the keys that flanneld wrote, byte for byte', (t) => {
  let seen = 0;
  for (const backend of ['udp', 'vxlan', 'host-gw'] as const) {
    for (const { key } of flanneldKeys(backend).filter((entry) => entry.key !== 'config')) {
      const name = key.slice('subnets/'.length);
      const subnets = parseSubnetKey(name);
      t.truthy(subnets, name);
      t.is(formatSubnetKey(subnets!), name);
      seen++;
    }
  }
  t.is(seen, 6);
});

test('reads single and dual-stack keys', (t) => {
  t.is(routed('10.5.52.0-24'), '10.5.52.0/24');
  t.is(routed('10.12.13.0-24&fd00:12:13::-56'), '10.12.13.0/24 fd00:12:13::/56');
  t.is(routed('0.0.0.0-0'), '0.0.0.0/0');
  t.is(routed('10.5.1.4-31'), '10.5.1.4/31');
});

test('refuses every key that is not spelled as flanneld writes it', (t) => {
  const keys = [
    '',
    '10.5.1.0',
    '10.5.1.0/24',
    '10.5.1.0-',
    '10.5.1.0-32',
    '10.5.1.0-99',
    '10.5.1.0--1',
    '10.5.1-24',
    '10.5.1.0-24 ',
    '10.5.1.0-24\n',
    '10x5x1x0-24',
    '256.5.1.0-24',
    '010.5.1.0-24',
    '10.5.1.0-024',
    '10.5.1.7-24',
    'x10.5.1.0-24',
    '../10.5.1.0-24',
    '%2e%2e/10.5.1.0-24',
    'old/10.5.1.0-24',
    '\u001b[31m10.5.1.0-24',
    '10.5.1.0-24&',
    '10.5.1.0-24&fd00::-128',
    '10.5.1.0-24&FD00::-64',
    '10.5.1.0-24&fd00:0:0::-64',
    '10.5.1.0-24&fd00::1-64',
    '10.5.1.0-24&fd00::-64&fd01::-64',
    '10.5.1.0-24&10.6.0.0-24',
    'fd00::-64',
    '\u0661\u0660.5.1.0-24',
  ];
  for (const key of keys) t.is(routed(key), undefined, JSON.stringify(key));
});

test('keeps out of the subnets that flannel takes a key to name', (t) => {
  const cases: [string, string[]][] = [
    ['10.5.1.0-24', ['10.5.1.0/24']],
    ['10.5.1.0-24&fd00:1::-64', ['10.5.1.0/24', 'fd00:1::/64']],
    ['x10.5.1.0-24', ['10.5.1.0/24']],
    ['old/10.5.1.0-24', ['10.5.1.0/24']],
    ['10.5.1.7-24', ['10.5.1.0/24']],
    ['10.5.1.0-024', ['10.5.1.0/24']],
    ['10.5.1.0-24&fd00:0:0::-64', ['10.5.1.0/24', 'fd00::/64']],
    ['10.5.1.0-32', []],
    ['10.5.1.0-24&FD00::-64', []],
    ['10.5.1.0-24&fd00::1::-64', []],
    ['nonsense', []],
  ];
  for (const [key, claimed] of cases) t.deepEqual(subnetsClaimedByKey(key).map(formatPrefix), claimed, key);
});

test('refuses to write a /32 or a /128', (t) => {
  const code = 'SUBNET_INVALID';
  t.throws(() => formatSubnetKey({ ipv4: ipv4Prefix(1, 32), ipv6: undefined }), { code });
  t.throws(() => formatSubnetKey({ ipv4: ipv4Prefix(0, 8), ipv6: ipv6Prefix(1n, 128) }), { code });
});

test('reads back whatever it writes', (t) => {
  const seed = Date.now() % 0x7fffffff;
  const ipv4 = fc.tuple(fc.nat(0xffffffff), fc.nat(31)).map(([address, length]) => ipv4Prefix(address, length));
  const ipv6 = fc.tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.nat(127));
  const ipv6OrNone = fc.option(
    ipv6.map(([address, length]) => ipv6Prefix(address, length)),
    { nil: undefined },
  );
  fc.assert(
    fc.property(ipv4, ipv6OrNone, (first, second) => {
      const subnets = { ipv4: first, ipv6: second };
      t.deepEqual(parseSubnetKey(formatSubnetKey(subnets)), subnets);
    }),
    { seed, numRuns: 1000 },
  );
});

test('is not slowed down by a key of a megabyte', (t) => {
  for (const key of ['1'.repeat(1_000_000), '1.'.repeat(500_000), `${'1'.repeat(1_000_000)}10.5.1.0-24`]) {
    // With the square of the length it would take hours.
    t.is(parseSubnetKey(key), undefined);
  }
});
