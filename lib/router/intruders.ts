/**
 * What others on this host do to a network's packets: an address or route of theirs keeps those for a peer here, or leads
 * those for our own pods away. Pure.
 */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { formatPrefix, hostPrefix, type Prefix, prefixContains, samePrefix, shorterPrefix } from '../addr/prefix.ts';
import { type Address, RouteProtocol, RouteTable, RouteType } from '../sys/netlink/rtnetlink.ts';
import { type ActualRoute, defaultMetric, type PrefixKey, prefixKey, type WantedRoute } from './diff.ts';

/** Whose addresses are where, as the leases have it. */
export interface Territory {
  /** Where peers' pods are. */
  readonly peers: readonly Prefix[];
  /** Where ours are. */
  readonly own: readonly Prefix[];
  /** Our routes to peers. */
  readonly routes: readonly Pick<WantedRoute, 'destination'>[];
  /** rtm_protocol of own routes. */
  readonly protocol: number;
}

export type ActualAddress = Pick<Address, 'interfaceIndex' | 'address' | 'prefixLength'>;

export interface Intruder {
  /** The address that is in the way, or else the route. */
  readonly address: ActualAddress | undefined;
  readonly route: ActualRoute | undefined;
  /** Of a peer, or our own. */
  readonly subnet: Prefix;
  /** Packets for the subnet, or for some of it, go another way than the leases want. */
  readonly diverts: boolean;
}

/** Prefixes, to find the longest one around another. */
class PrefixIndex {
  readonly #byKey = new Map<PrefixKey, Prefix>();
  /** Of each family, longest first. */
  readonly #lengths: Readonly<Record<4 | 6, readonly number[]>>;

  constructor(prefixes: readonly Prefix[]) {
    for (const prefix of prefixes) this.#byKey.set(prefixKey(prefix), prefix);
    const lengths = (family: 4 | 6): number[] =>
      [...new Set(prefixes.filter((prefix) => prefix.family === family).map(({ length }) => length))].toSorted(
        (a, b) => b - a,
      );
    this.#lengths = { 4: lengths(4), 6: lengths(6) };
  }

