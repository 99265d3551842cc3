/** What a pass over the kernel's tables writes to the log: repairs, routes of others, leftovers; each once, never by the thousand. */
import { formatIp } from '../addr/ip.ts';
import { formatMac } from '../addr/mac.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import type { FaultSink } from '../faults.ts';
import type { Log } from '../log.ts';
import {
  type ActualNeighbor,
  type ActualRoute,
  type NeighborKey,
  neighborKey,
  type PrefixKey,
  prefixKey,
  type StateChange,
  type WantedNeighbor,
  type WantedRoute,
} from './diff.ts';
import { describeIntruder, type Intruder, type Names } from './intruders.ts';

/** Our choice: more lines than this from one pass are given as a number. */
const MAX_LINES = 10;

/** The entries that were wanted, and there, before the pass. */
export interface Before {
  readonly routes: ReadonlyMap<PrefixKey, WantedRoute>;
  readonly neighbors: ReadonlyMap<NeighborKey, WantedNeighbor>;
  /** No pass came before: what is found belongs to an earlier run. */
  readonly first: boolean;
  /** rtm_protocol of own routes. */
  readonly protocol: number;
}

export interface After {
  readonly routes: ReadonlyMap<PrefixKey, WantedRoute>;
  readonly neighbors: ReadonlyMap<NeighborKey, WantedNeighbor>;
}

/** Why a change was made. `asked`: because what is wanted changed. */
type Cause = 'asked' | 'repair' | 'leftover' | 'taken-over' | 'replaced';

interface Finding {
  readonly cause: Cause;
  readonly entry: string;
  readonly wrong: string;
}

const MESSAGES: Readonly<Record<Exclude<Cause, 'asked'>, string>> = {
  repair: 'Repaired what somebody changed in the kernel',
  leftover: 'Removed or corrected what an earlier run left',
  'taken-over': 'Took over a route that was there already',
  replaced: 'Replaced a route of others to a peer',
};

/** What stands in the way of a pass, by reason. */
export class Obstacles {
  readonly #reasons = new Map<string, { count: number; readonly first: string | undefined }>();

  /** `error` is the whole message; the first is logged. */
  note(reason: string, error?: string): void {
    const known = this.#reasons.get(reason);
    if (known === undefined) this.#reasons.set(reason, { count: 1, first: error });
    else known.count++;
  }

  list(): [reason: string, found: { readonly count: number; readonly first: string | undefined }][] {
    return [...this.#reasons];
  }
}

/** Our choice: it was refused twice, 10 s apart. */
const LASTING_MS = 15_000;

export interface RouterReportOptions {
  readonly faults: FaultSink;
  readonly log: Log;
}

export class RouterReport {
  readonly #options: RouterReportOptions;
  readonly #device: Names['device'];
  readonly #said = new Set<string>();
  #standing: ReadonlySet<string> = new Set();

  constructor(options: RouterReportOptions, device: Names['device']) {
    this.#options = options;
    this.#device = device;
  }

  /** What was said may be said again. */
  forget(): void {
    this.#said.clear();
  }

