import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { IpAddress } from '../../lib/addr/ip.ts';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { prefixContains, samePrefix } from '../../lib/addr/prefix.ts';
import {
  type ActualNeighbor,
  type ActualRoute,
  type ActualState,
  asActual,
  diffState,
  isNeighbor,
  isRoute,
  neighborKey,
  type Ownership,
  type StateChange,
  type WantedNeighbor,
  type WantedRoute,
  type WantedState,
} from '../../lib/router/diff.ts';
import { RouteTable } from '../../lib/sys/netlink/rtnetlink.ts';
import { prefix } from '../fastpath/harness.ts';
import { type Random, random } from '../random.ts';

const OWN: Ownership = {
  protocol: 137,
  scope: [prefix('10.244.0.0/16'), prefix('fd00::/16')],
  devices: new Set([7]),
};

function ip(text: string): IpAddress {
  return (parseIpv4(text) ?? parseIpv6(text))!;
}

function wanted(destination: string, gateway: string, interfaceIndex = 2): WantedRoute {
  return { destination: prefix(destination), interfaceIndex, gateway: ip(gateway), onlink: false };
}

function actual(destination: string, gateway: string, change: Partial<ActualRoute> = {}): ActualRoute {
  return { ...asActual(wanted(destination, gateway), OWN.protocol), ...change };
}

function changes(desired: Partial<WantedState>, there: Partial<ActualState>): string[] {
  const diff = diffState({ neighbors: [], routes: [], ...desired }, { neighbors: [], routes: [], ...there }, OWN);
  return diff.changes.map((change) => {
    const instead = 'instead' in change && change.instead !== undefined ? ' instead' : '';
    return change.kind + instead;
  });
}

const neighborOf = (address: string, mac: number, interfaceIndex = 7): WantedNeighbor => ({
  interfaceIndex,
  address: ip(address),
  mac,
});

test('neighbours are set before the routes that use them, and removed after them', (t) => {
  const old = { ...neighborOf('10.244.3.0', 3), permanent: true };
  t.deepEqual(
    changes(
      { neighbors: [neighborOf('10.244.2.0', 2)], routes: [wanted('10.244.2.0/24', '10.244.2.0', 7)] },
      { neighbors: [old], routes: [actual('10.244.3.0/24', '10.244.3.0', { interfaceIndex: 7 })] },
    ),
    ['set-neighbor', 'set-route', 'remove-route', 'remove-neighbor'],
  );
});

const single = (destination: string, route: ActualRoute): string[] =>
  changes({ routes: [wanted(destination, '192.0.2.2')] }, { routes: [route] });

const cases: readonly [string, ActualRoute, string[]][] = [
  ['as wanted', actual('10.244.2.0/24', '192.0.2.2'), []],
  ['another gateway', actual('10.244.2.0/24', '192.0.2.3'), ['set-route instead']],
  ['another device', actual('10.244.2.0/24', '192.0.2.2', { interfaceIndex: 3 }), ['set-route instead']],
  ['onlink', actual('10.244.2.0/24', '192.0.2.2', { onlink: true }), ['set-route instead']],
  ['flanneld made it', actual('10.244.2.0/24', '192.0.2.2', { protocol: 3 }), ['set-route instead']],
  ['a blackhole', actual('10.244.2.0/24', '192.0.2.2', { type: 6, nextHops: [] }), ['set-route instead']],
  ['ours with a metric', actual('10.244.2.0/24', '192.0.2.2', { metric: 5 }), ['set-route', 'remove-route']],
  ['of others with a metric', actual('10.244.2.0/24', '192.0.2.2', { metric: 5, protocol: 4 }), ['set-route']],
  ['another table', actual('10.244.2.0/24', '192.0.2.2', { table: 100 }), ['set-route']],
  ['another length', actual('10.244.2.0/25', '192.0.2.2', { protocol: 4 }), ['set-route']],
  ['an own one nobody wants', actual('10.244.2.0/25', '192.0.2.2'), ['set-route', 'remove-route']],
  ['an own one of another network', actual('10.5.2.0/24', '192.0.2.2'), ['set-route']],
  ['a default route', actual('0.0.0.0/0', '192.0.2.2', { destination: undefined }), ['set-route']],
];

for (const [name, route, expected] of cases)
  test(`a route that is there: ${name}`, (t) => {
    t.deepEqual(single('10.244.2.0/24', route), expected);
  });

