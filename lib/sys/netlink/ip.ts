import { addressBits, addressBytes, type Family, type IpAddress } from '../../addr/ip.ts';
import { WeftError } from '../../error.ts';
import { AF_INET, AF_INET6 } from '../../linux/sockaddr.ts';
import { type Attribute, type Attributes, viewOf } from './message.ts';

export function addressFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** The family of an `*_family` field; undefined for the kernel's other families (bridge, MPLS, multicast routing). */
export function parseFamily(value: number): Family | undefined {
  if (value === AF_INET) return 4;
  return value === AF_INET6 ? 6 : undefined;
}

/** An address attribute, in network order. */
export function ipAttribute(type: number, address: IpAddress): Attribute {
  return { type, value: addressBytes(address) };
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