  /** Logs why the changes of a pass were made. Returns the number of repairs. */
  changes(changes: readonly StateChange[], before: Before, after: After): number {
    const counts = { repair: 0, leftover: 0, 'taken-over': 0, replaced: 0 };
    for (const change of changes) {
      const cause = causeOf(change, before, after);
      if (cause === 'asked' || counts[cause]++ >= MAX_LINES) continue;
      this.#write(this.#describe(change, cause));
    }
    for (const [cause, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
      if (count > MAX_LINES)
        this.#options.log.warn({ more: count - MAX_LINES }, `${MESSAGES[cause]}, and more of them`);
    }
    return counts.repair;
  }

  /** Says it once, until it is forgotten. */
  once(fields: object, message: string): void {
    const text = `${message} ${JSON.stringify(fields)}`;
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#options.log.warn(fields, message);
  }

  /**
   * What the kernel refuses is said at once, and a fault when it lasts. A device that is missing or down is the business of
   * whoever made it.
   */
  obstacles(obstacles: Obstacles): void {
    const now = obstacles.list();
    for (const [reason, { count, first }] of now) {
      if (!this.#standing.has(reason))
        this.once({ count, first }, `Cannot set all neighbors and routes: ${reason}; trying again`);
    }
    this.#standing = new Set(now.map(([reason]) => reason));
    const refused = now.flatMap(([, { first }]) => first ?? []);
    this.#options.faults.report(
      'routes',
      refused.map((first) => ({
        text: `Not all neighbors and routes can be set: ${first}`,
        blocks: true,
        graceMs: LASTING_MS,
      })),
    );
  }

  /** What others on this host have in the way. `own`: our own subnets. */
  intruders(intruders: readonly Intruder[], own: readonly Prefix[]): void {
    const names = { device: this.#device, route: (route: ActualRoute) => this.route(route) };
    const faults = intruders.slice(0, MAX_LINES).map((intruder) => ({
      text: describeIntruder(intruder, own.includes(intruder.subnet), names),
      blocks: intruder.diverts,
    }));
    const more = intruders.slice(MAX_LINES);
    if (more.length > 0) {
      const text = `More addresses and routes of others are in the way of this network: ${more.length}`;
      faults.push({ text, blocks: more.some(({ diverts }) => diverts) });
    }
    this.#options.faults.report('others', faults);
  }

  #write({ cause, entry, wrong }: Finding): void {
    if (cause === 'asked') return;
    if (cause === 'leftover' || cause === 'taken-over') this.#options.log.info({ entry, wrong }, MESSAGES[cause]);
    else this.once({ entry, wrong }, MESSAGES[cause]);
  }

  #describe(change: StateChange, cause: Cause): Finding {
    switch (change.kind) {
      case 'set-route': {
        const { route, instead } = change;
        return { cause, entry: this.route(route), wrong: instead ? `it was ${this.route(instead)}` : 'it was gone' };
      }
      case 'set-neighbor': {
        const { neighbor, instead } = change;
        const wrong = instead ? `it was ${this.#neighbor(instead)}` : 'it was gone';
        return { cause, entry: this.#neighbor(neighbor), wrong };
      }
      case 'remove-rival':
        return { cause, entry: this.route(change.route), wrong: 'it leads to the same subnet' };
      case 'remove-astray':
        return { cause, entry: this.route(change.route), wrong: 'it leads our own subnet away' };
      case 'remove-route':
        return { cause, entry: this.route(change.route), wrong: 'no lease wants it' };
      case 'remove-neighbor':
        return { cause, entry: this.#neighbor(change.neighbor), wrong: 'no lease wants it' };
    }
  }

  /** "10.244.7.0/24 via 192.0.2.7 dev eth1 proto 3": as ip(8) has it, with the protocol as a number. */
  route(route: WantedRoute | ActualRoute): string {
    const { destination, gateway, interfaceIndex } = route;
    const parts: string[] = [destination === undefined ? 'default' : formatPrefix(destination)];
    if (gateway !== undefined) parts.push(`via ${formatIp(gateway)}`);
    if (interfaceIndex !== undefined) parts.push(`dev ${this.#device(interfaceIndex).name}`);
    if ('protocol' in route) {
      if (route.nextHops.length > 1) parts.push(`and ${route.nextHops.length - 1} more next hops`);
      parts.push(`proto ${route.protocol}`);
      if (route.metric !== 0) parts.push(`metric ${route.metric}`);
    }
    return parts.join(' ');
  }

  #neighbor(neighbor: WantedNeighbor | ActualNeighbor): string {
    const { address, interfaceIndex, mac } = neighbor;
    const lladdr = mac === undefined ? 'without address' : `lladdr ${formatMac(mac)}`;
    const learned = 'permanent' in neighbor && !neighbor.permanent ? ' (not permanent)' : '';
    return `${formatIp(address)} dev ${this.#device(interfaceIndex).name} ${lladdr}${learned}`;
  }
}

function causeOf(change: StateChange, before: Before, after: After): Cause {
  switch (change.kind) {
    case 'set-route':
      return causeOfRoute(change.route, change.instead, before);
    case 'set-neighbor': {
      const known = before.neighbors.get(neighborKey(change.neighbor));
      return known?.mac === change.neighbor.mac ? 'repair' : 'asked';
    }
    case 'remove-rival':
      return 'replaced';
    case 'remove-astray':
      return 'leftover';
    case 'remove-route': {
      const key = prefixKey(change.route.destination!);
      if (before.routes.has(key) && !after.routes.has(key)) return 'asked';
      return before.first ? 'leftover' : 'repair';
    }
    case 'remove-neighbor': {
      const key = neighborKey(change.neighbor);
      if (before.neighbors.has(key) && !after.neighbors.has(key)) return 'asked';
      return before.first ? 'leftover' : 'repair';
    }
  }
}

function causeOfRoute(route: WantedRoute, instead: ActualRoute | undefined, before: Before): Cause {
  const known = before.routes.get(prefixKey(route.destination));
  if (known !== undefined && sameWay(known, route)) return 'repair';
  if (instead === undefined || known !== undefined) return 'asked';
  if (instead.protocol === before.protocol) return before.first ? 'leftover' : 'asked';
  return instead.nextHops.length === 1 && sameWay(instead, route) ? 'taken-over' : 'replaced';
}

function sameWay(a: WantedRoute | ActualRoute, b: WantedRoute): boolean {
  return a.interfaceIndex === b.interfaceIndex && a.gateway === b.gateway && a.onlink === b.onlink;
}
