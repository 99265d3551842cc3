/** Which leases are peers to send to and accept from. flannel takes any; a wrong key in etcd must not cost more than itself. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix, type Ipv4Prefix, ipv4Prefix, prefixContains, prefixesOverlap } from '../addr/prefix.ts';
import { samePair } from './allocate.ts';
import type { Lease, SubnetPair } from './lease.ts';
import type { NetworkConfig } from './network-config.ts';

export interface OwnIdentity {
  readonly config: NetworkConfig;
  readonly subnets: SubnetPair;
  readonly publicIp: Ipv4;
}

export interface PeerLeases {
  readonly peers: readonly Lease[];
  /** Leases that are left out, each with one clause that says why. */
  readonly refused: readonly { readonly lease: Lease; readonly reason: string }[];
}

/** RFC 6890 ranges that cannot be a unicast address of another host. */
const NOT_A_HOST: readonly (readonly [Ipv4Prefix, string])[] = [
  [ipv4Prefix(0x00000000, 8), 'is not an address of a host'],
  [ipv4Prefix(0x7f000000, 8), 'is a loopback address'],
  [ipv4Prefix(0xe0000000, 4), 'is a multicast address'],
  [ipv4Prefix(0xf0000000, 4), 'is reserved or broadcast'],
];

/** Sorts leases into peers and refused ones. Our own lease is in neither. */
export function peerLeases(leases: readonly Lease[], own: OwnIdentity): PeerLeases {
  const peers: Lease[] = [];
  const refused: { lease: Lease; reason: string }[] = [];
  for (const lease of leases) {
    if (samePair(lease.subnets, own.subnets)) continue;
    const reason = subnetProblem(lease.subnets, own) ?? publicIpProblem(lease.attrs.publicIp, own);
    if (reason === undefined) peers.push(lease);
    else refused.push({ lease, reason });
  }
  return { peers, refused };
}

function subnetProblem(subnets: SubnetPair, { config, subnets: own }: OwnIdentity): string | undefined {
  if (!prefixContains(config.network, subnets.ipv4))
    return `${formatPrefix(subnets.ipv4)} is not inside Network ${formatPrefix(config.network)}`;
  if (prefixesOverlap(subnets.ipv4, own.ipv4))
    return `${formatPrefix(subnets.ipv4)} overlaps our own ${formatPrefix(own.ipv4)}`;
  if (subnets.ipv6 === undefined || config.ipv6 === undefined) return undefined;
  if (!prefixContains(config.ipv6.network, subnets.ipv6))
    return `${formatPrefix(subnets.ipv6)} is not inside IPv6Network ${formatPrefix(config.ipv6.network)}`;
  if (own.ipv6 !== undefined && prefixesOverlap(subnets.ipv6, own.ipv6))
    return `${formatPrefix(subnets.ipv6)} overlaps our own ${formatPrefix(own.ipv6)}`;
  return undefined;
}

function publicIpProblem(publicIp: Ipv4, { config, publicIp: own }: OwnIdentity): string | undefined {
  const address = ipv4Prefix(publicIp, 32);
  const problem = NOT_A_HOST.find(([range]) => prefixContains(range, address))?.[1];
  if (problem !== undefined) return `PublicIP ${formatIpv4(publicIp)} ${problem}`;
  if (publicIp === own) return `PublicIP ${formatIpv4(publicIp)} is our own`;
  // Outer packets would be routed into the overlay again: a loop.
  if (prefixContains(config.network, address))
    return `PublicIP ${formatIpv4(publicIp)} lies inside Network ${formatPrefix(config.network)}`;
  return undefined;
}
