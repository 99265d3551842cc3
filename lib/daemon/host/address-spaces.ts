/** Which prefixes are taken in each network namespace. Networks whose addresses overlap need one each. */
import { formatPrefix, type Prefix, prefixesOverlap } from '../../addr/prefix.ts';
import { WeftError } from '../../error.ts';
import { type NetworkConfig, networkPrefixes } from '../../lease/network-config.ts';
import type { NetworkOptions } from '../cmdline/network-flag.ts';

interface Claim {
  readonly network: NetworkOptions;
  readonly prefixes: readonly Prefix[];
}

export class AddressSpaces {
  readonly #claims = new Set<Claim>();

  /**
   * Takes the prefixes of a network for itself in its namespace; the first one to come has them. Returns how to give them
   * back. Throws WeftError NETWORK_OVERLAP.
   */
  claim(network: NetworkOptions, config: NetworkConfig): () => void {
    const prefixes = networkPrefixes(config);
    for (const other of this.#claims) {
      if (other.network.netns !== network.netns) continue;
      for (const mine of prefixes)
        for (const theirs of other.prefixes)
          if (prefixesOverlap(mine, theirs)) throw overlap(network, mine, other, theirs);
    }
    const claim = { network, prefixes };
    this.#claims.add(claim);
    return () => this.#claims.delete(claim);
  }
}

function overlap(network: NetworkOptions, mine: Prefix, other: Claim, theirs: Prefix): WeftError {
  const where = network.netns === undefined ? 'without netns=' : `in ${network.netns}`;
  return new WeftError(
    'NETWORK_OVERLAP',
    `${formatPrefix(mine)} of network "${network.name}" overlaps ${formatPrefix(theirs)} of "${other.network.name}", ` +
      `and both are ${where}`,
    { hint: 'their routes would take the place of each other: give one of them its own netns= in -network' },
  );
}
