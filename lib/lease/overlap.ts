/** Which of many prefixes lie in which others, found in one pass over them in order instead of comparing each with each. */
import { type Prefix, prefixContains } from '../addr/prefix.ts';
import type { SubnetPair } from './lease.ts';

export interface Placed<T> {
  readonly prefix: Prefix;
  readonly item: T;
}

/**
 * Calls `visit` for each item that lies in others, with those: the widest first, of equal prefixes the one given first.
 * Two prefixes overlap exactly when one is in the other, so this finds every pair that does, once.
 */
export function visitNested<T>(
  placed: readonly Placed<T>[],
  visit: (inner: T, around: readonly Placed<T>[]) => void,
): void {
  // A prefix comes right before what lies in it; the sort is stable.
  const ordered = placed.toSorted((a, b) => compareAddresses(a.prefix, b.prefix) || a.prefix.length - b.prefix.length);
  const around: Placed<T>[] = [];
  for (const inner of ordered) {
    while (around.length > 0 && !prefixContains(around.at(-1)!.prefix, inner.prefix)) around.pop();
    if (around.length > 0) visit(inner.item, around);
    around.push(inner);
  }
}

function compareAddresses(a: Prefix, b: Prefix): number {
  if (a.family === 4 && b.family === 4) return a.address - b.address;
  if (a.family !== b.family) return a.family - b.family;
  return a.address < b.address ? -1 : Number(a.address > b.address);
}

/** The subnets of a lease, one or two. */
export function prefixesOf({ ipv4, ipv6 }: SubnetPair): Prefix[] {
  return ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
}
