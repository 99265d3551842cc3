/**
 * What a backend wants in the kernel against what is there: the changes that make the one out of the other. Pure.
 *
 * Own routes carry a protocol number (rtm_protocol), by which those of an earlier run are found. They lie in the main
 * table with the kernel's default metric, as flanneld's do.
 */
import type { IpAddress } from '../addr/ip.ts';
import type { Mac } from '../addr/mac.ts';
import { hostPrefix, type Prefix, prefixContains } from '../addr/prefix.ts';
import { type Neighbor, type Route, RouteTable, RouteType } from '../sys/netlink/rtnetlink.ts';

export interface WantedRoute {
  readonly destination: Prefix;
  readonly interfaceIndex: number;
  readonly gateway: IpAddress | undefined;
  readonly onlink: boolean;
}

/** To be permanent. */
export interface WantedNeighbor {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly mac: Mac;
}

export interface WantedState {
  readonly neighbors: readonly WantedNeighbor[];
  readonly routes: readonly WantedRoute[];
}

/** What of a route of the kernel matters here. */
export type ActualRoute = Pick<
  Route,
  'destination' | 'interfaceIndex' | 'gateway' | 'onlink' | 'nextHops' | 'table' | 'protocol' | 'metric' | 'type'
>;

export type ActualNeighbor = Pick<Neighbor, 'interfaceIndex' | 'address' | 'mac' | 'permanent'>;

export interface ActualState {
  readonly neighbors: readonly ActualNeighbor[];
  readonly routes: readonly ActualRoute[];
}

/** Which entries may be removed when nothing wants them. */
export interface Ownership {
  /** rtm_protocol of own routes. */
  readonly protocol: number;
  /** The network's prefixes; what is outside belongs to another network of this host. */
  readonly scope: readonly Prefix[];
  /** Parts of the scope that are another's. */
  readonly except?: readonly Prefix[];
  /** Indexes of devices whose permanent neighbours within the scope are all own. */
  readonly devices: ReadonlySet<number>;
}

export type StateChange =
  /** `instead` is replaced in place: there is no moment without an entry. */
  | { readonly kind: 'set-neighbor'; readonly neighbor: WantedNeighbor; readonly instead: ActualNeighbor | undefined }
  | { readonly kind: 'set-route'; readonly route: WantedRoute; readonly instead: ActualRoute | undefined }
  /** Not an own route, but it would win over, or share packets with, a wanted one to the same destination. */
  | { readonly kind: 'remove-rival'; readonly route: ActualRoute }
  /** Of a flanneld that ran here before, over what is our own subnet now. */
  | { readonly kind: 'remove-astray'; readonly route: ActualRoute }
  | { readonly kind: 'remove-route'; readonly route: ActualRoute }
  | { readonly kind: 'remove-neighbor'; readonly neighbor: ActualNeighbor };

export interface StateDiff {
  /** In order: neighbours come before the routes that use them, and go after them. */
  readonly changes: readonly StateChange[];
  /** One for each destination. */
  readonly routes: ReadonlyMap<PrefixKey, WantedRoute>;
  readonly neighbors: ReadonlyMap<NeighborKey, WantedNeighbor>;
  /** Destinations that were wanted twice, differently. */
  readonly contested: readonly Prefix[];
}

/** Equal for equal prefixes: what Map can find. */
export type PrefixKey = number | bigint;
/** Equal for neighbours with the same address on the same device. */
export type NeighborKey = number | bigint;

export function prefixKey(prefix: Prefix): PrefixKey {
  return prefix.family === 4 ? prefix.address * 64 + prefix.length : (prefix.address << 8n) | BigInt(prefix.length);
}

export function neighborKey({
  interfaceIndex,
  address,
}: Pick<WantedNeighbor, 'interfaceIndex' | 'address'>): NeighborKey {
  return typeof address === 'number' ? interfaceIndex * 2 ** 32 + address : (BigInt(interfaceIndex) << 128n) | address;
}

/** The metric the kernel gives a route that names none: IP6_RT_PRIO_USER for IPv6. */
export function defaultMetric(destination: Prefix): number {
  return destination.family === 4 ? 0 : 1024;
}

/** The changes that turn `actual` into `wanted`. What is not own stays, but for rivals. */
export function diffState(wanted: WantedState, actual: ActualState, own: Ownership): StateDiff {
  const routes = diffRoutes(wanted.routes, actual.routes, own);
  const neighbors = diffNeighbors(wanted.neighbors, actual.neighbors, own);
  return {
    changes: [...neighbors.set, ...routes.set, ...routes.remove, ...neighbors.remove],
    routes: routes.chosen,
    neighbors: neighbors.chosen,
    contested: routes.contested,
  };
}

interface Part<Key, Wanted> {
  readonly set: StateChange[];
  readonly remove: StateChange[];
  readonly chosen: Map<Key, Wanted>;
}

