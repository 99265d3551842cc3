/** Which subnets a node takes. flannel pkg/subnet/etcd/local_manager.go, tryAcquireLease and allocateSubnet. */
import { formatPrefix, ipv4Prefix, ipv6Prefix, type Prefix, prefixesOverlap, samePrefix } from '../addr/prefix.ts';
import { WeftError } from '../error.ts';
import type { LeaseAttrs, SubnetPair } from './lease.ts';
import type { NetworkConfig } from './network-config.ts';

/** How many free subnets the random choice is made from: enough that nodes which start together seldom collide. flannel. */
const CANDIDATES = 100;

/** A lease key in the store, readable or not, as far as it matters to the choice. */
export interface HeldKey {
  /** The key without `<prefix>/subnets/`. */
  readonly key: string;
  /** Undefined when the key or its value does not parse: then nobody can say whose it is. */
  readonly lease: { readonly subnets: SubnetPair; readonly attrs: LeaseAttrs } | undefined;
  /** The subnets the key keeps others out of. */
  readonly claims: readonly Prefix[];
  /** A key without a grant never expires: an operator reserved the subnet for the node with this PublicIP. */
  readonly reserved: boolean;
}

/** A key that names a subnet and has a value, both readable. */
type Readable<K extends HeldKey> = K & { readonly lease: NonNullable<HeldKey['lease']> };

export type Choice<K extends HeldKey> = (
  | { readonly origin: 'reused'; readonly held: Readable<K> }
  | { readonly origin: 'previous' | 'allocated'; readonly subnets: SubnetPair }
) & {
  /** Our keys that do not fit any more, to be removed after the new one is written; reservations stay. */
  readonly replaces: readonly K[];
  /** The subnets overlap one of those, so that it has to go first. */
  readonly replacesFirst: boolean;
};

