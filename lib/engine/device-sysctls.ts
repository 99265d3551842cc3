/** Settings of an edge device under net.<family>.conf.<device>. Without them it works, if not as well. */
import { messageOf } from '../error.ts';
import { Ipv4Setting, type RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import { setInterfaceSysctl } from '../sys/sysctl.ts';

/**
 * Sets what a TUN or TAP called `name` should have, in the namespace of the calling thread, which is also `netlink`'s.
 * Returns what could not be set, each with the kernel's words and what will be missing. Throws NetlinkError.
 */
export function applyDeviceSysctls(netlink: RouteNetlink, name: string, isTap: boolean): string[] {
  return isTap ? keepIpv6Still(name) : acceptOwnAddress(netlink, name);
}

/** ICMP errors come from the device's own address, which the kernel takes for a forgery otherwise. */
function acceptOwnAddress(netlink: RouteNetlink, name: string): string[] {
  const link = netlink.linkByName(name);
  if (link === undefined) return [];
  try {
    netlink.setLinkIpv4Setting(link.index, Ipv4Setting.acceptLocal, 1);
    return [];
  } catch (error) {
    return [`${messageOf(error)}: pods do not get our ICMP errors, such as those of path MTU discovery`];
  }
}

/** No router is to change anything here (flannel), and leases see to it that an address is used once. */
function keepIpv6Still(name: string): string[] {
  const missing: string[] = [];
  for (const [key, consequence] of [
    ['accept_ra', 'a router on the segment may change our routes'],
    ['accept_dad', 'the IPv6 address is of use a second late'],
  ] as const) {
    try {
      setInterfaceSysctl('ipv6', name, key, '0');
    } catch (error) {
      missing.push(`${messageOf(error)}: ${consequence}`);
    }
  }
  return missing;
}