test('IPv6 metrics: below the default of 1024 a route of others wins, above it does not', (t) => {
  for (const [metric, expected] of [
    [1023, ['set-route', 'remove-rival']],
    [1024, ['set-route instead']],
    [1025, ['set-route']],
  ] as const) {
    const routes = [actual('fd00:2::/64', '2001:db8::9', { metric, protocol: 4 })];
    t.deepEqual(changes({ routes: [wanted('fd00:2::/64', '2001:db8::2')] }, { routes }), [...expected], `${metric}`);
  }
});

test('a neighbour that is not permanent or has another MAC address is set again; others on the device go if they are ours', (t) => {
  const neighbors = [neighborOf('10.244.2.0', 2)];
  const there = (change: Partial<ActualNeighbor>): ActualNeighbor => ({
    ...neighborOf('10.244.2.0', 2),
    permanent: true,
    ...change,
  });
  t.deepEqual(changes({ neighbors }, { neighbors: [there({})] }), []);
  t.deepEqual(changes({ neighbors }, { neighbors: [there({ mac: 3 })] }), ['set-neighbor instead']);
  t.deepEqual(changes({ neighbors }, { neighbors: [there({ permanent: false })] }), ['set-neighbor instead']);
  t.deepEqual(changes({ neighbors }, { neighbors: [there({ interfaceIndex: 8 })] }), ['set-neighbor']);
  t.deepEqual(changes({}, { neighbors: [there({})] }), ['remove-neighbor']);
  t.deepEqual(changes({}, { neighbors: [there({ permanent: false })] }), [], 'learned');
  t.deepEqual(changes({}, { neighbors: [there({ interfaceIndex: 8 })] }), [], 'not our device');
  t.deepEqual(changes({}, { neighbors: [there({ address: ip('192.0.2.1') })] }), [], 'not our network');
});

test('keys of neighbours do not meet across families and devices', (t) => {
  const keys = ['0.0.0.5', '::5', '0.0.0.6', '::6', '::'].flatMap((address) =>
    [1, 2, 70_000].map((interfaceIndex) => neighborKey({ interfaceIndex, address: ip(address) })),
  );
  t.is(new Set(keys).size, 15);
});

test('of two wishes for one subnet or neighbour the first counts, whatever the kernel has (L15)', (t) => {
  const [a, b] = [wanted('10.244.2.0/24', '192.0.2.3'), wanted('10.244.2.0/24', '192.0.2.2')];
  for (const there of [[], [asActual(a, 137)], [asActual(b, 137)]]) {
    const diff = diffState({ neighbors: [], routes: [a, b, a] }, { neighbors: [], routes: there }, OWN);
    t.deepEqual([...diff.routes.values()], [a]);
    t.is(diff.changes.length, there[0]?.gateway === a.gateway ? 0 : 1);
    t.is(diff.contested.length, 1);
  }
  t.is(changes({ routes: [a, a] }, {}).length, 1);
  t.deepEqual(diffState({ neighbors: [], routes: [a, a] }, { neighbors: [], routes: [] }, OWN).contested, []);
  const neighbors = [neighborOf('10.244.2.0', 3), neighborOf('10.244.2.0', 2)];
  const permanent = { ...neighborOf('10.244.2.0', 2), permanent: true };
  t.deepEqual(changes({ neighbors }, { neighbors: [permanent] }), ['set-neighbor instead']);
});

/** A kernel that knows of routes what the diff relies on: one entry for each destination and metric but for appended ones. */
class ModelKernel {
  routes: ActualRoute[];
  neighbors: ActualNeighbor[];

  constructor(state: ActualState) {
    this.routes = [...state.routes];
    this.neighbors = [...state.neighbors];
  }

  make(t: ExecutionContext, change: StateChange): void {
    switch (change.kind) {
      case 'set-neighbor': {
        const key = neighborKey(change.neighbor);
        this.neighbors = this.neighbors.filter((other) => neighborKey(other) !== key);
        this.neighbors.push({ ...change.neighbor, permanent: true });
        break;
      }
      case 'remove-neighbor': {
        t.true(this.neighbors.includes(change.neighbor));
        this.neighbors = this.neighbors.filter((other) => other !== change.neighbor);
        break;
      }
      case 'set-route': {
        const route = asActual(change.route, OWN.protocol);
        const at = this.routes.findIndex((other) => sameSlot(other, route));
        // EEXIST, or a replacement of nothing.
        t.is(at >= 0, change.instead !== undefined);
        if (at < 0) this.routes.push(route);
        else this.routes[at] = route;
        break;
      }
      default: {
        t.true(this.routes.includes(change.route));
        this.routes = this.routes.filter((other) => other !== change.route);
      }
    }
  }
}

