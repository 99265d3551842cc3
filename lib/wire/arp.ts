/**
 * ARP for IPv4 addresses on Ethernet, RFC 826. Other kinds of ARP are refused by `checkArp`.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |       hardware type (1)       |    protocol type (0x0800)     |
 * |  length (6)   |  length (4)   |           operation           |
 * |                    sender MAC address                         |
 * |      sender MAC address       |      sender IPv4 address      |
 * |      sender IPv4 address      |      target MAC address       |
 * |                    target MAC address                         |
 * |                    target IPv4 address                        |
 */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatMac, type Mac } from '../addr/mac.ts';
import { readMac, writeMac } from './ethernet.ts';
import {
  ARP_HARDWARE_ETHERNET,
  ARP_HARDWARE_LENGTH,
  ARP_HARDWARE_TYPE,
  ARP_OPERATION,
  ARP_PACKET,
  ARP_PROTOCOL_LENGTH,
  ARP_PROTOCOL_TYPE,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  ARP_TARGET_MAC,
} from './layout/arp.ts';
import { ETHERTYPE_IPV4 } from './layout/ethernet.ts';
import type { WireProblem } from './problem.ts';

export interface ArpPacket {
  /** ARP_REQUEST, ARP_REPLY; other numbers exist. */
  readonly operation: number;
  readonly senderMac: Mac;
  readonly senderAddress: Ipv4;
  /** Without meaning in a request. */
  readonly targetMac: Mac;
  readonly targetAddress: Ipv4;
}

const MAC_LENGTH = 6;
const IPV4_LENGTH = 4;

/** Whether view[offset, end) begins with a whole ARP packet for IPv4 on Ethernet. What trails is padding. */
export function checkArp(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < ARP_PACKET) return 'truncated';
  if (view.getUint16(offset + ARP_HARDWARE_TYPE) !== ARP_HARDWARE_ETHERNET) return 'wrong-type';
  if (view.getUint16(offset + ARP_PROTOCOL_TYPE) !== ETHERTYPE_IPV4) return 'wrong-type';
  if (view.getUint8(offset + ARP_HARDWARE_LENGTH) !== MAC_LENGTH) return 'bad-length';
  if (view.getUint8(offset + ARP_PROTOCOL_LENGTH) !== IPV4_LENGTH) return 'bad-length';
  return undefined;
}

const arpOperation = (view: DataView, offset: number): number => view.getUint16(offset + ARP_OPERATION);
const arpSenderMac = (view: DataView, offset: number): Mac => readMac(view, offset + ARP_SENDER_MAC);
const arpSenderAddress = (view: DataView, offset: number): Ipv4 => view.getUint32(offset + ARP_SENDER_ADDRESS);
const arpTargetMac = (view: DataView, offset: number): Mac => readMac(view, offset + ARP_TARGET_MAC);
const arpTargetAddress = (view: DataView, offset: number): Ipv4 => view.getUint32(offset + ARP_TARGET_ADDRESS);

/** The packet at `offset`. Call checkArp first. */
export function parseArp(view: DataView, offset: number): ArpPacket {
  return {
    operation: arpOperation(view, offset),
    senderMac: arpSenderMac(view, offset),
    senderAddress: arpSenderAddress(view, offset),
    targetMac: arpTargetMac(view, offset),
    targetAddress: arpTargetAddress(view, offset),
  };
}

/** Writes the packet and returns its length, 28. */
export function emitArp(view: DataView, offset: number, packet: ArpPacket): number {
  view.setUint16(offset + ARP_HARDWARE_TYPE, ARP_HARDWARE_ETHERNET);
  view.setUint16(offset + ARP_PROTOCOL_TYPE, ETHERTYPE_IPV4);
  view.setUint8(offset + ARP_HARDWARE_LENGTH, MAC_LENGTH);
  view.setUint8(offset + ARP_PROTOCOL_LENGTH, IPV4_LENGTH);
  view.setUint16(offset + ARP_OPERATION, packet.operation);
  writeMac(view, offset + ARP_SENDER_MAC, packet.senderMac);
  view.setUint32(offset + ARP_SENDER_ADDRESS, packet.senderAddress);
  writeMac(view, offset + ARP_TARGET_MAC, packet.targetMac);
  view.setUint32(offset + ARP_TARGET_ADDRESS, packet.targetAddress);
  return ARP_PACKET;
}

/** "ARP who has 10.244.7.2 tell 10.244.7.1", "ARP 10.244.7.2 is at 02:00:00:00:00:0b". */
export function formatArp(packet: ArpPacket): string {
  const target = formatIpv4(packet.targetAddress);
  const sender = formatIpv4(packet.senderAddress);
  if (packet.operation === ARP_REQUEST) return `ARP who has ${target} tell ${sender}`;
  if (packet.operation === ARP_REPLY) return `ARP ${sender} is at ${formatMac(packet.senderMac)}`;
  return `ARP operation ${packet.operation}`;
}
