/** Socket addresses of both IP families. */
import { addressBytes, type Family, familyOf, formatIp, type IpAddress } from '../addr/ip.ts';
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

/**
 * sockaddr_in, 16 bytes, or sockaddr_in6, 28 bytes (flow label and scope 0): the family in host order, the rest in network
 * order. A number is an IPv4 address, a bigint an IPv6 one.
 */
export function socketAddress(address: IpAddress, port: number): Uint8Array {
  const isIpv4 = typeof address === 'number';
  const bytes = new Uint8Array(isIpv4 ? SOCKADDR_IN_SIZE : SOCKADDR_IN6_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(SOCKADDR_FAMILY, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(SOCKADDR_PORT, port);
  bytes.set(addressBytes(address), isIpv4 ? SOCKADDR_IN_ADDR : SOCKADDR_IN6_ADDR);
  return bytes;
}

/** The family of a sockaddr that `socketAddress` made. */
export function socketAddressFamily(address: Uint8Array): Family {
  return address[SOCKADDR_FAMILY] === AF_INET6 ? 6 : 4;
}

/** "192.0.2.1:8285", "[2001:db8::1]:8285". */
export function formatEndpoint(address: IpAddress, port: number): string {
  return familyOf(address) === 4 ? `${formatIp(address)}:${port}` : `[${formatIp(address)}]:${port}`;
}
