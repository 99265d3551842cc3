/** Socket addresses of both IP families. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6 } from '../addr/ipv6.ts';
import {
  AF_INET,
  AF_INET6,
  SOCKADDR_FAMILY,
  SOCKADDR_IN_ADDR,
  SOCKADDR_IN_SIZE,
  SOCKADDR_IN6_ADDR,
  SOCKADDR_IN6_SIZE,
  SOCKADDR_PORT,
} from '../linux/sockaddr.ts';
import type { Family } from './netlink/ip.ts';

/**
 * sockaddr_in, 16 bytes, or sockaddr_in6, 28 bytes (flow label and scope 0): the family in host order, the rest in network
 * order. A number is an IPv4 address, a bigint an IPv6 one.
 */
export function socketAddress(address: Ipv4 | Ipv6, port: number): Uint8Array {
  const isIpv4 = typeof address === 'number';
  const bytes = new Uint8Array(isIpv4 ? SOCKADDR_IN_SIZE : SOCKADDR_IN6_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(SOCKADDR_FAMILY, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(SOCKADDR_PORT, port);
  if (isIpv4) {
    view.setUint32(SOCKADDR_IN_ADDR, address);
  } else {
    view.setBigUint64(SOCKADDR_IN6_ADDR, address >> 64n);
    view.setBigUint64(SOCKADDR_IN6_ADDR + 8, BigInt.asUintN(64, address));
  }
  return bytes;
}

/** The family of a sockaddr that `socketAddress` made. */
export function socketAddressFamily(address: Uint8Array): Family {
  return address[SOCKADDR_FAMILY] === AF_INET6 ? 6 : 4;
}

/** "192.0.2.1:8285", "[2001:db8::1]:8285". */
export function formatEndpoint(address: Ipv4 | Ipv6, port: number): string {
  return typeof address === 'number' ? `${formatIpv4(address)}:${port}` : `[${formatIpv6(address)}]:${port}`;
}