  around(inner: Prefix): Prefix | undefined {
    for (const length of this.#lengths[inner.family]) {
      if (length > inner.length) continue;
      const found = this.#byKey.get(prefixKey(shorterPrefix(inner, length)));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** What is in the way, as the kernel has its tables after a pass. */
export function findIntruders(
  territory: Territory,
  routes: readonly ActualRoute[],
  addresses: readonly ActualAddress[],
): Intruder[] {
  const foreign = routes.filter(({ protocol, table }) => table === RouteTable.main && protocol !== territory.protocol);
  return [...astrayRoutes(territory.own, foreign), ...intrudersAtPeers(territory, foreign, addresses)];
}

function intrudersAtPeers(
  territory: Territory,
  foreign: readonly ActualRoute[],
  addresses: readonly ActualAddress[],
): Intruder[] {
  const peers = new PrefixIndex(territory.peers);
  const ours = new PrefixIndex(territory.routes.map(({ destination }) => destination));
  const atAddress = new Map<ActualAddress, Intruder>();
  for (const address of addresses) {
    const subnet = peers.around(hostPrefix(address.address));
    if (subnet !== undefined) atAddress.set(address, { address, route: undefined, subnet, diverts: false });
  }
  const others: Intruder[] = [];
  for (const route of foreign) {
    const { destination } = route;
    if (destination === undefined) continue;
    // One to the same destination as ours is replaced, and a wider one is not asked.
    const own = ours.around(destination);
    if (own === undefined || own.length >= destination.length) continue;
    const subnet = peers.around(destination) ?? territory.peers.find((peer) => prefixContains(destination, peer));
    if (subnet === undefined) continue;
    const address = addresses.find((candidate) => isConnected(route, candidate));
    if (address === undefined) others.push({ address: undefined, route, subnet, diverts: true });
    else atAddress.set(address, { address, route: undefined, subnet, diverts: true });
  }
  return [...atAddress.values(), ...others];
}

/** The kernel makes it with the address. */
function isConnected({ destination, gateway, interfaceIndex }: ActualRoute, address: ActualAddress): boolean {
  if (gateway !== undefined || interfaceIndex !== address.interfaceIndex) return false;
  const host = hostPrefix(address.address);
  return host.family === destination!.family && samePrefix(shorterPrefix(host, address.prefixLength), destination!);
}

/** Of the routes to exactly an own subnet the kernel takes the first: with the lowest metric, and of those the oldest. */
function astrayRoutes(own: readonly Prefix[], foreign: readonly ActualRoute[]): Intruder[] {
  return own.flatMap((subnet) => {
    const [first] = routesTo(subnet, foreign).toSorted((a, b) => a.metric - b.metric);
    return first !== undefined && leadsAway(first) ? [{ address: undefined, route: first, subnet, diverts: true }] : [];
  });
}

function routesTo(subnet: Prefix, routes: readonly ActualRoute[]): ActualRoute[] {
  return routes.filter(({ destination }) => destination !== undefined && samePrefix(destination, subnet));
}

/** Not to a device of this host, such as cni0. */
function leadsAway({ gateway, nextHops, type }: ActualRoute): boolean {
  return type !== RouteType.unicast || gateway !== undefined || nextHops.length > 1;
}

/**
 * The routes over an own subnet that a flanneld of an earlier run left when the subnet was a peer's. `earlier`: the subnets
 * that this host had then. Such a route looks like one that somebody made by hand (host-gw: "proto boot", a gateway, nothing
 * else), so that this is needed for proof: who had another subnet of the network had a route to this one, and now it is ours.
 */
export function flanneldLeftovers(
  own: readonly Prefix[],
  earlier: readonly Prefix[],
  routes: readonly ActualRoute[],
): ActualRoute[] {
  return own.flatMap((subnet) => {
    const before = earlier.filter(({ family }) => family === subnet.family);
    if (before.length === 0 || before.some((other) => samePrefix(other, subnet))) return [];
    return routesTo(subnet, routes).filter(isLikeFlanneld);
  });
}

function isLikeFlanneld({ destination, gateway, metric, nextHops, protocol, table, type }: ActualRoute): boolean {
  const isPlain = table === RouteTable.main && type === RouteType.unicast && metric === defaultMetric(destination!);
  return isPlain && protocol === RouteProtocol.boot && gateway !== undefined && nextHops.length === 1;
}

/** How intruders are named; the same one always the same. */
export interface Names {
  device(index: number): { readonly name: string; readonly isBridge: boolean };
  route(route: ActualRoute): string;
}

/** One sentence without its full stop: what is in the way, what it does, what to do. */
export function describeIntruder({ address, route, subnet, diverts }: Intruder, own: boolean, names: Names): string {
  if (address !== undefined) return describeAddress(address, subnet, diverts, names);
  const text = names.route(route!);
  const remedy = `remove it, or find out who makes it: ip route show ${formatPrefix(route!.destination!)}`;
  return own
    ? `Route ${text} leads our own subnet away, so that the pods of this node are not reached; ${remedy}`
    : `Route ${text} leads packets for subnet ${formatPrefix(subnet)} of another node elsewhere; ${remedy}`;
}

function describeAddress(
  { address, interfaceIndex, prefixLength }: ActualAddress,
  subnet: Prefix,
  diverts: boolean,
  names: Names,
): string {
  const { name, isBridge } = names.device(interfaceIndex);
  const device = `${isBridge ? 'Bridge' : 'Device'} "${name}"`;
  const text = `${formatIp(address as IpAddress)}/${prefixLength}`;
  const peer = diverts ? "that node's pods are not reached from here, and " : '';
  return (
    `${device} has ${text}, which overlaps subnet ${formatPrefix(subnet)} of another node: ${peer}` +
    `pods on "${name}" with such addresses are reached by nobody; delete them, then the address: ` +
    `ip addr del ${text} dev ${name}`
  );
}
