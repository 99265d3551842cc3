/** Which leases become routes, and why the others do not. Pure: flannel takes every lease as it is; we do not. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import {
  formatPrefix,
  type Ipv4Prefix,
  type Ipv6Prefix,
  ipv4Prefix,
  type Prefix,
  prefixContains,
  prefixesOverlap,
} from '../addr/prefix.ts';
import type { Lease, SubnetPair } from '../lease/lease.ts';

/** What this host is, as far as leases can contradict it. */
export interface OwnPlace {
  readonly own: SubnetPair;
  readonly network: Ipv4Prefix;
  readonly ipv6Network: Ipv6Prefix | undefined;
  /** Own PublicIP and the external interface's address. */
  readonly addresses: readonly Ipv4[];
}

/** The prefixes behind one PublicIP. */
export interface PeerPrefixes {
  readonly publicIp: Ipv4;
  readonly prefixes: readonly Prefix[];
}

export interface RefusedLease {
  /** "10.244.7.0/24" */
  readonly subnet: string;
  readonly publicIp: string;
  readonly reason: string;
}

/** Sorts leases into peers, in the order given, and refused ones. The own lease is in neither. */
export function sortLeases(
  leases: readonly Lease[],
  place: OwnPlace,
): { peers: PeerPrefixes[]; refused: RefusedLease[] } {
  const peers = new Map<Ipv4, Prefix[]>();
  const refused: RefusedLease[] = [];
  for (const lease of leases) {
    const { subnets, attrs } = lease;
    const isOwn =
      formatPrefix(subnets.ipv4) === formatPrefix(place.own.ipv4) && place.addresses.includes(attrs.publicIp);
    if (isOwn) continue;
    const reason = whyNot(lease, place);
    if (reason !== undefined) {
      refused.push({ subnet: formatPrefix(subnets.ipv4), publicIp: formatIpv4(attrs.publicIp), reason });
      continue;
    }
    const prefixes = peers.get(attrs.publicIp) ?? [];
    prefixes.push(subnets.ipv4);
    if (subnets.ipv6 !== undefined && isUsable6(subnets.ipv6, place)) prefixes.push(subnets.ipv6);
    peers.set(attrs.publicIp, prefixes);
  }
  return { peers: [...peers].map(([publicIp, prefixes]) => ({ publicIp, prefixes })), refused };
}

function whyNot({ subnets, attrs }: Lease, place: OwnPlace): string | undefined {
  const { publicIp } = attrs;
  if (place.addresses.includes(publicIp)) return 'its PublicIP is this host';
  const first = publicIp >>> 24;
  if (first === 0 || first === 127 || publicIp >= 0xe0000000) return 'its PublicIP is not a host address';
  // A datagram to such a peer would be routed into the overlay again, for ever.
  if (prefixContains(place.network, ipv4Prefix(publicIp, 32))) return 'its PublicIP lies inside the overlay network';
  if (!prefixContains(place.network, subnets.ipv4)) return 'its subnet lies outside the network';
  if (prefixesOverlap(subnets.ipv4, place.own.ipv4)) return 'its subnet overlaps the own one';
  return undefined;
}

function isUsable6(prefix: Ipv6Prefix, place: OwnPlace): boolean {
  if (place.ipv6Network === undefined || !prefixContains(place.ipv6Network, prefix)) return false;
  return place.own.ipv6 === undefined || !prefixesOverlap(prefix, place.own.ipv6);
}
