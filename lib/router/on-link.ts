/** Which peers need no encapsulation: those on the link of the external interface. flannel's DirectRouting, and all of host-gw. */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { isLinkLocal6 } from '../addr/ipv6.ts';
import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { isNoRoute, RouteNetlink, RouteType } from '../sys/netlink/rtnetlink.ts';

/**
 * True if packets to `address` leave through the external interface without a router: `ip route get` shows one route, and
 * no `via`. A link-local IPv6 address is on every link. Throws NetlinkError where the kernel cannot be asked.
 */
export function isOnLink(netlink: RouteNetlink, address: IpAddress, externalIndex: number): boolean {
  if (typeof address === 'bigint' && isLinkLocal6(address)) return true;
  try {
    const { gateway, interfaceIndex, nextHops, type } = netlink.routeTo(address);
    const isDirect = gateway === undefined && nextHops.length === 1 && type === RouteType.unicast;
    return isDirect && interfaceIndex === externalIndex;
  } catch (error) {
    if (isNoRoute(error)) return false;
    throw error;
  }
}

/** DirectRouting of vxlan and ipip: who is on the external interface's link and needs no encapsulation. */
export class DirectLink {
  readonly #netlink = RouteNetlink.open();
  readonly #device: string;
  readonly #log: Log;

  constructor(device: string, log: Log) {
    this.#device = device;
    this.#log = log;
  }

  /** True if a plain route leads there. False also when the kernel cannot be asked: encapsulation works in any case. */
  reaches(address: IpAddress): boolean {
    try {
      const link = this.#netlink.linkByName(this.#device);
      return link?.up === true && isOnLink(this.#netlink, address, link.index);
    } catch (error) {
      const fields = { peer: formatIp(address), error: messageOf(error) };
      this.#log.warn(fields, 'Cannot find out if a peer is on our link; it is reached by encapsulation');
      return false;
    }
  }

  close(): void {
    this.#netlink.close();
  }
}