function sameSlot(a: ActualRoute, b: ActualRoute): boolean {
  if (a.table !== b.table || a.metric !== b.metric || a.destination === undefined || b.destination === undefined)
    return false;
  return samePrefix(a.destination, b.destination);
}

function someWanted({ next }: Random): WantedState {
  const subnet = (): string => (next(2) === 0 ? `10.244.${next(6)}.0/24` : `fd00:${next(6)}::/64`);
  const routes = Array.from({ length: next(8) }, () => {
    const destination = subnet();
    return wanted(destination, destination.includes(':') ? `2001:db8::${1 + next(3)}` : `192.0.2.${1 + next(3)}`);
  });
  const neighbors = Array.from({ length: next(6) }, () => neighborOf(`10.244.${next(5)}.0`, next(3)));
  return { routes, neighbors };
}

function someActual(dice: Random): ActualState {
  const { next } = dice;
  const metrics = [0, 0, 5, 1023, 1024, 1024, 2000];
  const routes: ActualRoute[] = [...someWanted(dice).routes, ...someWanted(dice).routes].map((route) => ({
    ...asActual(route, [137, 137, 3, 4][next(4)]!),
    ...(next(3) === 0 ? { metric: metrics[next(metrics.length)]! } : {}),
    ...(next(8) === 0 ? { table: 100 } : {}),
  }));
  if (next(2) === 0)
    routes.push(actual('10.99.0.0/24', '192.0.2.9'), actual('10.5.0.0/24', '192.0.2.9', { metric: 3 }));
  const neighbors = new Map<unknown, ActualNeighbor>();
  for (const neighbor of someWanted(dice).neighbors)
    neighbors.set(neighborKey(neighbor), { ...neighbor, permanent: next(3) > 0 });
  // Of two routes that differ in nothing the kernel refuses the second.
  const distinct = new Map(routes.map((route) => [inspect(route), route]));
  return { routes: [...distinct.values()], neighbors: [...neighbors.values()] };
}

test('on random tables: what is wanted is there and alone, what is not ours stays, and nothing is left to do', (t) => {
  const dice = random();
  for (let round = 0; round < 3000; round++) {
    const [desired, there] = [someWanted(dice), someActual(dice)];
    const kernel = new ModelKernel(there);
    const diff = diffState(desired, there, OWN);
    for (const change of diff.changes) kernel.make(t, change);
    const hint = `round ${round}, WEFT_SEED=${dice.seed}`;
    for (const route of desired.routes) {
      const main = kernel.routes.filter(
        ({ destination, table }) =>
          table === RouteTable.main && destination !== undefined && samePrefix(destination, route.destination),
      );
      const lowest = Math.min(...main.map(({ metric }) => metric));
      const used = main.filter(({ metric }) => metric === lowest);
      t.is(used.length, 1, hint);
      t.true(
        desired.routes.some(
          (other) => samePrefix(other.destination, route.destination) && isRoute(used[0]!, other, 137),
        ),
        hint,
      );
    }
    for (const { address, interfaceIndex } of desired.neighbors) {
      const found = kernel.neighbors.find((other) => other.address === address)!;
      t.true(
        desired.neighbors.some((n) => n.address === address && isNeighbor(found, n)),
        hint,
      );
      t.is(found.interfaceIndex, interfaceIndex);
    }
    const wants = ({ destination }: ActualRoute): boolean =>
      desired.routes.some((route) => samePrefix(route.destination, destination!));
    for (const route of there.routes.filter((one) => !wants(one) || one.table !== RouteTable.main)) {
      const ours =
        route.protocol === 137 &&
        route.table === RouteTable.main &&
        OWN.scope.some((scope) => prefixContains(scope, route.destination!));
      t.is(kernel.routes.includes(route), !ours, hint);
    }
    t.deepEqual(diffState(desired, kernel, OWN).changes, [], hint);
  }
});
