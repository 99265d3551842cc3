/** What an edge device should be like, and the changes that make it so. */
import { familyOf, formatIp } from '../addr/ip.ts';
import { formatMac, type Mac } from '../addr/mac.ts';
import { hostPrefix, type Prefix, prefixContains } from '../addr/prefix.ts';
import { messageOf, WeftError } from '../error.ts';
import {
  type Address,
  type InterfaceAddress,
  type Link,
  NetlinkError,
  type RouteNetlink,
} from '../sys/netlink/rtnetlink.ts';

export interface LinkSettings {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  /** Packets. */
  readonly txQueueLength: number;
  /** Undefined: a TUN, which has none. */
  readonly mac: Mac | undefined;
  readonly addresses: readonly InterfaceAddress[];
  /** Any other address inside these is removed, as flannel does: traffic from it would not find its way back. */
  readonly network: readonly Prefix[];
}

export interface Applied {
  readonly index: number;
  /** In words. */
  readonly changes: readonly string[];
  /** Why the device has no IPv6 addresses; undefined where it has those that it should have. */
  readonly withoutIpv6: string | undefined;
}

/** What the kernel answers to an IPv6 address where the device, or the whole kernel, has IPv6 switched off. */
const IPV6_OFF: ReadonlySet<string> = new Set(['EACCES', 'EOPNOTSUPP', 'EAFNOSUPPORT']);

/**
 * Makes the device what it should be, in a namespace of its own choice: that of `netlink`. `enableIpv6` is called where
 * the kernel says that IPv6 is off, and may throw WeftError SYSCTL_FAILED: the device then works without it. Throws
 * WeftError DEVICE_LOST, or NetlinkError.
 */
export function applyLinkSettings(netlink: RouteNetlink, settings: LinkSettings, enableIpv6: () => void): Applied {
  const { name, mtu, txQueueLength, mac } = settings;
  const link = netlink.linkByName(name);
  if (link === undefined) throw new WeftError('DEVICE_LOST', `Device "${name}" vanished while it was set up`);
  const { index } = link;
  const changes: string[] = [];
  if (link.txQueueLength !== txQueueLength) {
    netlink.setTxQueueLength(index, txQueueLength);
    changes.push(`transmit queue of ${txQueueLength}`);
  }
  if (mac !== undefined && link.mac !== mac) {
    netlink.setLinkAddress(index, mac);
    changes.push(`address ${formatMac(mac)}`);
  }
  if (link.mtu !== mtu) {
    netlink.setLinkMtu(index, mtu);
    changes.push(`MTU ${mtu}`);
  }
  const addresses = applyAddresses(netlink, link, settings, enableIpv6);
  changes.push(...addresses.changes);
  if (!link.up) {
    netlink.setLinkUp(index);
    changes.push('up');
  }
  return { index, changes, withoutIpv6: addresses.withoutIpv6 };
}

/** Whether all but its addresses is as it should be. */
export function isLinkAsWanted(link: Link, { mtu, txQueueLength, mac }: LinkSettings): boolean {
  const isMac = mac === undefined || link.mac === mac;
  return link.up && link.mtu === mtu && link.txQueueLength === txQueueLength && isMac;
}

function applyAddresses(
  netlink: RouteNetlink,
  link: Link,
  { addresses, network }: LinkSettings,
  enableIpv6: () => void,
): Omit<Applied, 'index'> {
  const present = netlink.addresses().filter(({ interfaceIndex }) => interfaceIndex === link.index);
  const isWanted = (address: Address): boolean =>
    addresses.some((wanted) => wanted.address === address.address && wanted.length === address.prefixLength);
  const isInside = ({ address }: Address): boolean =>
    network.some((prefix) => prefixContains(prefix, hostPrefix(address)));
  const foreign = present.filter((address) => !isWanted(address) && isInside(address));
  for (const { address, prefixLength } of foreign) netlink.removeAddress(link.index, { address, length: prefixLength });
  const changes = foreign.map(({ address }) => `without ${formatIp(address)}`);
  let withoutIpv6: string | undefined;
  for (const address of addresses) {
    if (present.some((there) => isWanted(there) && there.address === address.address)) continue;
    const refusal = addAddress(netlink, link.index, address, enableIpv6);
    if (refusal === undefined) changes.push(`${formatIp(address.address)}/${address.length}`);
    withoutIpv6 ??= refusal;
  }
  return { changes, withoutIpv6 };
}

/** Why the kernel takes no IPv6 address; undefined when it has taken the address. Throws NetlinkError. */
function addAddress(
  netlink: RouteNetlink,
  index: number,
  address: InterfaceAddress,
  enableIpv6: () => void,
): string | undefined {
  try {
    netlink.addAddress(index, address);
    return undefined;
  } catch (error) {
    if (familyOf(address.address) === 4 || !(error instanceof NetlinkError) || !IPV6_OFF.has(error.code)) throw error;
  }
  try {
    enableIpv6();
    netlink.addAddress(index, address);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
