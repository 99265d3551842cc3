/** What the kernel says about the interfaces of this network namespace, in the form the choice of the external one needs. */
import type { Ipv4 } from '../../addr/ipv4.ts';
import { IFA_F_DEPRECATED, IFA_F_PERMANENT, IFA_F_TEMPORARY, IFF_LOOPBACK } from '../../sys/netlink/abi.ts';
import { type Address, isNoRoute, RouteNetlink, RouteScope, RouteTable } from '../../sys/netlink/rtnetlink.ts';
import type { HostAddress, HostNetwork } from './external-interface.ts';

/** Reads links, addresses and routes once; only `routeTo` asks the kernel again. */
export function readHostNetwork(): HostNetwork {
  const netlink = RouteNetlink.open();
  try {
    const defaultRoute = netlink
      .routes()
      .filter((route) => route.family === 4 && route.destination === undefined && route.table === RouteTable.main)
      .toSorted((a, b) => a.metric - b.metric)[0];
    return {
      links: netlink.links().map((link) => ({ ...link, loopback: (link.flags & IFF_LOOPBACK) !== 0 })),
      addresses: netlink.addresses().map(toHostAddress),
      // A multipath route counts as its first next hop, as in flannel.
      defaultRouteLink: defaultRoute?.interfaceIndex,
      routeTo,
    };
  } finally {
    netlink.close();
  }
}

function routeTo(address: Ipv4): { linkIndex: number; source: Ipv4 | undefined } | undefined {
  const netlink = RouteNetlink.open();
  try {
    const { interfaceIndex: linkIndex, source } = netlink.routeTo(address);
    return linkIndex === undefined ? undefined : { linkIndex, source: typeof source === 'number' ? source : undefined };
  } catch (error) {
    if (isNoRoute(error)) return undefined;
    throw error;
  } finally {
    netlink.close();
  }
}

function toHostAddress(address: Address): HostAddress {
  return {
    linkIndex: address.interfaceIndex,
    address: address.family === 4 ? { family: 4, value: address.address } : { family: 6, value: address.address },
    global: address.scope < RouteScope.link,
    permanent: (address.flags & IFA_F_PERMANENT) !== 0,
    // A secondary IPv4 address ranks lower too.
    temporary: (address.flags & IFA_F_TEMPORARY) !== 0,
    deprecated: (address.flags & IFA_F_DEPRECATED) !== 0,
  };
}
