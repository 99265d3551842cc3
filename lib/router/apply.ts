/** One change of the diff as a netlink request. */
import { hostPrefix } from '../addr/prefix.ts';
import { NetlinkError, type RouteNetlink, RouteScope, type RouteSpec } from '../sys/netlink/rtnetlink.ts';
import type { ActualRoute, StateChange, WantedRoute } from './diff.ts';

/** Throws NetlinkError: EEXIST where another route is in the way that was to be added to nothing. */
export function applyChange(netlink: RouteNetlink, change: StateChange, protocol: number): void {
  switch (change.kind) {
    case 'set-neighbor':
      netlink.setNeighbor(change.neighbor);
      break;
    case 'set-route':
      setRoute(netlink, change.route, protocol, change.instead !== undefined);
      break;
    case 'remove-rival':
    case 'remove-astray':
    case 'remove-route':
      netlink.deleteRoute(deletionOf(change.route));
      break;
    case 'remove-neighbor':
      netlink.deleteNeighbor(change.neighbor.interfaceIndex, change.neighbor.address);
      break;
  }
}

/** Lower than any that the kernel or ip(8) gives a route by itself: of two routes to one address it wins. */
const WINNING_METRIC = 1;

function setRoute(netlink: RouteNetlink, route: WantedRoute, protocol: number, replace: boolean): void {
  const set = (): void => netlink.addRoute(specOf(route, protocol), { replace });
  try {
    set();
  } catch (error) {
    if (!mayLackGateway(error, route)) throw error;
    withRouteToGateway(netlink, route, protocol, set);
  }
}

/**
 * For IPv6 "onlink" is not enough where any other route but the default one leads to the gateway by another device: "Nexthop
 * has invalid gateway or device mismatch" (Linux, net/ipv6/route.c, ip6_route_check_nh_onlink). Sites route all of fd00::/8.
 */
function mayLackGateway(error: unknown, { destination, gateway, onlink }: WantedRoute): boolean {
  if (!(error instanceof NetlinkError) || error.code !== 'EINVAL') return false;
  return onlink && destination.family === 6 && typeof gateway === 'bigint';
}

/** The kernel looks at the gateway while it takes the route and never again: the host's own tables stay as they are. */
function withRouteToGateway(netlink: RouteNetlink, route: WantedRoute, protocol: number, set: () => void): void {
  const { gateway, interfaceIndex } = route;
  const toGateway = { destination: hostPrefix(gateway!), interfaceIndex, protocol, metric: WINNING_METRIC };
  netlink.addRoute(toGateway, { replace: true });
  try {
    set();
  } finally {
    netlink.deleteRoute(toGateway);
  }
}

function specOf({ destination, interfaceIndex, gateway, onlink }: WantedRoute, protocol: number): RouteSpec {
  const via = gateway === undefined ? {} : { gateway, onlink };
  // Also where no gateway is named, as flanneld leaves it.
  return { destination, interfaceIndex, protocol, scope: RouteScope.universe, ...via };
}

/** Everything by which the route differs from others to the same destination. Of a multipath route all next hops go. */
function deletionOf(route: ActualRoute): RouteSpec {
  const { destination, gateway, interfaceIndex, metric, nextHops, protocol, table, type } = route;
  const hasOneHop = nextHops.length === 1;
  return {
    destination: destination!,
    metric,
    protocol,
    table,
    type,
    ...(hasOneHop && gateway !== undefined ? { gateway } : {}),
    ...(hasOneHop && interfaceIndex !== undefined ? { interfaceIndex } : {}),
  };
}
