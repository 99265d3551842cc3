/** How the own lease stands among all keys of the store, read at one revision. Pure. */
import { type Prefix, prefixesOverlap } from '../addr/prefix.ts';
import type { HeldKey } from './allocate.ts';
import type { LeaseAttrs } from './lease.ts';

/** A key with its versions; revisions are numbers in decimal. */
export interface VersionedKey extends HeldKey {
  readonly createRevision: string;
  readonly modRevision: string;
}

/** Our lease as it was last written. */
export interface OwnKey {
  /** The key without `<prefix>/subnets/`. */
  readonly key: string;
  readonly publicIp: number;
  /** Its subnets. */
  readonly claims: readonly Prefix[];
  readonly reserved: boolean;
  readonly modRevision: string;
  /** The store is the one that it was written to; another counts its revisions anew. */
  readonly sameStore: boolean;
}

export type Standing<K extends VersionedKey> =
  /** As we wrote it. */
  | { readonly kind: 'ours'; readonly held: K }
  /** Somebody took its grant away: an operator made it a reservation. */
  | { readonly kind: 'reserved'; readonly held: K }
  /** Written by somebody else, with our PublicIP. */
  | { readonly kind: 'rewritten'; readonly held: K }
  /** As it was before the store was restored from a backup, or set up anew. */
  | { readonly kind: 'restored'; readonly held: K }
  /** Its value cannot be read: it is nobody's. */
  | { readonly kind: 'unreadable'; readonly held: K }
  /** Another node's value. `anew`: the key had gone, and that node made it; else it was written over ours. */
  | { readonly kind: 'taken'; readonly by: LeaseAttrs; readonly anew: boolean }
  /** `ours`, but an older lease has a subnet of it. */
  | { readonly kind: 'overlapped'; readonly by: LeaseAttrs; readonly held: K }
  /** There is no such key. `by`: who has a subnet of it under another key. */
  | { readonly kind: 'gone'; readonly by: LeaseAttrs | undefined };

/** `isOwnWrite`: whether a key carries one of our grants, which tells our write from somebody else's with our PublicIP. */
export function standingOf<K extends VersionedKey>(
  own: OwnKey,
  keys: readonly K[],
  isOwnWrite: (key: K) => boolean,
): Standing<K> {
  const rivals = keys.filter((key) => key.key !== own.key && holdsSubnetOf(own, key));
  const held = keys.find(({ key }) => key === own.key);
  if (held === undefined) return { kind: 'gone', by: rivals[0]?.lease?.attrs };
  if (held.lease === undefined) return { kind: 'unreadable', held };
  const { attrs } = held.lease;
  if (attrs.publicIp !== own.publicIp) {
    const anew = !own.sameStore || BigInt(held.createRevision) > BigInt(own.modRevision);
    return { kind: 'taken', by: attrs, anew };
  }
  const older = rivals.find(({ createRevision }) => BigInt(createRevision) < BigInt(held.createRevision));
  if (older?.lease !== undefined) return { kind: 'overlapped', by: older.lease.attrs, held };
  if ((own.sameStore && held.modRevision === own.modRevision) || isOwnWrite(held)) return { kind: 'ours', held };
  if (held.reserved && !(own.reserved && own.sameStore)) return { kind: 'reserved', held };
  return { kind: own.sameStore ? 'rewritten' : 'restored', held };
}

/**
 * Whether another node's lease has a whole subnet of ours, or more. One that lies inside ours is not given way to: peers
 * send its packets there and the rest to us, and whoever can write leases could make every node move otherwise.
 */
export function holdsSubnetOf(own: OwnKey, { lease, claims }: HeldKey): boolean {
  if (lease === undefined || lease.attrs.publicIp === own.publicIp) return false;
  return own.claims.some((mine) =>
    claims.some((theirs) => prefixesOverlap(mine, theirs) && theirs.length <= mine.length),
  );
}
