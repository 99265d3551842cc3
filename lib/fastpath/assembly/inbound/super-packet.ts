// Super-packets from the underlay. Where nothing on the way cuts them (a veth, the virtual network of one hypervisor, GRO on
// the packets of an IP-in-IP tunnel), the kernel hands a socket what it would hand to its own tunnel device: 64 KiB of TCP
// in one inner packet whose checksum holds just the pseudo-header's sum. They go on as they are, or are cut here.

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
  VNET_HDR_LEN,
} from '../../../linux/virtio-net';
import {
  ITEM_COUNT,
  ITEM_GSO_SIZE,
  ITEM_HEADER_LENGTH,
  ITEM_LENGTH,
  ITEM_PACKET,
  ITEM_PROTOCOL,
  ITEM_SUPER,
  ITEM_VNET,
  SEGMENT_MTU,
  SEGMENT_TUN_GRO,
  SEGMENT_TUN_USO,
} from '../../abi';
import { Gso, Segment } from '../context';
import { beginCut, planCuts } from '../gso';
import {
  IPPROTO_TCP,
  TCP_CHECKSUM,
  TCP_CWR,
  TCP_DATA_OFFSET,
  TCP_FLAGS,
  UDP_CHECKSUM,
  UDP_HEADER,
} from '../packet/layout';
import { offsetOf, protocolOf, Transport } from '../packet/packet';

@inline
export function mayBeSuper(total: u32): bool {
  return total > load<u32>(Segment.record, SEGMENT_MTU);
}

/**
 * Plans a packet whose checksum is unfinished as a super-packet of several packets of `gsoSize` bytes of payload; 0: not
 * known. False: it is none.
 */
export function planReceived(ip: usize, total: u32, t: Transport, gsoSize: u32): bool {
  const transport = offsetOf(t);
  const isTcp = protocolOf(t) == IPPROTO_TCP;
  const header = transport + (isTcp ? (<u32>load<u8>(ip + transport, TCP_DATA_OFFSET) >> 4) << 2 : UDP_HEADER);
  const mtu = load<u32>(Segment.record, SEGMENT_MTU);
  // Not known, they were as long as the network allows: nobody's packets are longer, and TCP does not mind shorter ones.
  const size: u32 = gsoSize ? gsoSize : mtu > header ? mtu - header : 0;
  return planCuts(ip, total, gsoTypeOf(ip, t), size) && Gso.segs > 1;
}

@inline
function gsoTypeOf(ip: usize, t: Transport): u32 {
  if (protocolOf(t) != IPPROTO_TCP) return GSO_UDP_L4;
  return load<u8>(ip) >> 4 == 4 ? GSO_TCPV4 : GSO_TCPV6;
}

/** Does the segment's device take the planned packet as it is? */
export function deviceTakesSuper(t: Transport): bool {
  return load<u32>(Segment.record + (protocolOf(t) == IPPROTO_TCP ? SEGMENT_TUN_GRO : SEGMENT_TUN_USO)) != 0;
}

/** Describes the planned packet in `item`, to be written as it is behind `l2` bytes of Ethernet header. */
export function describeSuper(item: usize, ip: usize, l2: u32, t: Transport): void {
  const transport = offsetOf(t);
  const isTcp = protocolOf(t) == IPPROTO_TCP;
  store<u32>(item, 1, ITEM_SUPER);
  store<u32>(item, protocolOf(t), ITEM_PROTOCOL);
  store<u32>(item, Gso.segs, ITEM_COUNT);
  store<u32>(item, Gso.headers, ITEM_HEADER_LENGTH);
  store<u32>(item, Gso.size, ITEM_GSO_SIZE);
  const congested = isTcp && (<u32>load<u8>(ip + transport, TCP_FLAGS) & TCP_CWR) != 0;
  const type = gsoTypeOf(ip, t) | (congested ? GSO_ECN : 0);
  putVnet(item + ITEM_VNET, type, l2 + Gso.headers, Gso.size, l2 + transport, isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
}

/** Writes the virtio_net_hdr of a super-packet with an unfinished checksum. Offsets count from the Ethernet header. */
export function putVnet(vnet: usize, type: u32, headers: u32, size: u32, start: u32, offset: u32): void {
  store<u8>(vnet, <u8>NEEDS_CSUM, VNET_FLAGS);
  store<u8>(vnet, <u8>type, VNET_GSO_TYPE);
  store<u16>(vnet, <u16>headers, VNET_HDR_LEN);
  store<u16>(vnet, <u16>size, VNET_GSO_SIZE);
  store<u16>(vnet, <u16>start, VNET_CSUM_START);
  store<u16>(vnet, <u16>offset, VNET_CSUM_OFFSET);
}

/** Begins to cut an item that the device refused. */
export function beginItemCut(item: usize, l2: u32): void {
  const ip = <usize>load<u32>(item, ITEM_PACKET);
  const type = <u32>load<u8>(item + ITEM_VNET, VNET_GSO_TYPE) & ~GSO_ECN;
  planCuts(ip, load<u32>(item, ITEM_LENGTH), type, load<u32>(item, ITEM_GSO_SIZE));
  beginCut(ip, l2);
}
