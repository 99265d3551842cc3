import test from 'ava';
import type { IpAddress } from '../../lib/addr/ip.ts';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { type ActualRoute, asActual } from '../../lib/router/diff.ts';
import { type ActualAddress, findIntruders, flanneldLeftovers, type Territory } from '../../lib/router/intruders.ts';
import { RouteType } from '../../lib/sys/netlink/rtnetlink.ts';
import { prefix } from '../fastpath/harness.ts';

const PROTOCOL = 137;
const BOOT = 3;
const KERNEL = 2;

const ip = (text: string): IpAddress => (parseIpv4(text) ?? parseIpv6(text))!;

/** A route of others: connected without a gateway, else as ip(8) adds it. */
function route(destination: string, gateway?: string, change: Partial<ActualRoute> = {}): ActualRoute {
  const hop = { interfaceIndex: 5, gateway: gateway === undefined ? undefined : ip(gateway), onlink: false };
  const added = asActual({ destination: prefix(destination), ...hop }, gateway === undefined ? KERNEL : BOOT);
  return { ...added, ...change };
}

function address(text: string, interfaceIndex = 5): ActualAddress {
  const [host = '', length] = text.split('/');
  return { interfaceIndex, address: ip(host), prefixLength: Number(length) } as ActualAddress;
}

const PEERS = ['10.244.2.0/24', '10.244.3.0/24', 'fd00:2::/64'].map(prefix);
const OWN = ['10.244.1.0/24', 'fd00:1::/64'].map(prefix);

/** As vxlan and host-gw have it, and as udp has it. */
const EACH: Territory = {
  peers: PEERS,
  own: OWN,
  protocol: PROTOCOL,
  routes: PEERS.map((destination) => ({ destination })),
};
const WHOLE: Territory = {
  ...EACH,
  routes: ['10.244.0.0/16', 'fd00::/16'].map((destination) => ({ destination: prefix(destination) })),
};

function found(territory: Territory, routes: readonly ActualRoute[], addresses: readonly ActualAddress[]): string[] {
  return findIntruders(territory, routes, addresses).map(({ route: way, subnet, diverts }) => {
    const what = way === undefined ? 'address' : `route ${formatPrefix(way.destination!)}`;
    return `${what} at ${formatPrefix(subnet)}${diverts ? ', diverts' : ''}`;
  });
}

test('an address inside the subnet of a peer diverts its packets where our route is wider, else ours is taken (F9, F10)', (t) => {
  for (const [connected, at, subnet] of [
    ['10.244.2.0/24', '10.244.2.1/24', '10.244.2.0/24'],
    ['fd00:2::/64', 'fd00:2::1/64', 'fd00:2::/64'],
  ] as const) {
    t.deepEqual(found(WHOLE, [route(connected)], [address(at)]), [`address at ${subnet}, diverts`]);
    t.deepEqual(found(EACH, [route(connected)], [address(at)]), [`address at ${subnet}`]);
  }
  t.deepEqual(found(EACH, [route('10.244.2.128/25')], [address('10.244.2.129/25')]), [
    'address at 10.244.2.0/24, diverts',
  ]);
  t.deepEqual(found(WHOLE, [route('10.244.0.0/20')], [address('10.244.0.1/20')]), [
    'address at 10.244.2.0/24, diverts',
  ]);
  t.deepEqual(found(EACH, [route('10.244.0.0/20')], [address('10.244.0.1/20')]), [], 'ours are nearer');
  t.deepEqual(found(EACH, [], [address('10.244.3.9/32')]), ['address at 10.244.3.0/24']);
});

test('a route of others to a part of a peer diverts, and none that is ours, elsewhere, or asked after ours (F10)', (t) => {
  const via = '192.0.2.9';
  t.deepEqual(found(EACH, [route('10.244.2.7/32', via)], []), ['route 10.244.2.7/32 at 10.244.2.0/24, diverts']);
  const harmless = [
    route('10.244.2.7/32', via, { protocol: PROTOCOL }),
    route('10.244.2.7/32', via, { table: 100 }),
    route('10.244.2.0/24', via),
    route('10.244.9.0/24', via),
    route('10.244.0.0/16', via),
    route('10.0.0.0/8', via),
    route('10.244.1.0/24'),
    { ...route('0.0.0.0/0', via), destination: undefined },
  ];
  t.deepEqual(found(EACH, harmless, [address('10.244.1.1/24'), address('192.0.2.1/24')]), []);
});

test('of the routes to our own subnet only the first matters, and only when it leads away (F8)', (t) => {
  const away = route('10.244.1.0/24', '192.0.2.2');
  const bridge = route('10.244.1.0/24');
  const alarm = ['route 10.244.1.0/24 at 10.244.1.0/24, diverts'];
  t.deepEqual(found(EACH, [away, bridge], []), alarm);
  t.deepEqual(found(EACH, [bridge, away], []), []);
  t.deepEqual(found(EACH, [{ ...away, metric: 50 }, bridge], []), []);
  t.deepEqual(found(EACH, [route('10.244.1.0/24', undefined, { type: RouteType.blackhole }), bridge], []), alarm);
  t.deepEqual(found(EACH, [route('10.244.1.8/32', '10.244.1.7')], []), [], 'what is inside it is for this host to say');
  t.deepEqual(found(EACH, [route('fd00:1::/64', '2001:db8::2')], []), ['route fd00:1::/64 at fd00:1::/64, diverts']);
});

test('a route is known as one of flanneld by its looks, and because the subnet was of another node then (F8)', (t) => {
  const left = route('10.244.1.0/24', '192.0.2.2');
  const leftovers = (earlier: readonly string[], ...routes: ActualRoute[]): number =>
    flanneldLeftovers(OWN, earlier.map(prefix), routes).length;
  t.is(leftovers(['10.244.5.0/24'], left), 1);
  t.is(leftovers([], left), 0, 'nothing is known of an earlier run');
  t.is(leftovers(['10.244.1.0/24'], left), 0, 'the subnet was ours then');
  t.is(leftovers(['fd00:5::/64'], left), 0, 'of the other family');
  t.is(leftovers(['fd00:5::/64'], route('fd00:1::/64', '2001:db8::2')), 1);
  for (const change of [
    { protocol: 4 },
    { metric: 50 },
    { table: 100 },
    { type: RouteType.unreachable },
    { gateway: undefined },
    { nextHops: [left.nextHops[0]!, left.nextHops[0]!] },
  ])
    t.is(leftovers(['10.244.5.0/24'], { ...left, ...change }), 0, Object.keys(change).join());
});
