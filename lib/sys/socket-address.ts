/** sockaddr_in and sockaddr_in6: include/uapi/linux/{in,in6}.h. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6 } from '../addr/ipv6.ts';
import type { Family } from './netlink/ip.ts';
import { AF_INET, AF_INET6 } from './socket-option.ts';

/**
 * sockaddr_in, 16 bytes, or sockaddr_in6, 28 bytes (flow label and scope 0): the family in host order, the rest in network
 * order. A number is an IPv4 address, a bigint an IPv6 one.
 */
export function socketAddress(address: Ipv4 | Ipv6, port: number): Uint8Array {
  const isIpv4 = typeof address === 'number';
  const bytes = new Uint8Array(isIpv4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  if (isIpv4) {
    view.setUint32(4, address);
  } else {
    view.setBigUint64(8, address >> 64n);
    view.setBigUint64(16, BigInt.asUintN(64, address));
  }
  return bytes;
}

/** The family of a sockaddr that `socketAddress` made. */
export function socketAddressFamily(address: Uint8Array): Family {
  return (address[0] ?? 0) === AF_INET6 ? 6 : 4;
}

/** "192.0.2.1:8285", "[2001:db8::1]:8285". */
export function formatEndpoint(address: Ipv4 | Ipv6, port: number): string {
  return typeof address === 'number' ? `${formatIpv4(address)}:${port}` : `[${formatIpv6(address)}]:${port}`;
}