export interface ChoiceRequest<K extends HeldKey> {
  readonly config: NetworkConfig;
  readonly publicIp: number;
  readonly previous: SubnetPair | undefined;
  readonly held: readonly K[];
  /** Whether a key is as this node wrote it last, be it with a PublicIP that it has no longer. */
  readonly isOwnWrite?: ((key: K) => boolean) | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Chooses: the key that already carries our PublicIP, or is as we wrote it last, and fits the configuration (of several, the previous one);
 * else the previous subnet if it fits and nobody overlaps it; else one of the first 100 free ones at random; only if there is
 * none, one that overlaps our own former lease. Throws WeftError OUT_OF_SUBNETS.
 */
export function chooseSubnets<K extends HeldKey>(request: ChoiceRequest<K>): Choice<K> {
  const { config, previous, held } = request;
  const { isOwnWrite = () => false } = request;
  const own = held.filter(isReadable).filter((key) => key.lease.attrs.publicIp === request.publicIp || isOwnWrite(key));
  const usable = own.filter(({ lease }) => fitsConfig(lease.subnets, config));
  const replaces = own.filter((key) => !key.reserved && !usable.includes(key));
  const reused = usable.find(({ lease }) => previous && samePair(lease.subnets, previous)) ?? usable[0];
  if (reused !== undefined) return { origin: 'reused', held: reused, replaces, replacesFirst: false };

  const claimed = (keys: readonly K[]): Prefix[] => keys.flatMap((key) => key.claims);
  const chosen = choose(config, previous, claimed(held), request.random);
  if (chosen !== undefined) return { ...chosen, replaces, replacesFirst: false };
  const taken = claimed(held.filter((key) => !replaces.some((replaced) => replaced.key === key.key)));
  const subnets = allocate(config, taken, request.random);
  return { origin: 'allocated', subnets, replaces, replacesFirst: true };
}

/** Undefined when nothing is free. */
function choose(
  config: NetworkConfig,
  previous: SubnetPair | undefined,
  taken: readonly Prefix[],
  random: () => number,
): { origin: 'previous' | 'allocated'; subnets: SubnetPair } | undefined {
  if (previous !== undefined && fitsConfig(previous, config) && isFree(previous, taken))
    return { origin: 'previous', subnets: previous };
  try {
    return { origin: 'allocated', subnets: allocate(config, taken, random) };
  } catch (error) {
    if (error instanceof WeftError && error.code === 'OUT_OF_SUBNETS') return undefined;
    throw error;
  }
}

function isReadable<K extends HeldKey>(key: K): key is Readable<K> {
  return key.lease !== undefined;
}

/** Whether subnets lie between SubnetMin and SubnetMax with the right length, in exactly the families that are enabled. */
export function fitsConfig(subnets: SubnetPair, config: NetworkConfig): boolean {
  if (!inRange(subnets.ipv4, config.subnetMin, config.subnetMax)) return false;
  if (config.ipv6 === undefined || subnets.ipv6 === undefined)
    return config.ipv6 === undefined && subnets.ipv6 === undefined;
  return inRange(subnets.ipv6, config.ipv6.subnetMin, config.ipv6.subnetMax);
}

function samePair(a: SubnetPair, b: SubnetPair): boolean {
  if (!samePrefix(a.ipv4, b.ipv4)) return false;
  if (a.ipv6 === undefined || b.ipv6 === undefined) return a.ipv6 === b.ipv6;
  return samePrefix(a.ipv6, b.ipv6);
}

function inRange<P extends Prefix>(subnet: P, min: P, max: P): boolean {
  return subnet.length === min.length && subnet.address >= min.address && subnet.address <= max.address;
}

function isFree(subnets: SubnetPair, taken: readonly Prefix[]): boolean {
  return !taken.some(
    (other) =>
      prefixesOverlap(subnets.ipv4, other) || (subnets.ipv6 !== undefined && prefixesOverlap(subnets.ipv6, other)),
  );
}

function allocate(config: NetworkConfig, taken: readonly Prefix[], random: () => number): SubnetPair {
  const ipv4 = pick(firstFree(config.subnetMin, config.subnetMax, taken), random);
  if (ipv4?.family !== 4) throw outOfSubnets('Network', config.subnetMin, config.subnetMax);
  if (config.ipv6 === undefined) return { ipv4, ipv6: undefined };
  const ipv6 = pick(firstFree(config.ipv6.subnetMin, config.ipv6.subnetMax, taken), random);
  if (ipv6?.family !== 6) throw outOfSubnets('IPv6Network', config.ipv6.subnetMin, config.ipv6.subnetMax);
  return { ipv4, ipv6 };
}

function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.min(Math.floor(random() * items.length), items.length - 1)];
}

/**
 * The first 100 prefixes from `min` to `max` that overlap nothing taken. Jumps over each taken range at once: one lease
 * that covers an IPv6 network would otherwise be walked through in 2^48 steps.
 */
function firstFree(min: Prefix, max: Prefix, taken: readonly Prefix[]): Prefix[] {
  const bits = min.family === 4 ? 32 : 128;
  const size = 1n << BigInt(bits - min.length);
  const ranges = taken
    .filter((prefix) => prefix.family === min.family)
    .map((prefix) => ({
      start: BigInt(prefix.address),
      end: BigInt(prefix.address) + (1n << BigInt(bits - prefix.length)),
    }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const free: Prefix[] = [];
  let next = 0;
  let candidate = BigInt(min.address);
  while (candidate <= BigInt(max.address) && free.length < CANDIDATES) {
    const range = ranges[next];
    if (range === undefined || range.start >= candidate + size) {
      free.push(min.family === 4 ? ipv4Prefix(Number(candidate), min.length) : ipv6Prefix(candidate, min.length));
      candidate += size;
    } else {
      // The next candidate is the first one at or after the range's end; ranges that end before it are passed.
      if (range.end > candidate) candidate += ((range.end - candidate + size - 1n) / size) * size;
      next++;
    }
  }
  return free;
}

function outOfSubnets(field: string, min: Prefix, max: Prefix): WeftError {
  const range = `${formatPrefix(min)} to ${formatPrefix(max)}`;
  return new WeftError('OUT_OF_SUBNETS', `No free subnet is left in ${field}: ${range} are all taken`, {
    hint: 'delete the leases of nodes that are gone, or make the network larger or SubnetLen longer',
  });
}
