/**
 * Which addresses of a network can be in a node's subnet: from the first address of SubnetMin to the last of SubnetMax. The
 * others are no overlay, and nodes themselves may have them: flannel's example gives out 10.10.0.0 to 10.99.0.0 of 10.0.0.0/8.
 */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { ipv4Prefix, ipv6Prefix, type Prefix } from '../addr/prefix.ts';
import type { NetworkConfig } from './network-config.ts';

/** Both ends belong to it. */
interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: 32 | 128;
}

/** Undefined for IPv6 in a network without it. */
function leasableRange(config: NetworkConfig, family: 4 | 6): AddressRange | undefined {
  const bounds = family === 4 ? config : config.ipv6;
  if (bounds === undefined) return undefined;
  const bits = family === 4 ? 32 : 128;
  const size = 1n << BigInt(bits - bounds.subnetLen);
  return { first: BigInt(bounds.subnetMin.address), last: BigInt(bounds.subnetMax.address) + size - 1n, bits };
}

export function canBeLeased(address: IpAddress, config: NetworkConfig): boolean {
  const range = leasableRange(config, typeof address === 'number' ? 4 : 6);
  return range !== undefined && BigInt(address) >= range.first && BigInt(address) <= range.last;
}

/** "10.10.0.0 to 10.99.15.255", for messages; '' for IPv6 in a network without it. */
export function formatLeasable(config: NetworkConfig, family: 4 | 6): string {
  const range = leasableRange(config, family);
  if (range === undefined) return '';
  const [first, last] = [range.first, range.last].map((end) => formatIp(family === 4 ? Number(end) : end));
  return `${first} to ${last}`;
}

/** The fewest prefixes that are the range together, in order; fewer than twice the bits of an address. */
export function leasablePrefixes(config: NetworkConfig, family: 4 | 6): Prefix[] {
  const range = leasableRange(config, family);
  if (range === undefined) return [];
  const { first, last, bits } = range;
  const prefixes: Prefix[] = [];
  for (let address = first; address <= last; ) {
    let hostBits = 0;
    // As large as the address is aligned for, and as fits.
    while (hostBits < bits) {
      const size = 1n << BigInt(hostBits + 1);
      if (address % size !== 0n || address + size - 1n > last) break;
      hostBits++;
    }
    const length = bits - hostBits;
    prefixes.push(family === 4 ? ipv4Prefix(Number(address), length) : ipv6Prefix(address, length));
    address += 1n << BigInt(hostBits);
  }
  return prefixes;
}
