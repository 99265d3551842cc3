/** Which netlink events mean that the kernel is no longer as it was left. Pure. */
import type { NetlinkEvent } from '../sys/netlink/monitor.ts';
import { type Link, type Route, RouteTable } from '../sys/netlink/rtnetlink.ts';
import {
  isNeighbor,
  isRival,
  isRoute,
  type NeighborKey,
  neighborKey,
  type PrefixKey,
  prefixKey,
  type WantedNeighbor,
  type WantedRoute,
} from './diff.ts';

/** The entries that the kernel should have, and their devices as they were then. */
export interface Expectation {
  readonly routes: ReadonlyMap<PrefixKey, WantedRoute>;
  readonly neighbors: ReadonlyMap<NeighborKey, WantedNeighbor>;
  /** By name; undefined for those that were missing. */
  readonly devices: ReadonlyMap<string, Link | undefined>;
  readonly protocol: number;
}

/**
 * True when something expected is gone, was changed, or may be gone without an event of its own: with a device that goes
 * down or loses its last address the kernel drops IPv4 routes silently. The events of our own changes contradict nothing.
 */
export function contradicts(event: NetlinkEvent, expected: Expectation): boolean {
  switch (event.kind) {
    case 'link':
      return linkChanged(event.change === 'removed', event.link, expected.devices);
    case 'address': {
      const { interfaceIndex } = event.address;
      return [...expected.devices.values()].some((link) => link?.index === interfaceIndex);
    }
    case 'route':
      return routeChanged(event.change === 'removed', event.route, expected);
    case 'neighbor': {
      const wanted = expected.neighbors.get(neighborKey(event.neighbor));
      return wanted !== undefined && (event.change === 'removed' || !isNeighbor(event.neighbor, wanted));
    }
  }
}

function linkChanged(removed: boolean, link: Link, devices: Expectation['devices']): boolean {
  for (const [name, known] of devices) {
    if (known === undefined ? name !== link.name : known.index !== link.index) continue;
    if (known === undefined) return !removed;
    return removed || link.up !== known.up || link.name !== name;
  }
  return false;
}

function routeChanged(removed: boolean, route: Route, { routes, protocol }: Expectation): boolean {
  if (route.table !== RouteTable.main || route.destination === undefined) return false;
  const wanted = routes.get(prefixKey(route.destination));
  if (wanted === undefined) return false;
  return removed ? isRoute(route, wanted, protocol) : isRival(route, wanted, protocol);
}
