/** What an edge device should be like, and the changes that make it so. */
import { formatIp } from '../addr/ip.ts';
import { formatMac, type Mac } from '../addr/mac.ts';
import { hostPrefix, type Prefix, prefixContains } from '../addr/prefix.ts';
import { WeftError } from '../error.ts';
import type { Address, InterfaceAddress, Link, RouteNetlink } from '../sys/netlink/rtnetlink.ts';

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

/**
 * Makes the device what it should be, in a namespace of its own choice: that of `netlink`. Returns its index and what was
 * changed, in words. Throws WeftError DEVICE_LOST, or NetlinkError.
 */
export function applyLinkSettings(netlink: RouteNetlink, settings: LinkSettings): { index: number; changes: string[] } {
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
  changes.push(...applyAddresses(netlink, link, settings));
  if (!link.up) {
    netlink.setLinkUp(index);
    changes.push('up');
  }
  return { index, changes };
}

/** Whether all but its addresses is as it should be. */
export function isLinkAsWanted(link: Link, { mtu, txQueueLength, mac }: LinkSettings): boolean {
  const isMac = mac === undefined || link.mac === mac;
  return link.up && link.mtu === mtu && link.txQueueLength === txQueueLength && isMac;
}

function applyAddresses(netlink: RouteNetlink, link: Link, { addresses, network }: LinkSettings): string[] {
  const present = netlink.addresses().filter(({ interfaceIndex }) => interfaceIndex === link.index);
  const isWanted = (address: Address): boolean =>
    addresses.some((wanted) => wanted.address === address.address && wanted.length === address.prefixLength);
  const isInside = ({ address }: Address): boolean =>
    network.some((prefix) => prefixContains(prefix, hostPrefix(address)));
  const foreign = present.filter((address) => !isWanted(address) && isInside(address));
  for (const { address, prefixLength } of foreign) netlink.removeAddress(link.index, { address, length: prefixLength });
  const missing = addresses.filter(
    ({ address }) => !present.some((there) => isWanted(there) && there.address === address),
  );
  for (const address of missing) netlink.addAddress(link.index, address);
  return [
    ...foreign.map(({ address }) => `without ${formatIp(address)}`),
    ...missing.map(({ address, length }) => `${formatIp(address)}/${length}`),
  ];
}
