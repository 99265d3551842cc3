import test from 'ava';
import { formatIpv4, parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../../lib/addr/ipv6.ts';
import { readOptions } from '../../../lib/daemon/cmdline/options.ts';
import {
  chooseExternalInterface,
  type HostAddress,
  type HostNetwork,
  isSharedNatAddress,
  requireIpv6Underlay,
} from '../../../lib/daemon/host/external-interface.ts';
import { WeftError } from '../../../lib/error.ts';

function address(linkIndex: number, text: string, more: Partial<HostAddress> = {}): HostAddress {
  const value4 = parseIpv4(text);
  const value6 = parseIpv6(text);
  const parsed = value4 === undefined ? { family: 6 as const, value: value6! } : { family: 4 as const, value: value4 };
  return { linkIndex, address: parsed, global: true, permanent: true, temporary: false, deprecated: false, ...more };
}

/** A Vagrant VM: NAT on eth0 with the default route, the private network on eth1. */
const HOST: HostNetwork = {
  links: [
    { index: 1, name: 'lo', mtu: 65536, loopback: true },
    { index: 2, name: 'eth0', mtu: 1500, loopback: false },
    { index: 3, name: 'eth1', mtu: 9000, loopback: false },
    { index: 4, name: 'down0', mtu: 1500, loopback: false },
  ],
  addresses: [
    address(1, '127.0.0.1', { global: false }),
    address(2, '10.0.2.15', { permanent: false }),
    address(3, '169.254.7.7', { global: false }),
    address(3, '192.0.2.99', { permanent: false }),
    address(3, '192.0.2.98', { deprecated: true }),
    address(3, '192.0.2.1'),
    address(3, 'fe80::1', { global: false }),
    address(3, '2001:db8::2', { permanent: false, temporary: true }),
    address(3, '2001:db8::1', { permanent: false }),
  ],
  defaultRouteLink: 2,
  routeTo: (target) => (target >>> 8 === 0xc00002 ? { linkIndex: 3, source: parseIpv4('192.0.2.99') } : undefined),
};

function choose(argv: string, host = HOST) {
  const result = readOptions(argv.split(' ').filter(Boolean), {});
  if (result.action !== 'run') throw new Error(result.action);
  return chooseExternalInterface(result.options.interface, host);
}

const chosen: readonly (readonly [argv: string, name: string, ipv4: string, publicIp: string, reason: string])[] = [
  ['', 'eth0', '10.0.2.15', '10.0.2.15', 'first default route'],
  ['-iface=eth1', 'eth1', '192.0.2.1', '192.0.2.1', '-iface=eth1'],
  ['-iface=192.0.2.99', 'eth1', '192.0.2.99', '192.0.2.99', '-iface=192.0.2.99'],
  ['-iface=2001:db8::1', 'eth1', '192.0.2.1', '192.0.2.1', '-iface=2001:db8::1'],
  ['-iface=none -iface=eth1', 'eth1', '192.0.2.1', '192.0.2.1', '-iface=eth1'],
  ['-iface=none -iface-regex=^eth1$', 'eth1', '192.0.2.1', '192.0.2.1', '-iface-regex=^eth1$ matches eth1'],
  ['-iface-regex=^192\\.0\\.2', 'eth1', '192.0.2.1', '192.0.2.1', '-iface-regex=^192\\.0\\.2 matches 192.0.2.1'],
  ['-iface-regex=e', 'eth0', '10.0.2.15', '10.0.2.15', '-iface-regex=e matches eth0'],
  ['-iface-regex=(?i)ETH1', 'eth1', '192.0.2.1', '192.0.2.1', '-iface-regex=(?i)ETH1 matches eth1'],
  ['-iface-can-reach=192.0.2.7', 'eth1', '192.0.2.99', '192.0.2.99', '-iface-can-reach=192.0.2.7'],
  ['-public-ip=192.0.2.1', 'eth1', '192.0.2.1', '192.0.2.1', 'holds -public-ip=192.0.2.1'],
  ['-public-ip=203.0.113.5 -iface=eth1', 'eth1', '192.0.2.1', '203.0.113.5', '-iface=eth1'],
];
for (const [argv, name, ipv4, publicIp, reason] of chosen)
  test(`${argv === '' ? 'nothing asked' : argv} gives ${name} because of ${reason}`, (t) => {
    const external = choose(argv);
    t.deepEqual(
      [external.name, formatIpv4(external.ipv4), formatIpv4(external.publicIp), external.reason],
      [name, ipv4, publicIp, reason],
    );
  });

test('the interface brings index, MTU and its best IPv6 address: global before link-local, not temporary', (t) => {
  const external = choose('-iface=eth1');
  t.deepEqual([external.index, external.mtu], [3, 9000]);
  t.is(external.ipv6, parseIpv6('2001:db8::1'));
  t.is(choose('-iface=eth1 -public-ipv6=2001:db8::99').publicIpv6, parseIpv6('2001:db8::99'));
});

const unset: readonly (readonly [argv: string, name: string])[] = [
  ['-iface=', 'eth0'],
  ['-iface-regex=', 'eth0'],
  ['-iface= -iface-regex=', 'eth0'],
  ['-iface= -public-ip=203.0.113.5', 'eth0'],
  ['-iface=eth9 -iface=', 'eth0'],
  ['-iface=eth1 -iface=', 'eth1'],
];
for (const [argv, name] of unset)
  test(`${argv} gives ${name}: an empty one is the default route (F4)`, (t) => {
    t.is(choose(argv).name, name);
  });

test('an empty -iface without a default route is said as no -iface at all is, unless another one is there (F4)', (t) => {
  const host = { ...HOST, defaultRouteLink: undefined };
  t.throws(() => choose('-iface= -iface-regex=', host), { code: 'NO_DEFAULT_ROUTE' });
  t.is(choose('-iface= -iface=eth1', host).name, 'eth1');
});

test('a pattern never picks the loopback, a name does (F4)', (t) => {
  t.is(choose('-iface-regex=[0-9]').name, 'eth0');
  t.throws(() => choose('-iface-regex=^lo$'), { code: 'UNKNOWN_INTERFACE' });
  t.is(choose('-iface=lo').name, 'lo');
});

const INVENTORY =
  'lo (127.0.0.1), eth0 (10.0.2.15), eth1 (192.0.2.1, 192.0.2.99, 169.254.7.7), down0 (no IPv4 address)';
const failing: readonly (readonly [argv: string, code: string, message: string, hint: string])[] = [
  ['-iface=eth9', 'UNKNOWN_INTERFACE', 'No interface matches -iface="eth9"', `this host has ${INVENTORY}`],
  [
    '-iface=eth9 -iface-regex=^x -iface-can-reach=8.8.8.8',
    'UNKNOWN_INTERFACE',
    'No interface matches -iface="eth9", -iface-regex="^x", -iface-can-reach=8.8.8.8',
    `this host has ${INVENTORY}`,
  ],
  [
    '-public-ip=203.0.113.5',
    'UNKNOWN_INTERFACE',
    'No interface holds the public IP 203.0.113.5',
    `behind NAT give -iface as well: ${INVENTORY}`,
  ],
  [
    '-iface=down0',
    'INTERFACE_WITHOUT_IPV4',
    'Interface "down0" has no IPv4 address',
    `give it one, or choose another with -iface: ${INVENTORY}`,
  ],
];
for (const [argv, code, message, hint] of failing)
  test(`${argv} fails with ${code}`, (t) => {
    const error = t.throws(() => choose(argv), { instanceOf: WeftError, code, message });
    t.is(error?.hint, hint);
  });

test('no default route is an error that says what there is', (t) => {
  const error = t.throws(() => choose('', { ...HOST, defaultRouteLink: undefined }), { code: 'NO_DEFAULT_ROUTE' });
  t.true(error instanceof WeftError && error.hint?.includes('eth1 (192.0.2.1'));
});

test('a hostile name is quoted and shortened, never printed raw', (t) => {
  const name = `eth0\n\u001b[31m${'x'.repeat(500)}`;
  const error = t.throws(() =>
    chooseExternalInterface(
      { iface: [name], ifaceRegex: [], ifaceCanReach: undefined, publicIp: undefined, publicIpv6: undefined },
      HOST,
    ),
  );
  t.false(error.message.includes('\n') || error.message.includes('\u001b'));
  t.true(error.message.length < 120);
});

for (const pattern of ['(', '\\pL', '[[:alpha:]]', 'x'.repeat(600)])
  test(`pattern ${pattern.slice(0, 20)} is refused`, (t) => {
    t.throws(() => choose(`-iface-regex=${pattern}`), { instanceOf: WeftError, code: 'INVALID_REGEX' });
  });

test('a pattern that backtracks for ever is stopped', (t) => {
  const host = { ...HOST, links: [{ index: 1, name: 'a'.repeat(40), mtu: 1500, loopback: false }] };
  t.throws(() => choose('-iface-regex=(a+)+$x', host), { code: 'INVALID_REGEX', message: /takes too long/ });
});

test('10.0.2.15 is known as the address every VM behind user-mode NAT has', (t) => {
  t.true(isSharedNatAddress(parseIpv4('10.0.2.15')!));
  t.false(isSharedNatAddress(parseIpv4('10.0.2.16')!));
});

const underlays: readonly (readonly [
  argv: string,
  need: 'none' | 'on-link' | 'routed',
  refused: RegExp | undefined,
])[] = [
  ['-iface=eth0', 'none', undefined],
  ['-iface=eth0', 'on-link', /needs an IPv6 address on interface "eth0", which has none$/],
  ['-iface=eth0 -public-ipv6=2001:db8::9', 'routed', /interface "eth0", which has none$/],
  ['-iface=eth1', 'routed', undefined],
  ['-iface=link1', 'on-link', undefined],
  ['-iface=link1', 'routed', /interface "link1", which has only the link-local fe80::5$/],
];
for (const [argv, need, refused] of underlays)
  test(`an IPv6 underlay for ${argv}, need ${need}: ${refused === undefined ? 'there is one' : 'none'}`, (t) => {
    const host: HostNetwork = {
      ...HOST,
      links: [...HOST.links, { index: 5, name: 'link1', mtu: 1500, loopback: false }],
      addresses: [...HOST.addresses, address(5, '192.0.2.5'), address(5, 'fe80::5', { global: false })],
    };
    const external = choose(argv, host);
    const check = () => requireIpv6Underlay(external, 'vxlan', need, host);
    if (refused === undefined) {
      t.notThrows(check);
      return;
    }
    const error = t.throws(check, { instanceOf: WeftError, code: 'PUBLIC_IPV6_MISSING', message: refused });
    t.regex(error?.hint ?? '', /choose another interface with -iface: eth1 \(2001:db8::1, 2001:db8::2, fe80::1\)$/);
  });
