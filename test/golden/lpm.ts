import { type Prefix, prefixContains } from '../../lib/addr/prefix.ts';

/** A route: what lies in `prefix` goes to `peer`. */
export interface SlowRoute {
  readonly prefix: Prefix;
  readonly peer: number;
}

/** The peer of the longest prefix that holds the address, by looking at all of them; undefined when none does. */
export function slowLookup(routes: readonly SlowRoute[], family: 4 | 6, address: number | bigint): number | undefined {
  const host: Prefix =
    family === 4 ? { family, address: Number(address), length: 32 } : { family, address: BigInt(address), length: 128 };
  let best: SlowRoute | undefined;
  for (const route of routes) {
    if (!prefixContains(route.prefix, host)) continue;
    if (best === undefined || route.prefix.length > best.prefix.length) best = route;
  }
  return best?.peer;
}
