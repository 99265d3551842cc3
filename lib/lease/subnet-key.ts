/**
 * The last part of a lease key: `<prefix>/subnets/10.5.52.0-24`, dual stack `10.12.13.0-24&fd00:12:13::-56`.
 * flannel pkg/subnet/subnet.go, MakeSubnetKey and ParseSubnetKey.
 *
 * A key names subnets to route to only when it is spelled exactly as flanneld and Weft write it, so that one subnet has
 * one key and deleting a key can never take another key's route. flannel's regular expression also accepts
 *   - any text before the address (`x10.5.1.0-24`, `old/10.5.1.0-24`),
 *   - host bits (`10.5.1.7-24`; Linux then refuses flannel's route),
 *   - leading zeros in a length (`10.5.1.0-024`),
 *   - other spellings of an IPv6 address (`fd00:0:0::-64`).
 * Weft does not route to those, but keeps out of the subnets they name (`subnetsClaimedByKey`), as flannel's nodes do.
 * Both refuse /32 and /128 (flannel reads lengths as 5 and 7 bits), upper-case hexadecimal digits and anything else.
 */
import { formatIpv4, parseIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../addr/ipv6.ts';
import { type Ipv4Prefix, type Ipv6Prefix, ipv4Prefix, ipv6Prefix, type Prefix } from '../addr/prefix.ts';
import { WeftError } from '../error.ts';
import type { SubnetPair } from './lease.ts';

const MAX_IPV4_LENGTH = 31;
const MAX_IPV6_LENGTH = 127;
/** Longer than any key can need. The search below takes quadratic time, and a key in etcd may have a million characters. */
const MAX_KEY_TAIL = 100;

/** Writes a key part as flanneld does. Throws WeftError SUBNET_INVALID for a /32 or /128, which no reader would accept. */
export function formatSubnetKey(subnets: SubnetPair): string {
  const { ipv4, ipv6 } = subnets;
  if (ipv4.length > MAX_IPV4_LENGTH || (ipv6?.length ?? 0) > MAX_IPV6_LENGTH)
    throw new WeftError('SUBNET_INVALID', 'A /32 or /128 cannot be written as a lease key');
  const first = `${formatIpv4(ipv4.address)}-${ipv4.length}`;
  return ipv6 === undefined ? first : `${first}&${formatIpv6(ipv6.address)}-${ipv6.length}`;
}

/** Parses a key part spelled exactly as formatSubnetKey writes it. Else undefined. */
export function parseSubnetKey(key: string): SubnetPair | undefined {
  const claimed = readFlannelKey(key);
  return claimed !== undefined && formatSubnetKey(claimed) === key ? claimed : undefined;
}

/** The subnets that flannel takes a key part to name, however it is spelled; none if flannel does not parse it either. */
export function subnetsClaimedByKey(key: string): readonly Prefix[] {
  const claimed = readFlannelKey(key);
  if (claimed === undefined) return [];
  return claimed.ipv6 === undefined ? [claimed.ipv4] : [claimed.ipv4, claimed.ipv6];
}

/** Reads a key as flannel does, host bits cleared. */
function readFlannelKey(key: string): SubnetPair | undefined {
  const parts = /([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)-([0-9]+)(?:&([a-f0-9:]+)-([0-9]+))?$/.exec(key.slice(-MAX_KEY_TAIL));
  if (parts === null) return undefined;
  const ipv4 = readIpv4(parts[1] ?? '', Number(parts[2]));
  if (ipv4 === undefined) return undefined;
  if (parts[3] === undefined) return { ipv4, ipv6: undefined };
  const ipv6 = readIpv6(parts[3], Number(parts[4]));
  return ipv6 && { ipv4, ipv6 };
}

function readIpv4(text: string, length: number): Ipv4Prefix | undefined {
  const address = parseIpv4(text);
  return address === undefined || length > MAX_IPV4_LENGTH ? undefined : ipv4Prefix(address, length);
}

function readIpv6(text: string, length: number): Ipv6Prefix | undefined {
  const address = parseIpv6(text);
  return address === undefined || length > MAX_IPV6_LENGTH ? undefined : ipv6Prefix(address, length);
}
