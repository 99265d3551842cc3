// Super-packets from the underlay. Where nothing on the way cuts them (a veth, the virtual network of one hypervisor, GRO on
// the packets of an IP-in-IP tunnel), the kernel hands a socket what it would hand to its own tunnel device: 64 KiB of TCP
// in one inner packet whose checksum holds just the pseudo-header's sum. They go on as they are, or are cut here.
import {
  ITEM_COUNT,
  ITEM_HEADER_LENGTH,
  ITEM_LENGTH,
  ITEM_PACKET,
  ITEM_PROTOCOL,
  ITEM_GSO_SIZE,
  ITEM_SUPER,
  ITEM_VNET,
  SEGMENT_MTU,
  SEGMENT_TUN_GRO,
  SEGMENT_TUN_USO,
} from '../../abi';
import { segment } from '../context';
import { IPPROTO_TCP, TCP_CHECKSUM, TCP_CWR, TCP_DATA_OFFSET, TCP_FLAGS, UDP_CHECKSUM, UDP_HEADER } from '../packet/layout';
import { protocol, transport } from '../packet/packet';
import { beginCut, headerLength, planCuts, segmentCount } from '../gso';
import {
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_HEADER_LENGTH,
} from '../packet/vnet';

/** Payload of the segments the packet in work was joined from, if the kernel told (UDP_GRO), else 0. */
export let toldSize: u32 = 0;

export function tellSize(size: u32): void {
  toldSize = size;
}

// @ts-ignore: decorator
@inline
export function mayBeSuper(total: u32): bool {
  return total > load<u32>(segment, SEGMENT_MTU);
}

/** Payload of the planned packet's segments. */
export let superSize: u32 = 0;

/** Plans the packet whose checksum is unfinished as a super-packet of several segments. False: it is none. */
export function planSuper(ip: usize, total: u32): bool {
  const isTcp = protocol == IPPROTO_TCP;
  const header = transport + (isTcp ? (<u32>load<u8>(ip + transport, TCP_DATA_OFFSET) >> 4) << 2 : UDP_HEADER);
  const mtu = load<u32>(segment, SEGMENT_MTU);
  // Untold, they were as long as the network allows: nobody's packets are longer, and TCP does not mind shorter ones.
  superSize = toldSize ? toldSize : mtu > header ? mtu - header : 0;
  return planCuts(ip, total, superType(ip), superSize) && segmentCount > 1;
}

// @ts-ignore: decorator
@inline
function superType(ip: usize): u32 {
  if (protocol != IPPROTO_TCP) return GSO_UDP_L4;
  return load<u8>(ip) >> 4 == 4 ? GSO_TCPV4 : GSO_TCPV6;
}

/** Does the segment's device take the planned packet as it is? */
export function deviceTakesSuper(): bool {
  return load<u32>(segment + (protocol == IPPROTO_TCP ? SEGMENT_TUN_GRO : SEGMENT_TUN_USO)) != 0;
}

/** Describes the planned packet in `item`, to be written as it is behind `l2` bytes of Ethernet header. */
export function describeSuper(item: usize, ip: usize, l2: u32): void {
  const isTcp = protocol == IPPROTO_TCP;
  store<u32>(item, 1, ITEM_SUPER);
  store<u32>(item, protocol, ITEM_PROTOCOL);
  store<u32>(item, segmentCount, ITEM_COUNT);
  store<u32>(item, headerLength, ITEM_HEADER_LENGTH);
  store<u32>(item, superSize, ITEM_GSO_SIZE);
  const congested = isTcp && (<u32>load<u8>(ip + transport, TCP_FLAGS) & TCP_CWR) != 0;
  const vnet = item + ITEM_VNET;
  store<u8>(vnet, <u8>NEEDS_CSUM, VNET_FLAGS);
  store<u8>(vnet, <u8>(superType(ip) | (congested ? GSO_ECN : 0)), VNET_GSO_TYPE);
  store<u16>(vnet, <u16>(l2 + headerLength), VNET_HEADER_LENGTH);
  store<u16>(vnet, <u16>superSize, VNET_GSO_SIZE);
  store<u16>(vnet, <u16>(l2 + transport), VNET_CSUM_START);
  store<u16>(vnet, <u16>(isTcp ? TCP_CHECKSUM : UDP_CHECKSUM), VNET_CSUM_OFFSET);
}

/** Begins to cut an item that the device refused. */
export function beginItemCut(item: usize, l2: u32): void {
  const ip = <usize>load<u32>(item, ITEM_PACKET);
  const type = <u32>load<u8>(item + ITEM_VNET, VNET_GSO_TYPE) & ~GSO_ECN;
  planCuts(ip, load<u32>(item, ITEM_LENGTH), type, load<u32>(item, ITEM_GSO_SIZE));
  beginCut(ip, l2);
}