function diffRoutes(
  wanted: readonly WantedRoute[],
  actual: readonly ActualRoute[],
  own: Ownership,
): Part<PrefixKey, WantedRoute> & { readonly contested: Prefix[] } {
  const candidates = groupByKey(wanted, ({ destination }) => prefixKey(destination));
  const set: StateChange[] = [];
  const remove: StateChange[] = [];
  /** Of each wanted destination: what the kernel has. */
  const present = new Map<PrefixKey, ActualRoute[]>();
  for (const route of actual) {
    if (route.table !== RouteTable.main || route.destination === undefined) continue;
    const key = prefixKey(route.destination);
    if (candidates.has(key)) push(present, key, route);
    else if (isOwn(route, own)) remove.push({ kind: 'remove-route', route });
  }
  const chosen = new Map<PrefixKey, WantedRoute>();
  const contested: Prefix[] = [];
  for (const [key, group] of candidates) {
    const there = present.get(key) ?? [];
    // Of several wishes for one destination the first counts, as in every table.
    const route = group[0]!;
    if (group.some((other) => !isSameWish(other, route))) contested.push(route.destination);
    chosen.set(key, route);
    replaceOthers(route, there, own, set, remove);
  }
  return { set, remove, chosen, contested };
}

/** Makes `route` the only one to its destination, but for those that the kernel would only use without it. */
function replaceOthers(
  route: WantedRoute,
  there: readonly ActualRoute[],
  own: Ownership,
  set: StateChange[],
  remove: StateChange[],
): void {
  if (there.length === 1 && isRoute(there[0]!, route, own.protocol)) return;
  const metric = defaultMetric(route.destination);
  const isThere = there.some((other) => isRoute(other, route, own.protocol));
  const others = there.filter((other) => !isRoute(other, route, own.protocol));
  const instead = isThere ? undefined : others.find((other) => other.metric === metric);
  if (!isThere) set.push({ kind: 'set-route', route, instead });
  for (const other of others) {
    if (other === instead) continue;
    if (isOwn(other, own)) remove.push({ kind: 'remove-route', route: other });
    else if (other.metric <= metric) remove.push({ kind: 'remove-rival', route: other });
  }
}

/** True if the kernel's route is the wanted one, as we would have added it. */
export function isRoute(actual: ActualRoute, wanted: WantedRoute, protocol: number): boolean {
  return (
    actual.interfaceIndex === wanted.interfaceIndex &&
    actual.gateway === wanted.gateway &&
    actual.onlink === wanted.onlink &&
    actual.nextHops.length === 1 &&
    actual.type === RouteType.unicast &&
    actual.protocol === protocol &&
    actual.metric === defaultMetric(wanted.destination)
  );
}

/** True if the kernel's route to the destination of a wanted one takes packets away from it. */
export function isRival(actual: ActualRoute, wanted: WantedRoute, protocol: number): boolean {
  return actual.metric <= defaultMetric(wanted.destination) && !isRoute(actual, wanted, protocol);
}

/** A wanted route as the kernel lists it once it is there. */
export function asActual(route: WantedRoute, protocol: number): ActualRoute {
  const { destination, interfaceIndex, gateway, onlink } = route;
  return {
    destination,
    interfaceIndex,
    gateway,
    onlink,
    nextHops: [{ interfaceIndex, gateway, onlink }],
    table: RouteTable.main,
    protocol,
    metric: defaultMetric(destination),
    type: RouteType.unicast,
  };
}

function isOwn(route: ActualRoute, { protocol, scope, except = [] }: Ownership): boolean {
  const { destination } = route;
  if (route.protocol !== protocol || destination === undefined) return false;
  const isIn = (prefix: Prefix): boolean => prefixContains(prefix, destination);
  return scope.some(isIn) && !except.some(isIn);
}

function isSameWish(a: WantedRoute, b: WantedRoute): boolean {
  return a.gateway === b.gateway && a.interfaceIndex === b.interfaceIndex && a.onlink === b.onlink;
}

function diffNeighbors(
  wanted: readonly WantedNeighbor[],
  actual: readonly ActualNeighbor[],
  own: Ownership,
): Part<NeighborKey, WantedNeighbor> {
  const candidates = groupByKey(wanted, neighborKey);
  const set: StateChange[] = [];
  const remove: StateChange[] = [];
  const present = new Map<NeighborKey, ActualNeighbor>();
  for (const neighbor of actual) {
    const key = neighborKey(neighbor);
    if (candidates.has(key)) present.set(key, neighbor);
    else if (isOwnNeighbor(neighbor, own)) remove.push({ kind: 'remove-neighbor', neighbor });
  }
  const chosen = new Map<NeighborKey, WantedNeighbor>();
  for (const [key, group] of candidates) {
    const there = present.get(key);
    const neighbor = group[0]!;
    chosen.set(key, neighbor);
    if (there === undefined || !isNeighbor(there, neighbor))
      set.push({ kind: 'set-neighbor', neighbor, instead: there });
  }
  return { set, remove, chosen };
}

export function isNeighbor(actual: ActualNeighbor, wanted: WantedNeighbor): boolean {
  return actual.permanent && actual.mac === wanted.mac;
}

function isOwnNeighbor(neighbor: ActualNeighbor, { devices, scope }: Ownership): boolean {
  const { address, interfaceIndex, permanent } = neighbor;
  if (!permanent || !devices.has(interfaceIndex)) return false;
  return scope.some((prefix) => prefixContains(prefix, hostPrefix(address)));
}

function groupByKey<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const item of items) push(groups, keyOf(item), item);
  return groups;
}

function push<Key, T>(groups: Map<Key, T[]>, key: Key, item: T): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}
