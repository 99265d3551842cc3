import test from 'ava';
import { addressBytes } from '../../lib/addr/ip.ts';
import { formatPrefix, ipv4Prefix, ipv6Prefix, type Prefix, prefixContains } from '../../lib/addr/prefix.ts';
import { TAP_OUT_RING } from '../../lib/fastpath/abi.ts';
import { buildFib, type ChunkPool, clearPool, type FibRoute, lookup } from '../../lib/fib/trie.ts';
import { Harness, prefix } from '../fastpath/harness.ts';
import { random } from '../random.ts';

function build(routes: readonly FibRoute[], chunks = 4096) {
  const pool: ChunkPool = { chunks: new Uint16Array(chunks * 256), used: 0 };
  clearPool(pool);
  const { root, rejected } = buildFib(pool, routes);
  return { find: (address: Prefix) => lookup(pool.chunks, root, address.address), rejected, pool };
}

/** The obvious answer: look at every route, keep the longest that contains the address, the first of equals. */
function longestMatch(routes: readonly FibRoute[], address: Prefix): number {
  let best: FibRoute | undefined;
  for (const route of routes) {
    const better = best === undefined || route.prefix.length > best.prefix.length;
    if (better && prefixContains(route.prefix, address)) best = route;
  }
  return best?.next ?? 0;
}

/** Memory of the harness that nothing uses while nobody taps. */
const SCRATCH = TAP_OUT_RING;

const host4 = (address: number): Prefix => ipv4Prefix(address, 32);

test('the longest prefix wins whatever the order of the routes', (t) => {
  const routes = [
    { prefix: prefix('10.5.0.0/16'), next: 1 },
    { prefix: prefix('10.5.2.0/24'), next: 2 },
    { prefix: prefix('10.5.2.128/25'), next: 3 },
    { prefix: prefix('0.0.0.0/0'), next: 4 },
  ];
  for (const order of [routes, [...routes].reverse()]) {
    const { find } = build(order);
    t.is(find(prefix('10.5.9.1/32')), 1);
    t.is(find(prefix('10.5.2.1/32')), 2);
    t.is(find(prefix('10.5.2.200/32')), 3);
    t.is(find(prefix('192.0.2.1/32')), 4);
  }
});

test('of two routes to one prefix the first wins (L15)', (t) => {
  const { find } = build([
    { prefix: prefix('10.5.2.0/24'), next: 1 },
    { prefix: prefix('10.5.0.0/16'), next: 3 },
    { prefix: prefix('10.5.2.0/24'), next: 2 },
  ]);
  t.is(find(prefix('10.5.2.1/32')), 1);
});

test('without a matching route the answer is 0', (t) => {
  const { find } = build([{ prefix: prefix('10.5.2.0/24'), next: 2 }]);
  t.is(find(prefix('10.5.3.0/32')), 0);
  t.is(find(prefix('10.6.2.0/32')), 0);
});

test('a route that finds no chunk is reported and the others stay', (t) => {
  const { find, rejected } = build(
    [
      { prefix: prefix('10.5.2.0/24'), next: 1 },
      { prefix: prefix('10.6.2.0/24'), next: 2 },
    ],
    // The empty one, the root, 10, 10.5 and no more.
    4,
  );
  t.is(find(prefix('10.5.2.1/32')), 1);
  t.deepEqual(
    rejected.map((route) => route.next),
    [2],
  );
});

test('random IPv4 routes answer as the list of routes does, in TypeScript and in the fast path', (t) => {
  const { next, seed } = random();
  const routes = Array.from({ length: 800 }, (_, i) => ({
    prefix: ipv4Prefix((0x0a000000 | next(1 << 18)) >>> 0, 8 + next(25)),
    next: i + 1,
  }));
  const unique = [
    ...new Map(routes.map((route) => [`${route.prefix.address}/${route.prefix.length}`, route])).values(),
  ];
  const { find } = build(unique);
  const harness = new Harness({
    own4: '192.168.0.0/24',
    peers: unique.map((route) => ({ publicIp: route.next, prefixes: [formatPrefix(route.prefix)] })),
  });
  for (let i = 0; i < 5000; i++) {
    const address = host4((0x0a000000 | next(1 << 18)) >>> 0);
    const expected = longestMatch(unique, address);
    t.is(find(address), expected, `seed ${seed}`);
    const index = unique.findIndex((route) => route.next === expected);
    // The harness numbers peers in order of appearance.
    t.is(harness.fastpath.lookup4(address.address as number), index + 1, `fast path, seed ${seed}`);
  }
});

test('random IPv6 routes answer as the list of routes does, in TypeScript and in the fast path', (t) => {
  const { next, seed } = random();
  const base = 0xfd00n << 112n;
  const some = () => base | (BigInt(next(1 << 16)) << 80n) | (BigInt(next(1 << 16)) << 60n) | BigInt(next(1 << 30));
  const routes: FibRoute[] = Array.from({ length: 300 }, (_, i) => ({
    prefix: ipv6Prefix(some(), 16 + next(113)),
    next: i + 1,
  }));
  const { find } = build(routes);
  const harness = new Harness({
    own4: '192.168.0.0/24',
    peers: routes.map((route) => ({ publicIp: route.next, prefixes: [formatPrefix(route.prefix)] })),
  });
  for (let i = 0; i < 2000; i++) {
    const near = routes[next(routes.length)]!.prefix.address as bigint;
    const address = ipv6Prefix(next(2) === 0 ? some() : near ^ BigInt(next(1 << 20)), 128);
    const expected = longestMatch(routes, address);
    t.is(find(address), expected, `seed ${seed}`);
    harness.bytes.set(addressBytes(address.address), SCRATCH);
    t.is(harness.fastpath.lookup6(SCRATCH), expected, `fast path, seed ${seed}`);
  }
});
