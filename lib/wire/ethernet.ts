/**
 * Ethernet II header: destination (6), source (6), type (2). Only what decoding captures and VXLAN needs; no VLAN tags.
 */
import { formatMac, type Mac } from '../addr/mac.ts';
import {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER,
  ETHERNET_SOURCE,
  ETHERNET_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
} from './layout/ethernet.ts';
import type { WireProblem } from './problem.ts';

export interface EthernetHeader {
  readonly destination: Mac;
  readonly source: Mac;
  /** ETHERTYPE_IPV4, ... */
  readonly type: number;
}

/** Whether view[offset, end) begins with a whole Ethernet header. */
export function checkEthernet(_view: DataView, offset: number, end: number): WireProblem | undefined {
  return end - offset < ETHERNET_HEADER ? 'truncated' : undefined;
}

export const ethernetDestination = (view: DataView, offset: number): Mac =>
  readMac(view, offset + ETHERNET_DESTINATION);
export const ethernetSource = (view: DataView, offset: number): Mac => readMac(view, offset + ETHERNET_SOURCE);
export const ethernetType = (view: DataView, offset: number): number => view.getUint16(offset + ETHERNET_TYPE);

/** Six bytes at `at`. */
export function readMac(view: DataView, at: number): Mac {
  return view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);
}

/** The header at `offset`. Call checkEthernet first. */
export function parseEthernetHeader(view: DataView, offset: number): EthernetHeader {
  return {
    destination: ethernetDestination(view, offset),
    source: ethernetSource(view, offset),
    type: ethernetType(view, offset),
  };
}

/** Writes the header and returns its length, 14. */
export function emitEthernetHeader(view: DataView, offset: number, header: EthernetHeader): number {
  writeMac(view, offset + ETHERNET_DESTINATION, header.destination);
  writeMac(view, offset + ETHERNET_SOURCE, header.source);
  view.setUint16(offset + ETHERNET_TYPE, header.type);
  return ETHERNET_HEADER;
}

export function writeMac(view: DataView, at: number, mac: Mac): void {
  view.setUint16(at, Math.floor(mac / 0x1_0000_0000));
  view.setUint32(at + 2, mac % 0x1_0000_0000);
}

const TYPE_NAMES = new Map<number, string>([
  [ETHERTYPE_IPV4, 'IPv4'],
  [ETHERTYPE_ARP, 'ARP'],
  [ETHERTYPE_IPV6, 'IPv6'],
]);

/** "Ethernet ca:d5:64:45:4c:9e > 02:4b:ba:2d:a6:75 IPv4". */
export function formatEthernetHeader(header: EthernetHeader): string {
  const type = TYPE_NAMES.get(header.type) ?? `type 0x${header.type.toString(16).padStart(4, '0')}`;
  return `Ethernet ${formatMac(header.source)} > ${formatMac(header.destination)} ${type}`;
}
