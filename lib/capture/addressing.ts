/** Whether the addresses and ports of a frame are those of the nodes that it is from and for. */
import type { IpAddress } from '../addr/ip.ts';
import { isLinkLocal6, isMulticast6 } from '../addr/ipv6.ts';
import type { Mac } from '../addr/mac.ts';
import { ethernetDestination, ethernetSource } from '../wire/ethernet.ts';
import type { AnyWire } from './checks.ts';
import { type InspectedNode, mayHave } from './expectation.ts';
import type { IpPacket } from './ip-packet.ts';

/** Who sent a frame, and to whom it has to go; undefined: not known. */
export type Direction = readonly [from: InspectedNode | undefined, to: InspectedNode | undefined];

/** Of the inner packet; of an end that is not known, any. */
export function areInnerAddresses(
  { encapsulation }: AnyWire,
  { source, destination }: IpPacket,
  [from, to]: Direction,
): boolean {
  if (encapsulation === 'none') return from !== undefined && to !== undefined && from !== to;
  return (
    (from === undefined || mayHave(from, source) || isLinkLocal(source)) &&
    (to === undefined || mayHave(to, destination) || isForAll(destination))
  );
}

/** Of the Ethernet header at `at`. `macOf`: what a node may have there; undefined or none: any. */
export function areMacs(
  view: DataView,
  at: number,
  [from, to]: Direction,
  macOf: (node: InspectedNode) => Mac | readonly Mac[] | undefined,
): boolean {
  const isOf = (node: InspectedNode | undefined, mac: Mac): boolean => {
    const wanted = node && macOf(node);
    if (wanted === undefined) return true;
    return typeof wanted === 'number' ? wanted === mac : wanted.length === 0 || wanted.includes(mac);
  };
  return isOf(from, ethernetSource(view, at)) && isOf(to, ethernetDestination(view, at));
}

/** Of the outer UDP header. */
export function arePorts(wire: AnyWire, source: number, destination: number): boolean {
  if (wire.encapsulation === 'ip-in-udp') return source === wire.port && destination === wire.port;
  // VXLAN takes any source port (RFC 7348 §5): it distinguishes flows for paths of equal cost.
  return wire.encapsulation === 'vxlan' && destination === wire.port;
}

const LINK_LOCAL4 = 0xa9fe;

/** A device's own first words, before it has another address. */
function isLinkLocal(address: IpAddress): boolean {
  return typeof address === 'number' ? address >>> 16 === LINK_LOCAL4 : address === 0n || isLinkLocal6(address);
}

function isForAll(address: IpAddress): boolean {
  return typeof address === 'number' ? address >>> 28 === 14 || address === 0xffff_ffff : isMulticast6(address);
}
