import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { formatIpv6, type Ipv6 } from '../../addr/ipv6.ts';
import { WeftError } from '../../error.ts';
import { AF_INET, AF_INET6 } from '../../linux/sockaddr.ts';
import { type Attribute, type Attributes, viewOf } from './message.ts';

/** An address of either family; the JavaScript type tells which: a number is IPv4, a bigint is IPv6. */
export type IpAddress = Ipv4 | Ipv6;

export type Family = 4 | 6;

export function familyOf(address: IpAddress): Family {
  return typeof address === 'number' ? 4 : 6;
}

export function addressFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** The family of an `*_family` field; undefined for the kernel's other families (bridge, MPLS, multicast routing). */
export function parseFamily(value: number): Family | undefined {
  if (value === AF_INET) return 4;
  return value === AF_INET6 ? 6 : undefined;
}

export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

export function formatIp(address: IpAddress): string {
  return typeof address === 'number' ? formatIpv4(address) : formatIpv6(address);
}

/** An address attribute, in network order. */
export function ipAttribute(type: number, address: IpAddress): Attribute {
  return { type, value: emitIp(address) };
}

export function emitIp(address: IpAddress): Uint8Array {
  const value = new Uint8Array(typeof address === 'number' ? 4 : 16);
  const view = viewOf(value);
  if (typeof address === 'number') {
    view.setUint32(0, address);
  } else {
    view.setBigUint64(0, address >> 64n);
    view.setBigUint64(8, BigInt.asUintN(64, address));
  }
  return value;
}

/** Reads 4 or 16 bytes in network order. Throws EBADMSG when there are not exactly so many. */
export function parseIp(value: Uint8Array, family: Family): IpAddress {
  if (value.length !== addressBits(family) / 8)
    throw new WeftError('EBADMSG', `Cannot parse netlink message: IPv${family} address of ${value.length} bytes`);
  const view = viewOf(value);
  return family === 4 ? view.getUint32(0) : (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

export function readIp(attributes: Attributes, type: number, family: Family): IpAddress | undefined {
  const value = attributes.get(type);
  return value === undefined ? undefined : parseIp(value, family);
}
