import { formatIp, type IpAddress } from './ip.ts';
import { type Ipv4, parseIpv4 } from './ipv4.ts';
import { type Ipv6, parseIpv6 } from './ipv6.ts';

/** An IPv4 prefix. `address` has no bits set beyond `length` (0..32). */
export interface Ipv4Prefix {
  readonly family: 4;
  readonly address: Ipv4;
  readonly length: number;
}

/** An IPv6 prefix. `address` has no bits set beyond `length` (0..128). */
export interface Ipv6Prefix {
  readonly family: 6;
  readonly address: Ipv6;
  readonly length: number;
}

export type Prefix = Ipv4Prefix | Ipv6Prefix;

const ALL_ONES_6 = (1n << 128n) - 1n;

/** The netmask of a length 0..32 as an unsigned number. */
export function ipv4Mask(length: number): Ipv4 {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The netmask of a length 0..128. */
export function ipv6Mask(length: number): Ipv6 {
  return (ALL_ONES_6 << BigInt(128 - length)) & ALL_ONES_6;
}

/** The prefix of `length` that holds `address`: host bits are cleared. */
export function ipv4Prefix(address: Ipv4, length: number): Ipv4Prefix {
  return { family: 4, address: (address & ipv4Mask(length)) >>> 0, length };
}

export function ipv6Prefix(address: Ipv6, length: number): Ipv6Prefix {
  return { family: 6, address: address & ipv6Mask(length), length };
}

/** The prefix that holds `address` alone: /32 or /128. */
export function hostPrefix(address: IpAddress): Prefix {
  return typeof address === 'number' ? { family: 4, address, length: 32 } : { family: 6, address, length: 128 };
}

/** The prefix of `length`, at most that of `prefix`, around it. */
export function shorterPrefix(prefix: Prefix, length: number): Prefix {
  return prefix.family === 4 ? ipv4Prefix(prefix.address, length) : ipv6Prefix(prefix.address, length);
}

/** Parses `address/length` of either family and clears host bits, as Go's net.ParseCIDR does. Else undefined. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const address4 = parseIpv4(text.slice(0, slash));
  if (address4 !== undefined) return length <= 32 ? ipv4Prefix(address4, length) : undefined;
  const address6 = parseIpv6(text.slice(0, slash));
  if (address6 !== undefined) return length <= 128 ? ipv6Prefix(address6, length) : undefined;
  return undefined;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix.address)}/${prefix.length}`;
}

export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.address === b.address && a.length === b.length;
}

export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || inner.length < outer.length) return false;
  if (outer.family === 4 && inner.family === 4)
    return ipv4Prefix(inner.address, outer.length).address === outer.address;
  if (outer.family === 6 && inner.family === 6)
    return ipv6Prefix(inner.address, outer.length).address === outer.address;
  return false;
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}
