/** Routes that an earlier run left where the backend of this one does not look: outside of what the network is now. */
import { type Prefix, prefixContains } from '../addr/prefix.ts';
import { messageOf } from '../error.ts';
import type { FaultSink } from '../faults.ts';
import type { Log } from '../log.ts';
import { removeLeftovers } from '../router/router.ts';

/** Where a network has its routes. */
export interface UsedSpace {
  /** Network namespace (a path); undefined: the daemon's own. */
  readonly netns: string | undefined;
  readonly prefixes: readonly Prefix[];
}

export interface Renumbering {
  /** What earlier runs of the network used. */
  readonly before: readonly UsedSpace[];
  readonly now: UsedSpace;
  /** What other networks of this host use: their routes look like ours. */
  readonly others: readonly UsedSpace[];
}

/** Removes the routes with our protocol number that lie in `before` and neither in `now` nor in `others`. Never rejects. */
export async function removeEarlierRoutes(
  { before, now, others }: Renumbering,
  { faults, log }: { readonly faults: FaultSink; readonly log: Log },
): Promise<void> {
  for (const { netns, prefixes } of before) {
    const except = [now, ...others].filter((space) => space.netns === netns).flatMap((space) => space.prefixes);
    const scope = prefixes.filter((prefix) => !except.some((other) => prefixContains(other, prefix)));
    if (scope.length === 0) continue;
    try {
      await removeLeftovers({ netns, scope, except, faults, log });
    } catch (error) {
      // With its namespace the routes are gone too.
      log.debug({ netns, reason: messageOf(error) }, 'What an earlier run left cannot be looked at');
    }
  }
}
