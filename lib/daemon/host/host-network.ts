/** What the kernel says about the interfaces of this network namespace, in the form the choice of the external one needs. */
import type { Ipv4 } from '../../addr/ipv4.ts';
import {
  type Address,
  NetlinkError,
  type Route,
  RouteNetlink,
  RouteScope,
  RouteTable,
} from '../../sys/netlink/rtnetlink.ts';
import type { HostAddress, HostNetwork } from './external-interface.ts';

/** include/uapi/linux/if_addr.h. For IPv4 the bit of TEMPORARY means "secondary": it ranks such an address lower too. */
const IFA_F_TEMPORARY = 0x01;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_PERMANENT = 0x80;

/** Reads links, addresses and routes once; only `routeTo` asks the kernel again. */
export function readHostNetwork(): HostNetwork {
  const netlink = RouteNetlink.open();
  try {
    const defaultRoute = netlink
      .routes()
      .filter((route) => route.family === 4 && route.destination === undefined && route.table === RouteTable.main)
      .toSorted((a, b) => a.metric - b.metric)[0];
    return {
      links: netlink.links(),
      addresses: netlink.addresses().map(toHostAddress),
      defaultRouteLink: defaultRoute && outgoingLink(defaultRoute),
      routeTo,
    };
  } finally {
    netlink.close();
  }
}

function routeTo(address: Ipv4): { linkIndex: number; source: Ipv4 | undefined } | undefined {
  const netlink = RouteNetlink.open();
  try {
    const route = netlink.routeTo(address);
    const linkIndex = outgoingLink(route);
    const source = typeof route.source === 'number' ? route.source : undefined;
    return linkIndex === undefined ? undefined : { linkIndex, source };
  } catch (error) {
    if (error instanceof NetlinkError && ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES'].includes(error.code))
      return undefined;
    throw error;
  } finally {
    netlink.close();
  }
}

/** A multipath route counts as its first next hop, as in flannel. */
function outgoingLink(route: Route): number | undefined {
  return route.interfaceIndex ?? route.nextHops[0]?.interfaceIndex;
}

function toHostAddress(address: Address): HostAddress {
  return {
    linkIndex: address.interfaceIndex,
    address: address.family === 4 ? { family: 4, value: address.address } : { family: 6, value: address.address },
    global: address.scope < RouteScope.link,
    permanent: (address.flags & IFA_F_PERMANENT) !== 0,
    temporary: (address.flags & IFA_F_TEMPORARY) !== 0,
    deprecated: (address.flags & IFA_F_DEPRECATED) !== 0,
  };
}
