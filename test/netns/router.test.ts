/**
 * Neighbours and routes of a backend in a namespace of their own:
 *
 *   eth0 192.0.2.1/24, 2001:db8::1/64 (the underlay)      flannel.1 10.244.1.0/32 (a VTEP; here a veth)
 */
import { execFileSync } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { IpAddress } from '../../lib/addr/ip.ts';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { parseMac } from '../../lib/addr/mac.ts';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { Faults } from '../../lib/faults.ts';
import { until } from '../../lib/lab/until.ts';
import { type DesiredNeighbor, type DesiredRoute, Router } from '../../lib/router/router.ts';
import { NetlinkMonitor } from '../../lib/sys/netlink/monitor.ts';
import { prefix } from '../fastpath/harness.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const SCOPE = [prefix('10.244.0.0/16'), prefix('fd00::/16')];
/** The interval without an event: what is repaired in a test was repaired on an event. */
const INTERVAL_MS = 3_600_000;

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', maxBuffer: 1 << 25 });

/** The routes of one destination, as ip(8) shows them, each without spaces at its end. */
function show(destination: string): string[] {
  const family = destination.includes(':') ? '-6' : '-4';
  return lines(ip(family, 'route', 'show', destination));
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function address(text: string): IpAddress {
  return (parseIpv4(text) ?? parseIpv6(text))!;
}

function plain(destination: string, gateway: string, device = 'eth0'): DesiredRoute {
  return { destination: prefix(destination), device, gateway: address(gateway), onlink: false };
}

/** As vxlan wants it. */
function onlink(destination: string, gateway: string): DesiredRoute {
  return { destination: prefix(destination), device: 'flannel.1', gateway: address(gateway), onlink: true };
}

function neighbor(text: string, mac: string): DesiredNeighbor {
  return { device: 'flannel.1', address: address(text), mac: parseMac(mac)! };
}

interface Fixture {
  readonly router: Router;
  readonly log: string[];
  /** Waits until the kernel shows exactly these routes to `destination`. */
  readonly shows: (destination: string, ...expected: string[]) => Promise<void>;
}

function makeHost(): void {
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
  ip('link', 'add', 'flannel.1', 'type', 'veth', 'peer', 'name', 'flannel-peer');
  for (const name of ['eth0', 'eth0-peer', 'flannel.1', 'flannel-peer']) ip('link', 'set', name, 'up');
  ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
  ip('address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
  ip('address', 'add', '10.244.1.0/32', 'dev', 'flannel.1');
}

function removeHost(): void {
  for (const name of ['eth0', 'flannel.1']) execFileSync('sh', ['-c', `ip link del ${name} 2>/dev/null || true`]);
}

async function withRouter(t: ExecutionContext, body: (fixture: Fixture) => Promise<void>): Promise<void> {
  removeHost();
  makeHost();
  const log: string[] = [];
  const note = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
  const faults = new Faults({ log: logTo(note), onChange: () => undefined, now: () => performance.now() });
  const router = new Router({ netns: undefined, scope: SCOPE, faults, log: logTo(note), intervalMs: INTERVAL_MS });
  const shows = async (destination: string, ...expected: string[]): Promise<void> => {
    await until(() => String(show(destination)) === String(expected), PATIENCE_MS);
    t.deepEqual(show(destination), expected, log.join('\n'));
  };
  try {
    await body({ router, log, shows });
  } finally {
    await router.close();
    removeHost();
  }
}

const NOTHING = { neighbors: [], routes: [] };

test('a vxlan peer is a permanent neighbour and an onlink route, and goes without a trace', async (t) => {
  await withRouter(t, async ({ router, log }) => {
    await router.apply({
      neighbors: [neighbor('10.244.2.0', '02:00:00:00:00:02'), neighbor('fd00:2::', '02:00:00:00:06:02')],
      routes: [onlink('10.244.2.0/24', '10.244.2.0'), onlink('fd00:2::/64', 'fd00:2::')],
    });
    t.deepEqual(show('10.244.2.0/24'), ['10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto 137 onlink']);
    t.deepEqual(show('fd00:2::/64'), [
      'fd00:2::/64 via fd00:2:: dev flannel.1 proto 137 metric 1024 onlink pref medium',
    ]);
    const neighbors = () => lines(ip('neigh', 'show', 'dev', 'flannel.1', 'nud', 'permanent')).toSorted();
    t.deepEqual(neighbors(), [
      '10.244.2.0 lladdr 02:00:00:00:00:02 PERMANENT',
      'fd00:2:: lladdr 02:00:00:00:06:02 PERMANENT',
    ]);
    await router.apply(NOTHING);
    t.deepEqual(neighbors(), []);
    t.deepEqual([...show('10.244.2.0/24'), ...show('fd00:2::/64')], []);
    t.deepEqual(log, []);
    t.is(router.repairs, 0);
  });
});

/** The events of the kernel while `body` runs, as "removed route 10.244.2.0/24". */
async function eventsOf(body: () => Promise<void>): Promise<string[]> {
  const monitor = NetlinkMonitor.open({ kinds: ['route', 'neighbor'] });
  try {
    await body();
    const events = monitor.drain();
    if (events === 'overrun') return ['overrun'];
    return events.map((event) => {
      const what = event.kind === 'route' ? formatPrefix(event.route.destination!) : '';
      return `${event.change} ${event.kind} ${what}`.trim();
    });
  } finally {
    monitor.close();
  }
}

for (const [family, subnet, gateways, local] of [
  ['IPv4', '10.244.2.0/24', ['192.0.2.2', '192.0.2.3'], ''],
  ['IPv6', 'fd00:2::/64', ['2001:db8::2', '2001:db8::3'], ' metric 1024 pref medium'],
] as const) {
  const line = (gateway: string): string => `${subnet} via ${gateway} dev eth0 proto 137${local}`;

  test(`${family}: a changed gateway is replaced in place, without a moment without a route`, async (t) => {
    await withRouter(t, async ({ router, log }) => {
      await router.apply({ neighbors: [], routes: [plain(subnet, gateways[0])] });
      t.deepEqual(show(subnet), [line(gateways[0])]);
      const events = await eventsOf(() => router.apply({ neighbors: [], routes: [plain(subnet, gateways[1])] }));
      t.deepEqual(show(subnet), [line(gateways[1])]);
      t.deepEqual(events, [`set route ${subnet}`]);
      t.deepEqual(log, []);
    });
  });

  test(`${family}: a route that somebody deletes or changes is repaired on the event, and said`, async (t) => {
    await withRouter(t, async ({ router, log, shows }) => {
      await router.apply({ neighbors: [], routes: [plain(subnet, gateways[0])] });
      ip('route', 'del', subnet);
      t.deepEqual(show(subnet), []);
      await shows(subnet, line(gateways[0]));
      ip('route', 'replace', subnet, 'via', gateways[1], 'dev', 'eth0', 'proto', 'static');
      await shows(subnet, line(gateways[0]));
      await router.reconcile();
      t.is(router.repairs, 2);
      t.is(log.length, 2);
      t.regex(log[0]!, /^Repaired .*"wrong":"it was gone"/);
      t.regex(log[1]!, /^Repaired .*"wrong":"it was .* dev eth0 proto 4/);
    });
  });

  test(`${family}: a route of others to the same subnet is replaced and said once; the next lease finds it too`, async (t) => {
    await withRouter(t, async ({ router, log }) => {
      ip('route', 'add', subnet, 'via', gateways[1], 'dev', 'eth0');
      await router.apply({ neighbors: [], routes: [plain(subnet, gateways[0])] });
      t.deepEqual(show(subnet), [line(gateways[0])]);
      await router.reconcile();
      t.is(log.length, 1);
      t.regex(log[0]!, /^Replaced a route of others to a peer .*"it was .* proto 3/);

      // Not the first call: what others have is not known then.
      const late = family === 'IPv4' ? '10.244.3.0/24' : 'fd00:3::/64';
      ip('route', 'add', late, 'via', gateways[1], 'dev', 'eth0');
      await router.apply({ neighbors: [], routes: [plain(subnet, gateways[0]), plain(late, gateways[0])] });
      t.deepEqual(show(late), [line(gateways[0]).replace(subnet, late)]);
      t.is(log.length, 2);
      t.is(router.repairs, 0);
    });
  });

  test(`${family}: the same route as flanneld left it is taken over in place`, async (t) => {
    await withRouter(t, async ({ router, log }) => {
      ip('route', 'add', subnet, 'via', gateways[0], 'dev', 'eth0');
      const events = await eventsOf(() => router.apply({ neighbors: [], routes: [plain(subnet, gateways[0])] }));
      t.deepEqual(show(subnet), [line(gateways[0])]);
      t.deepEqual(events, [`set route ${subnet}`]);
      t.regex(log.join('\n'), /^Took over a route that was there already [^\n]*$/);
    });
  });

  test(`${family}: what an earlier run left is corrected or removed, and nothing else`, async (t) => {
    const [other, foreign] = family === 'IPv4' ? ['10.244.9.0/24', '10.99.9.0/24'] : ['fd00:9::/64', 'fc99::/64'];
    await withRouter(t, async ({ router, log }) => {
      const left = ['via', gateways[1], 'dev', 'eth0', 'proto', '137'];
      ip('route', 'add', subnet, ...left);
      ip('route', 'add', other, ...left);
      ip('route', 'add', foreign, ...left);
      ip('route', 'add', '10.244.8.0/24', 'via', '192.0.2.9', 'dev', 'eth0', 'proto', 'static');
      await router.apply({ neighbors: [], routes: [plain(subnet, gateways[0])] });
      t.deepEqual(show(subnet), [line(gateways[0])]);
      t.deepEqual(show(other), []);
      t.is(show(foreign).length, 1, 'another network of this host');
      t.is(show('10.244.8.0/24').length, 1, 'not ours');
      t.is(log.length, 2);
      t.true(log.every((text) => text.startsWith('Removed or corrected what an earlier run left')));
      t.is(router.repairs, 0);
    });
  });
}

test('IPv4: a route of others that the kernel would only use without ours stays; of several at one metric none does', async (t) => {
  await withRouter(t, async ({ router }) => {
    ip('route', 'add', '10.244.2.0/24', 'via', '192.0.2.9', 'metric', '50');
    ip('route', 'add', '10.244.2.0/24', 'via', '192.0.2.8');
    ip('route', 'append', '10.244.2.0/24', 'via', '192.0.2.7');
    await router.apply({ neighbors: [], routes: [plain('10.244.2.0/24', '192.0.2.2')] });
    t.deepEqual(show('10.244.2.0/24'), [
      '10.244.2.0/24 via 192.0.2.2 dev eth0 proto 137',
      '10.244.2.0/24 via 192.0.2.9 dev eth0 metric 50',
    ]);
  });
});

test('IPv6: routes of others that would win over ours go, also multipath ones', async (t) => {
  await withRouter(t, async ({ router }) => {
    const hops = ['nexthop', 'via', '2001:db8::8', 'nexthop', 'via', '2001:db8::9'];
    ip('-6', 'route', 'add', 'fd00:2::/64', 'metric', '300', ...hops);
    ip('-6', 'route', 'add', 'fd00:2::/64', 'via', '2001:db8::7', 'metric', '2000');
    ip('-6', 'route', 'add', 'fd00:3::/64', ...hops);
    ip('-6', 'route', 'add', 'unreachable', 'fd00:4::/64');
    await router.apply({
      neighbors: [],
      routes: ['fd00:2::/64', 'fd00:3::/64', 'fd00:4::/64'].map((subnet) => plain(subnet, '2001:db8::2')),
    });
    await router.reconcile();
    const ours = 'via 2001:db8::2 dev eth0 proto 137 metric 1024 pref medium';
    t.deepEqual(show('fd00:2::/64'), [
      `fd00:2::/64 ${ours}`,
      'fd00:2::/64 via 2001:db8::7 dev eth0 metric 2000 pref medium',
    ]);
    t.deepEqual(show('fd00:3::/64'), [`fd00:3::/64 ${ours}`]);
    t.deepEqual(show('fd00:4::/64'), [`fd00:4::/64 ${ours}`]);
  });
});

test('a changed MAC address is replaced in place; a neighbour that is changed or deleted is repaired on the event', async (t) => {
  await withRouter(t, async ({ router, log }) => {
    const routes = [onlink('10.244.2.0/24', '10.244.2.0')];
    const neighbors = (): string[] => lines(ip('neigh', 'show', 'dev', 'flannel.1'));
    await router.apply({ neighbors: [neighbor('10.244.2.0', '02:00:00:00:00:02')], routes });
    const events = await eventsOf(() =>
      router.apply({ neighbors: [neighbor('10.244.2.0', '02:00:00:00:00:03')], routes }),
    );
    t.deepEqual(events, ['set neighbor']);
    const good = ['10.244.2.0 lladdr 02:00:00:00:00:03 PERMANENT'];
    t.deepEqual(neighbors(), good);
    for (const harm of [
      ['del', '10.244.2.0', 'dev', 'flannel.1'],
      ['replace', '10.244.2.0', 'lladdr', '02:00:00:00:00:66', 'dev', 'flannel.1'],
      ['replace', '10.244.2.0', 'lladdr', '02:00:00:00:00:03', 'dev', 'flannel.1', 'nud', 'stale'],
    ]) {
      ip('neigh', ...harm);
      t.notDeepEqual(neighbors(), good);
      t.true(await until(() => String(neighbors()) === String(good), PATIENCE_MS), harm.join(' '));
    }
    ip('neigh', 'add', '10.244.7.0', 'lladdr', '02:00:00:00:00:07', 'dev', 'flannel.1', 'nud', 'permanent');
    await router.reconcile();
    t.deepEqual(neighbors(), good, 'permanent neighbours on a device of ours are ours');
    t.is(router.repairs, 4);
    t.regex(log.at(-2)!, /it was .*lladdr 02:00:00:00:00:03 \(not permanent\)/);
    t.regex(log.at(-1)!, /10\.244\.7\.0 .*no lease wants it/);
  });
});

test('a device that goes down and up, or is deleted and made again, gets its routes back', async (t) => {
  await withRouter(t, async ({ router, log, shows }) => {
    const routes = ['10.244.2.0/24', '10.244.3.0/24'].map((subnet) => plain(subnet, '192.0.2.2'));
    await router.apply({ neighbors: [], routes });
    const line = '10.244.2.0/24 via 192.0.2.2 dev eth0 proto 137';
    ip('link', 'set', 'eth0', 'down');
    t.deepEqual(show('10.244.2.0/24'), [], 'the kernel has dropped it, without an event');
    ip('link', 'set', 'eth0', 'up');
    await shows('10.244.2.0/24', line);
    ip('link', 'set', 'eth0', 'down');
    t.true(await until(() => log.some((text) => text.includes('device "eth0" is down')), PATIENCE_MS));
    ip('link', 'set', 'eth0', 'up');
    await shows('10.244.2.0/24', line);
    ip('link', 'del', 'eth0');
    t.true(await until(() => log.some((text) => text.includes('device "eth0" is missing')), PATIENCE_MS));
    ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
    for (const name of ['eth0-peer', 'eth0']) ip('link', 'set', name, 'up');
    // Without its address the gateway is nowhere: what the kernel refuses is tried again.
    t.true(await until(() => log.some((text) => text.includes('ENETUNREACH')), PATIENCE_MS));
    ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await shows('10.244.2.0/24', line);
    const refusals = log.filter((text) => text.includes('ENETUNREACH'));
    t.is(refusals.length, 1, refusals.join('\n'));
    t.regex(
      refusals[0]!,
      /"count":2,"first":"Cannot add route 10\.244\.2\.0\/24 via 192\.0\.2\.2 dev eth0: ENETUNREACH/,
    );
  });
});

test('a device that loses its only address and gets it back gets its routes back', async (t) => {
  await withRouter(t, async ({ router, shows }) => {
    await router.apply({ neighbors: [], routes: [plain('10.244.2.0/24', '192.0.2.2')] });
    ip('address', 'del', '192.0.2.1/24', 'dev', 'eth0');
    t.deepEqual(show('10.244.2.0/24'), []);
    ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await shows('10.244.2.0/24', '10.244.2.0/24 via 192.0.2.2 dev eth0 proto 137');
  });
});

test('a route without a gateway is as flanneld leaves it for udp', async (t) => {
  await withRouter(t, async ({ router }) => {
    const route = { device: 'flannel.1', gateway: undefined, onlink: false };
    await router.apply({ neighbors: [], routes: SCOPE.map((destination) => ({ ...route, destination })) });
    t.deepEqual(show('10.244.0.0/16'), ['10.244.0.0/16 dev flannel.1 proto 137']);
    t.deepEqual(show('fd00::/16'), ['fd00::/16 dev flannel.1 proto 137 metric 1024 pref medium']);
    await router.reconcile();
    t.is(router.repairs, 0);
  });
});

test('two leases for one subnet: the first is used, whatever the kernel has (L15)', async (t) => {
  await withRouter(t, async ({ router, log }) => {
    const a = plain('10.244.2.0/24', '192.0.2.3');
    const b = plain('10.244.2.0/24', '192.0.2.2');
    await router.apply({ neighbors: [], routes: [a] });
    const events = await eventsOf(async () => {
      for (const routes of [
        [a, b],
        [a, b, a],
      ])
        await router.apply({ neighbors: [], routes });
      await router.reconcile();
    });
    t.deepEqual(events, []);
    t.deepEqual(show('10.244.2.0/24'), ['10.244.2.0/24 via 192.0.2.3 dev eth0 proto 137']);
    t.is(log.length, 1);
    t.regex(log[0]!, /different ways/);
    await router.apply({ neighbors: [], routes: [b, a] });
    t.deepEqual(show('10.244.2.0/24'), ['10.244.2.0/24 via 192.0.2.2 dev eth0 proto 137']);
  });
});

test('a flood of events that the kernel cannot hold: everything is read anew, and what was lost in it is repaired', async (t) => {
  await withRouter(t, async ({ router, log, shows }) => {
    await router.apply({ neighbors: [], routes: [plain('10.244.2.0/24', '192.0.2.2')] });
    const batch = Array.from({ length: 20_000 }, (_, n) => `route add 172.${16 + (n >> 8)}.${n & 255}.0/24 dev eth0`);
    batch.push('route del 10.244.2.0/24');
    execFileSync('ip', ['-batch', '-'], { input: batch.join('\n') });
    await shows('10.244.2.0/24', '10.244.2.0/24 via 192.0.2.2 dev eth0 proto 137');
    t.is(router.overruns, 1);
    t.is(log.filter((text) => text.includes('had to drop netlink events')).length, 1);
  });
});

/**
 * `count` /32 subnets behind `gateways` peers. Linux takes a time that grows with the square of the number of gateways of
 * one device (fib_info_hash does not look at the gateway), so that it, not we, would be measured with one for each.
 */
function manyPeers(count: number, gateways: number): { neighbors: DesiredNeighbor[]; routes: DesiredRoute[] } {
  const base = parseIpv4('10.244.128.0')!;
  const device = 'flannel.1';
  return {
    neighbors: Array.from({ length: gateways }, (_, n) => ({ device, address: base + n, mac: 0x0200_0000_0000 + n })),
    routes: Array.from({ length: count }, (_, n) => ({
      device,
      destination: { family: 4, address: base + n, length: 32 },
      gateway: base + (n % gateways),
      onlink: true,
    })),
  };
}

/** How long `body` takes, and how late a timer came meanwhile. */
async function measure(what: string, body: () => Promise<void>): Promise<string> {
  const turns = monitorEventLoopDelay({ resolution: 5 });
  turns.enable();
  // Its first turn is where it counts from, its last one where it sees the last delay.
  await delay(20);
  const since = performance.now();
  await body();
  const ms = performance.now() - since;
  await delay(20);
  turns.disable();
  return `${what} ${ms.toFixed(0)} ms (timers up to ${(turns.max / 1e6).toFixed(0)} ms late)`;
}

for (const [count, gateways] of [
  [20_000, 200],
  [2_000, 2_000],
] as const) {
  test(`${count} routes by way of ${gateways} neighbours: set, read again, one more, removed`, async (t) => {
    await withRouter(t, async ({ router, log }) => {
      const ours = (): number => lines(ip('route', 'show', 'proto', '137')).length;
      const peers = manyPeers(count, gateways);
      const more = manyPeers(count + 1, gateways);
      const took = [await measure('set', () => router.apply(peers))];
      t.is(ours(), count);
      t.is(router.overruns, 0, 'our own changes do not overrun us');
      took.push(await measure('read again', () => router.reconcile()));
      took.push(await measure('one more', () => router.apply(more)));
      t.is(ours(), count + 1);
      took.push(await measure('removed', () => router.apply(NOTHING)));
      t.log(took.join(', '));
      t.is(ours(), 0);
      t.deepEqual(lines(ip('neigh', 'show', 'dev', 'flannel.1', 'nud', 'permanent')), []);
      t.is(router.repairs, 0);
      t.deepEqual(log, []);
    });
  });
}

test('two networks of one host do not touch each other, and close leaves what is there', async (t) => {
  await withRouter(t, async ({ router }) => {
    const log: string[] = [];
    const note = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
    const other = new Router({
      netns: undefined,
      scope: [prefix('10.5.0.0/16')],
      faults: { report: () => undefined },
      log: logTo(note),
    });
    await router.apply({ neighbors: [], routes: [plain('10.244.2.0/24', '192.0.2.2')] });
    await other.apply({ neighbors: [], routes: [plain('10.5.2.0/24', '192.0.2.2')] });
    await Promise.all([router.reconcile(), other.reconcile()]);
    t.is(lines(ip('route', 'show', 'proto', '137')).length, 2);
    await other.close();
    await other.close();
    await other.apply(NOTHING);
    t.is(lines(ip('route', 'show', 'proto', '137')).length, 2);
    t.deepEqual(log, []);
  });
});

test('neighbours and routes of a tenant are kept in its own namespace', async (t) => {
  const name = `weft-router-${process.pid}`;
  ip('netns', 'add', name);
  const log: string[] = [];
  const note = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
  const inside = (...args: string[]): string => ip('-n', name, ...args);
  let router: Router | undefined;
  try {
    inside('link', 'add', 'flannel.1', 'type', 'veth', 'peer', 'name', 'far');
    for (const device of ['flannel.1', 'far']) inside('link', 'set', device, 'up');
    inside('address', 'add', '10.244.1.0/32', 'dev', 'flannel.1');
    router = new Router({
      netns: `/run/netns/${name}`,
      scope: SCOPE,
      faults: { report: () => undefined },
      log: logTo(note),
    });
    await router.apply({
      neighbors: [neighbor('10.244.2.0', '02:00:00:00:00:02')],
      routes: [onlink('10.244.2.0/24', '10.244.2.0')],
    });
    const route = '10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto 137 onlink';
    t.deepEqual(lines(inside('route')), [route]);
    t.deepEqual(lines(ip('route', 'show', 'proto', '137')), []);
    inside('route', 'flush', 'proto', '137');
    inside('neigh', 'flush', 'all', 'nud', 'permanent');
    t.true(await until(() => lines(inside('route')).includes(route), PATIENCE_MS), log.join('\n'));
    t.regex(inside('neigh'), /10\.244\.2\.0 .*PERMANENT/);
  } finally {
    await router?.close();
    ip('netns', 'del', name);
  }
});
