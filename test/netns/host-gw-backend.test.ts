/**
 * host-gw, alloc and the question who is on the link, on one host:
 *
 *   u0 192.0.2.1/24, 2001:db8::1/64 (the external interface; its other end swallows everything)
 *   v0 203.0.113.1/24               198.51.100.0/24 lies behind the router 192.0.2.254
 */
import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import type { Ipv4Prefix, Ipv6Prefix } from '../../lib/addr/prefix.ts';
import { startAllocBackend } from '../../lib/backend/alloc.ts';
import type { Backend, BackendOptions } from '../../lib/backend/backend.ts';
import { startHostGwBackend } from '../../lib/backend/host-gw.ts';
import { noStats } from '../../lib/dataplane/add-stats.ts';
import { SharedEngines } from '../../lib/engine/shared-engines.ts';
import type { WeftError } from '../../lib/error.ts';
import { until } from '../../lib/lab/until.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { isOnLink } from '../../lib/router/on-link.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { prefix } from '../fastpath/harness.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

function makeHost(): void {
  for (const name of ['u0', 'v0']) {
    execFileSync('sh', ['-c', `ip link del ${name} 2>/dev/null || true`]);
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-peer`);
    for (const end of [name, `${name}-peer`]) ip('link', 'set', end, 'up');
  }
  ip('address', 'add', '192.0.2.1/24', 'dev', 'u0');
  ip('address', 'add', '2001:db8::1/64', 'dev', 'u0', 'nodad');
  ip('address', 'add', '203.0.113.1/24', 'dev', 'v0');
  ip('route', 'add', '198.51.100.0/24', 'via', '192.0.2.254');
}

function linkIndex(name: string): number {
  return JSON.parse(ip('-j', 'link', 'show', name))[0].ifindex;
}

/** Our routes of both families as ip(8) shows them, sorted. */
function ours(): string[] {
  const lines = [
    ...ip('route', 'show', 'proto', '137').split('\n'),
    ...ip('-6', 'route', 'show', 'proto', '137').split('\n'),
  ];
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .toSorted();
}

const CONFIG = parseNetworkConfig(
  '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/16","IPv6SubnetLen":64,"Backend":{"Type":"host-gw"}}',
);

function options(log: string[], external: Partial<BackendOptions['external']> = {}): BackendOptions {
  const note = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
  return {
    network: '',
    netns: undefined,
    config: CONFIG,
    external: {
      name: 'u0',
      index: linkIndex('u0'),
      mtu: 1500,
      ipv4: parseIpv4('192.0.2.1')!,
      ipv6: parseIpv6('2001:db8::1'),
      publicIp: parseIpv4('192.0.2.1')!,
      publicIpv6: parseIpv6('2001:db8::1'),
      reason: 'test',
      ...external,
    },
    own: { ipv4: prefix('10.244.1.0/24') as Ipv4Prefix, ipv6: prefix('fd00:1::/64') as Ipv6Prefix },
    offload: { auto: true, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true },
    sourceCheck: true,
    tos: { mode: 'fixed', dscp: 0 },
    vtepMac: () => 0x0200_0000_0001,
    engines: new SharedEngines(),
    faults: { report: () => undefined },
    startOver: () => undefined,
    log: logTo(note),
  };
}

interface LeaseText {
  readonly subnet: string;
  readonly publicIp: string;
  readonly subnet6?: string;
  readonly publicIpv6?: string;
  readonly type?: string;
}

function lease({ subnet, publicIp, subnet6, publicIpv6, type = 'host-gw' }: LeaseText): Lease {
  return {
    subnets: {
      ipv4: prefix(subnet) as Ipv4Prefix,
      ipv6: subnet6 === undefined ? undefined : (prefix(subnet6) as Ipv6Prefix),
    },
    attrs: {
      publicIp: parseIpv4(publicIp)!,
      publicIpv6: publicIpv6 === undefined ? undefined : parseIpv6(publicIpv6),
      backendType: type,
      backendData: undefined,
      backendV6Data: undefined,
    },
    expiresAtMs: undefined,
  };
}

const OWN = { subnet: '10.244.1.0/24', publicIp: '192.0.2.1', subnet6: 'fd00:1::/64', publicIpv6: '2001:db8::1' };
const PEER = { subnet: '10.244.2.0/24', publicIp: '192.0.2.2', subnet6: 'fd00:2::/64', publicIpv6: '2001:db8::2' };
const PEER_ROUTES = [
  '10.244.2.0/24 via 192.0.2.2 dev u0',
  'fd00:2::/64 via 2001:db8::2 dev u0 metric 1024 pref medium',
];

async function withBackend(body: (backend: Backend, log: string[]) => Promise<void>): Promise<void> {
  makeHost();
  const log: string[] = [];
  const backend = await startHostGwBackend(options(log));
  try {
    await body(backend, log);
  } finally {
    await backend.stop();
  }
}

async function settled(t: ExecutionContext, expected: readonly string[]): Promise<void> {
  await until(() => String(ours()) === String(expected), PATIENCE_MS);
  t.deepEqual(ours(), [...expected]);
}

test('a peer is a route to each of its subnets; the own lease is none; a peer that leaves leaves nothing', async (t) => {
  await withBackend(async (backend, log) => {
    backend.setLeases([lease(OWN), lease(PEER), lease({ subnet: '10.244.3.0/24', publicIp: '192.0.2.3' })]);
    await settled(t, [PEER_ROUTES[0]!, '10.244.3.0/24 via 192.0.2.3 dev u0', PEER_ROUTES[1]!]);
    t.deepEqual(backend.routes(), [
      { prefix: '10.244.2.0/24', via: '192.0.2.2', device: 'u0' },
      { prefix: 'fd00:2::/64', via: '2001:db8::2', device: 'u0' },
      { prefix: '10.244.3.0/24', via: '192.0.2.3', device: 'u0' },
    ]);
    backend.setLeases([lease(OWN), lease(PEER)]);
    await settled(t, PEER_ROUTES);
    backend.setLeases([]);
    await settled(t, []);
    t.deepEqual(log, []);
  });
});

test('it has no device, socket or counter of its own, and the MTU of the external interface', async (t) => {
  await withBackend(async (backend) => {
    const { type, deviceName, overlayMtu, port } = backend;
    t.deepEqual(
      { type, deviceName, overlayMtu, port },
      { type: 'host-gw', deviceName: 'u0', overlayMtu: 1500, port: undefined },
    );
    t.deepEqual(backend.stats(), noStats());
    t.deepEqual([backend.offloads(), backend.fdb(), await backend.neighbors()], [[], [], []]);
  });
});

const refused: readonly [name: string, lease: LeaseText, reason: string, subnet?: string][] = [
  ['of another backend', { ...PEER, type: 'vxlan' }, 'its backend type is vxlan, ours is host-gw'],
  ['of udp', { ...PEER, type: '' }, 'its backend type is udp, ours is host-gw'],
  [
    'behind a router',
    { subnet: '10.244.2.0/24', publicIp: '198.51.100.7' },
    '198.51.100.7 is not on the link of u0, where host-gw needs it',
  ],
  [
    'on another link',
    { subnet: '10.244.2.0/24', publicIp: '203.0.113.7' },
    '203.0.113.7 is not on the link of u0, where host-gw needs it',
  ],
  [
    'nowhere',
    { subnet: '10.244.2.0/24', publicIp: '100.64.0.7' },
    '100.64.0.7 is not on the link of u0, where host-gw needs it',
  ],
  ['of this host', { subnet: '10.244.2.0/24', publicIp: '192.0.2.1' }, 'its PublicIP is this host'],
];

for (const [name, text, reason] of refused)
  test(`a lease ${name} is refused with the reason, once, and the others are routes`, async (t) => {
    await withBackend(async (backend, log) => {
      const other = lease({ subnet: '10.244.9.0/24', publicIp: '192.0.2.9' });
      for (let round = 0; round < 3; round++) backend.setLeases([lease(text), other]);
      await settled(t, ['10.244.9.0/24 via 192.0.2.9 dev u0']);
      t.deepEqual(backend.refusedLeases(), [{ subnet: '10.244.2.0/24', publicIp: text.publicIp, reason }]);
      t.is(log.length, 1, log.join('\n'));
      t.true(log[0]!.startsWith('A lease is not used') && log[0]!.includes(reason));
    });
  });

test('the IPv6 part alone is refused without a PublicIPv6 on the link; a link-local one is on it', async (t) => {
  await withBackend(async (backend) => {
    const { subnet, publicIp, subnet6 } = PEER;
    const base = { subnet, publicIp, subnet6 };
    for (const [publicIpv6, reason] of [
      [undefined, 'it has no PublicIPv6'],
      ['2001:db8::1', 'its PublicIPv6 is this host'],
      ['2001:db8:9::2', '2001:db8:9::2 is not on the link of u0, where host-gw needs it'],
      ['ff02::1', 'its PublicIPv6 ff02::1 is not a host address'],
    ] as const) {
      backend.setLeases([lease(publicIpv6 === undefined ? base : { ...base, publicIpv6 })]);
      await settled(t, [PEER_ROUTES[0]!]);
      t.deepEqual(backend.refusedLeases(), [{ subnet: 'fd00:2::/64', publicIp: '192.0.2.2', reason }]);
    }
    backend.setLeases([lease({ ...base, publicIpv6: 'fe80::2' })]);
    await settled(t, [PEER_ROUTES[0]!, 'fd00:2::/64 via fe80::2 dev u0 metric 1024 pref medium']);
    t.deepEqual(backend.refusedLeases(), []);
  });
});

test('a peer that comes to be on the link becomes a route, and one that does not any more goes', async (t) => {
  await withBackend(async (backend) => {
    backend.setLeases([lease({ subnet: '10.244.2.0/24', publicIp: '100.64.0.7' })]);
    t.is(backend.refusedLeases().length, 1);
    ip('address', 'add', '100.64.0.1/24', 'dev', 'u0');
    await settled(t, ['10.244.2.0/24 via 100.64.0.7 dev u0']);
    t.deepEqual(backend.refusedLeases(), []);
    ip('address', 'del', '100.64.0.1/24', 'dev', 'u0');
    await settled(t, []);
    t.is(backend.refusedLeases().length, 1);
  });
});

test('an external interface that goes down, or is made anew, gets the routes back, also to peers that came meanwhile', async (t) => {
  await withBackend(async (backend) => {
    backend.setLeases([lease({ subnet: '10.244.2.0/24', publicIp: '192.0.2.2' })]);
    await settled(t, ['10.244.2.0/24 via 192.0.2.2 dev u0']);
    for (const fall of [
      ['link', 'set', 'u0', 'down'],
      ['link', 'del', 'u0'],
    ]) {
      ip(...fall);
      backend.setLeases([lease(PEER), lease({ subnet: '10.244.3.0/24', publicIp: '192.0.2.3' })]);
      await settled(t, []);
      t.deepEqual(backend.refusedLeases(), [], 'the interface, not the leases, is at fault');
      if (fall[1] === 'del') makeHost();
      else ip('link', 'set', 'u0', 'up');
      // The kernel forgets IPv6 addresses of a device that goes down.
      if (fall[1] === 'set') ip('address', 'add', '2001:db8::1/64', 'dev', 'u0', 'nodad');
      await settled(t, [PEER_ROUTES[0]!, '10.244.3.0/24 via 192.0.2.3 dev u0', PEER_ROUTES[1]!]);
    }
  });
});

test('stop leaves the routes; the next run keeps those a lease wants without touching them, and removes the others', async (t) => {
  await withBackend(async (backend) => {
    backend.setLeases([lease(PEER), lease({ subnet: '10.244.3.0/24', publicIp: '192.0.2.3' })]);
    await settled(t, [PEER_ROUTES[0]!, '10.244.3.0/24 via 192.0.2.3 dev u0', PEER_ROUTES[1]!]);
    await backend.stop();
    t.is(ours().length, 3);
    const log: string[] = [];
    const again = await startHostGwBackend(options(log));
    try {
      again.setLeases([lease(PEER)]);
      await settled(t, PEER_ROUTES);
      t.is(log.length, 1);
      t.regex(log[0]!, /^Removed or corrected what an earlier run left .*10\.244\.3\.0\/24/);
    } finally {
      await again.stop();
    }
  });
});

test('a PublicIP that is not an address of the interface is refused, with what to do', async (t) => {
  makeHost();
  for (const [external, message] of [
    [{ publicIp: parseIpv4('203.0.113.9')! }, 'PublicIP 203.0.113.9 is no address of u0'],
    [{ publicIp: parseIpv4('203.0.113.1')! }, 'PublicIP 203.0.113.1 is no address of u0'],
    [{ publicIpv6: parseIpv6('2001:db8::99') }, 'PublicIPv6 2001:db8::99 is no address of u0'],
  ] as const) {
    const error = (await t.throwsAsync(startHostGwBackend(options([], external)))) as WeftError;
    t.is(error.code, 'PUBLIC_IP_NOT_LOCAL');
    t.is(error.message, message);
    t.regex(error.hint!, /on one link/);
  }
  // flannel refuses a second address of the interface too, although peers can use it.
  ip('address', 'add', '192.0.2.11/24', 'dev', 'u0');
  const backend = await startHostGwBackend(options([], { publicIp: parseIpv4('192.0.2.11')! }));
  await backend.stop();
});

test('a network namespace of its own is refused: the external interface is not in it', async (t) => {
  makeHost();
  const error = (await t.throwsAsync(startHostGwBackend({ ...options([]), netns: '/run/netns/blue' }))) as WeftError;
  t.is(error.code, 'UNSUPPORTED_BACKEND');
  t.regex(error.message, /"host-gw" cannot work in network namespace "\/run\/netns\/blue"/);
});

test('alloc makes nothing, and removes what host-gw left in its network', async (t) => {
  makeHost();
  ip('route', 'add', '10.244.2.0/24', 'via', '192.0.2.2', 'proto', '137');
  ip('-6', 'route', 'add', 'fd00:2::/64', 'via', '2001:db8::2', 'proto', '137');
  ip('route', 'add', '10.99.2.0/24', 'via', '192.0.2.2', 'proto', '137');
  ip('route', 'add', '10.244.3.0/24', 'via', '192.0.2.3');
  const links = ip('-br', 'link');
  const backend = await startAllocBackend(options([]));
  t.deepEqual(ours(), ['10.99.2.0/24 via 192.0.2.2 dev u0']);
  t.regex(ip('route'), /10\.244\.3\.0\/24 via 192\.0\.2\.3/);
  backend.setLeases([lease(OWN), lease({ ...PEER, type: '' })]);
  await backend.stop();
  t.deepEqual(ours(), ['10.99.2.0/24 via 192.0.2.2 dev u0']);
  t.is(ip('-br', 'link'), links);
  const { type, deviceName, overlayMtu, port } = backend;
  t.deepEqual(
    { type, deviceName, overlayMtu, port },
    { type: 'alloc', deviceName: 'u0', overlayMtu: 1500, port: undefined },
  );
  t.deepEqual([backend.routes(), backend.refusedLeases(), backend.offloads()], [[], [], []]);
});

test('on the link is what the kernel reaches through the external interface without a router', async (t) => {
  makeHost();
  ip('route', 'add', '198.51.100.128/25', 'dev', 'u0');
  ip('route', 'add', 'blackhole', '192.0.2.66/32');
  ip('route', 'add', '192.0.2.77/32', 'via', '192.0.2.254');
  ip('-6', 'route', 'add', '2001:db8:1::/64', 'via', '2001:db8::fe');
  const netlink = RouteNetlink.open();
  const u0 = linkIndex('u0');
  for (const [address, expected] of [
    ['192.0.2.2', true],
    ['192.0.2.1', false],
    ['192.0.2.66', false],
    ['192.0.2.77', false],
    ['198.51.100.7', false],
    ['198.51.100.200', true],
    ['203.0.113.7', false],
    ['100.64.0.1', false],
    ['127.0.0.1', false],
    ['192.0.2.255', false],
    ['2001:db8::2', true],
    ['2001:db8::1', false],
    ['2001:db8:1::2', false],
    ['2001:db8:2::2', false],
    ['fe80::2', true],
  ] as const)
    t.is(isOnLink(netlink, (parseIpv4(address) ?? parseIpv6(address))!, u0), expected, address);
  netlink.close();
});
