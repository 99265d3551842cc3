/** Which leases become routes, and why the others do not. Pure: flannel takes every lease as it is; we do not. */
import { formatIpv4, type Ipv4, isHostAddress4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6, isLinkLocal6, isMulticast6 } from '../addr/ipv6.ts';
import {
  formatPrefix,
  hostPrefix,
  type Ipv4Prefix,
  type Ipv6Prefix,
  ipv4Prefix,
  type Prefix,
  prefixContains,
  prefixesOverlap,
  samePrefix,
} from '../addr/prefix.ts';
import { quoteText } from '../lease/go-json.ts';
import { canBeLeased, formatLeasable } from '../lease/leasable.ts';
import type { Lease, SubnetPair } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { Log } from '../log.ts';
import type { BackendOptions, RefusedLease } from './backend.ts';

/** What this host is, as far as leases can contradict it. */
export interface OwnPlace {
  /** Of our own leases: '' for udp and alloc. Leases of other backends are not ours to route to. */
  readonly backendType: string;
  readonly own: SubnetPair;
  readonly config: NetworkConfig;
  /** Own PublicIP and the external interface's address. */
  readonly addresses: readonly Ipv4[];
}

export function ownPlace({ config, external, own }: BackendOptions, backendType: string): OwnPlace {
  return { backendType, own, config, addresses: [external.ipv4, external.publicIp] };
}

/** The prefixes behind one PublicIP. */
export interface PeerPrefixes {
  readonly publicIp: Ipv4;
  readonly prefixes: readonly Prefix[];
}

export interface SortedLeases {
  /** What can be routed to, in the order given, which is that in which leases count (holders.ts); an IPv6 subnet that is of no use to us is left out of its lease. */
  readonly usable: readonly Lease[];
  readonly refused: readonly RefusedLease[];
}

/** Sorts leases into those of peers and refused ones. The own lease is in neither. */
export function sortLeases(leases: readonly Lease[], place: OwnPlace): SortedLeases {
  const usable: Lease[] = [];
  const refused: RefusedLease[] = [];
  const reasons = new Map(leases.map((lease) => [lease, whyNot(lease, place)]));
  const beside = new PrefixSet(
    leases.filter((lease) => reasons.get(lease) === undefined).map(({ subnets }) => subnets.ipv4),
    place.config,
  );
  for (const lease of leases) {
    const { subnets, attrs } = lease;
    if (samePrefix(subnets.ipv4, place.own.ipv4) && place.addresses.includes(attrs.publicIp)) continue;
    const isLeased = beside.has(attrs.publicIp) ? 'its PublicIP lies in a subnet that is leased' : undefined;
    const reason = reasons.get(lease) ?? isLeased;
    if (reason !== undefined) {
      refused.push({ subnet: formatPrefix(subnets.ipv4), publicIp: formatIpv4(attrs.publicIp), reason });
      continue;
    }
    const ipv6 = subnets.ipv6 !== undefined && isUsable6(subnets.ipv6, place) ? subnets.ipv6 : undefined;
    usable.push({ ...lease, subnets: { ipv4: subnets.ipv4, ipv6 } });
  }
  return { usable, refused };
}

/** Subnets beside SubnetMin to SubnetMax, from when these were others. There are next to none, of few lengths. */
class PrefixSet {
  readonly #byLength = new Map<number, Set<Ipv4>>();

  constructor(prefixes: readonly Ipv4Prefix[], config: NetworkConfig) {
    for (const { address, length } of prefixes) {
      if (canBeLeased(address, config)) continue;
      const addresses = this.#byLength.get(length) ?? new Set();
      this.#byLength.set(length, addresses.add(address));
    }
  }

