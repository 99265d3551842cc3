import { formatIpv4, type Ipv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6 } from './ipv6.ts';

/** An address of either family; the JavaScript type says which: a number is IPv4, a bigint is IPv6. */
export type IpAddress = Ipv4 | Ipv6;

export type Family = 4 | 6;

export function familyOf(address: IpAddress): Family {
  return typeof address === 'number' ? 4 : 6;
}

export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

export function formatIp(address: IpAddress): string {
  return typeof address === 'number' ? formatIpv4(address) : formatIpv6(address);
}

/** The address in network order: 4 or 16 bytes. */
export function addressBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(typeof address === 'number' ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (typeof address === 'number') {
    view.setUint32(0, address);
  } else {
    view.setBigUint64(0, address >> 64n);
    view.setBigUint64(8, BigInt.asUintN(64, address));
  }
  return bytes;
}
