/** One change of the diff as a netlink request. */
import { type RouteNetlink, RouteScope, type RouteSpec } from '../sys/netlink/rtnetlink.ts';
import type { ActualRoute, StateChange, WantedRoute } from './diff.ts';

/** Throws NetlinkError: EEXIST where another route is in the way that was to be added to nothing. */
export function applyChange(netlink: RouteNetlink, change: StateChange, protocol: number): void {
  switch (change.kind) {
    case 'set-neighbor':
      netlink.setNeighbor(change.neighbor);
      break;
    case 'set-route':
      netlink.addRoute(specOf(change.route, protocol), { replace: change.instead !== undefined });
      break;
    case 'remove-rival':
    case 'remove-route':
      netlink.deleteRoute(deletionOf(change.route));
      break;
    case 'remove-neighbor':
      netlink.deleteNeighbor(change.neighbor.interfaceIndex, change.neighbor.address);
      break;
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