  has(address: Ipv4): boolean {
    return [...this.#byLength].some(([length, addresses]) => addresses.has(ipv4Prefix(address, length).address));
  }
}

/** All subnets of a host together, whatever number of leases they come from. */
export function groupByPublicIp(leases: readonly Lease[]): PeerPrefixes[] {
  const peers = new Map<Ipv4, Prefix[]>();
  for (const { subnets, attrs } of leases) {
    const prefixes = peers.get(attrs.publicIp) ?? [];
    prefixes.push(subnets.ipv4);
    if (subnets.ipv6 !== undefined) prefixes.push(subnets.ipv6);
    peers.set(attrs.publicIp, prefixes);
  }
  return [...peers].map(([publicIp, prefixes]) => ({ publicIp, prefixes }));
}

function whyNot({ subnets, attrs }: Lease, place: OwnPlace): string | undefined {
  const theirs = backendName(attrs.backendType);
  const ours = backendName(place.backendType);
  if (theirs !== ours) return `its backend type is ${theirs}, ours is ${ours}`;
  const { publicIp } = attrs;
  if (place.addresses.includes(publicIp)) return 'its PublicIP is this host';
  if (!isHostAddress4(publicIp)) return 'its PublicIP is not a host address';
  // A datagram to such a peer would be routed into the overlay again, for ever.
  if (canBeLeased(publicIp, place.config))
    return `its PublicIP lies in ${formatLeasable(place.config, 4)}, which are for pods`;
  if (!prefixContains(place.config.network, subnets.ipv4)) return 'its subnet lies outside the network';
  // Its route would take the place of the underlay's.
  const held = place.addresses.find((address) => prefixContains(subnets.ipv4, hostPrefix(address)));
  if (held !== undefined) return `its subnet holds this host's own address ${formatIpv4(held)}`;
  if (prefixesOverlap(subnets.ipv4, place.own.ipv4))
    return `its subnet overlaps the own one, ${formatPrefix(place.own.ipv4)}`;
  return undefined;
}

/** flannel's udp and alloc write no type, and so look the same; a lease written by hand may name them. */
function backendName(type: string): string {
  if (type === '' || type === 'alloc') return 'udp';
  return /^[a-z0-9-]{1,20}$/.test(type) ? type : quoteText(type, 40);
}

/** False for what no host can be reached at from elsewhere: ::, ::1, multicast, link-local, IPv4-mapped. RFC 4291 §2.4. */
export function isHostAddress6(address: Ipv6): boolean {
  if (isMulticast6(address) || isLinkLocal6(address)) return false;
  return address >> 32n !== 0xffffn && address > 1n;
}

function isUsable6(prefix: Ipv6Prefix, place: OwnPlace): boolean {
  const { ipv6 } = place.config;
  if (ipv6 === undefined || !prefixContains(ipv6.network, prefix)) return false;
  return place.own.ipv6 === undefined || !prefixesOverlap(prefix, place.own.ipv6);
}

/** Where this host is on the IPv6 underlay. */
export interface OwnPlace6 {
  readonly config: NetworkConfig;
  readonly addresses: readonly Ipv6[];
}

/** Undefined in a network without IPv6. */
export function ownPlace6({ config, external }: BackendOptions): OwnPlace6 | undefined {
  if (config.ipv6 === undefined) return undefined;
  const addresses = [external.ipv6, external.publicIpv6].filter((address) => address !== undefined);
  return { config, addresses };
}

/** Why a usable lease's IPv6 subnet cannot be reached over an IPv6 underlay; undefined when it can. */
export function whyNot6({ attrs: { publicIpv6 } }: Lease, place: OwnPlace6): string | undefined {
  if (publicIpv6 === undefined) return 'it has no PublicIPv6';
  if (place.addresses.includes(publicIpv6)) return 'its PublicIPv6 is this host';
  if (!isHostAddress6(publicIpv6)) return `its PublicIPv6 ${formatIpv6(publicIpv6)} is not a host address`;
  if (canBeLeased(publicIpv6, place.config))
    return `its PublicIPv6 lies in ${formatLeasable(place.config, 6)}, which are for pods`;
  return undefined;
}

/** One line for each refusal that was not there before. */
export function logRefusals(log: Log, before: readonly RefusedLease[], now: readonly RefusedLease[]): void {
  const known = new Set(before.map(({ subnet, reason }) => `${subnet} ${reason}`));
  for (const lease of now) if (!known.has(`${lease.subnet} ${lease.reason}`)) log.warn(lease, 'A lease is not used');
}
