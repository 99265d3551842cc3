/** When the kernel's tables are to be looked at again: by the clock, and when a netlink event contradicts what they should hold. */
import { messageOf } from '../error.ts';
import { type NetlinkEvent, NetlinkMonitor } from '../sys/netlink/monitor.ts';
import { type Link, type Route, RouteTable } from '../sys/netlink/rtnetlink.ts';
import { withinNetns } from '../sys/netns.ts';
import {
  isNeighbor,
  isRival,
  isRoute,
  type NeighborKey,
  neighborKey,
  type PrefixKey,
  prefixKey,
  type WantedNeighbor,
  type WantedRoute,
} from './diff.ts';

/** The entries that the kernel should have, and their devices as they were then. */
export interface Expectation {
  readonly routes: ReadonlyMap<PrefixKey, WantedRoute>;
  readonly neighbors: ReadonlyMap<NeighborKey, WantedNeighbor>;
  /** By name; undefined for those that were missing. */
  readonly devices: ReadonlyMap<string, Link | undefined>;
  readonly protocol: number;
}

export interface RouterWatchOptions {
  readonly netns: string | undefined;
  readonly expected: () => Expectation;
  /** The tables are to be read and repaired. */
  readonly onDue: () => void;
  /** True for an event after which `onUnderlay` is to be called. */
  readonly isUnderlay: (event: NetlinkEvent) => boolean;
  readonly onUnderlay: () => void;
  /** Says it once in a while. */
  readonly warn: (fields: object, message: string) => void;
  /** What was said may be said again. */
  readonly onForget: () => void;
  /** They are due without any event, too: every so many ms, a multiple of 100. Default 10 s, flannel's interval, pkg/backend/route_network.go. */
  readonly intervalMs?: number;
}

/** Our choice: events are looked for this often; an idle look is one system call. Node has no way to wait for netlink. */
const TICK_MS = 100;
const DEFAULT_INTERVAL_MS = 10_000;
/** Our choice, 1 s: somebody who fights for a route does not keep us busy. */
const EVENT_TICKS = 10;
/** Our choice, 10 min: what goes on being wrong is said again. */
const FORGET_TICKS = 6_000;

export class RouterWatch {
  readonly #options: RouterWatchOptions;
  readonly #monitors: NetlinkMonitor[] = [];
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  #nextEvent = 0;
  #nextUnderlay = 0;
  #contradicted = false;
  #underlayChanged = false;
  #watchesNeighbors = false;
  /** How often the kernel had to drop events. */
  overruns = 0;

  /** Throws SyscallError, or what `withinNetns` throws. */
  constructor(options: RouterWatchOptions) {
    this.#options = options;
    this.#open(['link', 'address', 'route']);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Neighbours come and go all the time on any host: only for those who want some. */
  watchNeighbors(): void {
    if (this.#watchesNeighbors) return;
    this.#open(['neighbor']);
    this.#watchesNeighbors = true;
  }

  #open(kinds: NetlinkEvent['kind'][]): void {
    this.#monitors.push(withinNetns(this.#options.netns, () => NetlinkMonitor.open({ kinds })));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const monitor of this.#monitors.splice(0)) monitor.close();
  }

  /** The tables are about to be read: what was heard before is in them. */
  clear(): void {
    this.drain();
    this.#contradicted = false;
  }

  /** Takes the events that have come. Those of our own changes contradict nothing, so this may be called at any time. */
  drain(): void {
    const { expected, isUnderlay, warn } = this.#options;
    for (const monitor of this.#monitors) {
      const events = this.#eventsOf(monitor);
      if (events === 'overrun') {
        this.overruns++;
        warn({}, 'The kernel had to drop netlink events; reading its tables anew');
        this.#contradicted = true;
        this.#underlayChanged = true;
        continue;
      }
      const now = expected();
      this.#contradicted ||= events.some((event) => contradicts(event, now));
      this.#underlayChanged ||= events.some(isUnderlay);
    }
  }

  #eventsOf(monitor: NetlinkMonitor): NetlinkEvent[] | 'overrun' {
    try {
      return monitor.drain();
    } catch (error) {
      this.#options.warn({ error: messageOf(error) }, 'Cannot read netlink events; the tables are read every 10 s');
      return [];
    }
  }

  #tick(): void {
    const { onDue, onForget, onUnderlay, intervalMs = DEFAULT_INTERVAL_MS } = this.#options;
    this.#ticks++;
    if (this.#ticks % FORGET_TICKS === 0) onForget();
    this.drain();
    if (this.#underlayChanged && this.#ticks >= this.#nextUnderlay) {
      this.#underlayChanged = false;
      this.#nextUnderlay = this.#ticks + EVENT_TICKS;
      onUnderlay();
    }
    const heard = this.#contradicted && this.#ticks >= this.#nextEvent;
    if (heard) {
      this.#contradicted = false;
      this.#nextEvent = this.#ticks + EVENT_TICKS;
    }
    if (heard || this.#ticks % (intervalMs / TICK_MS) === 0) onDue();
  }
}

/**
 * True when something expected is gone, was changed, or may be gone without an event of its own: with a device that goes
 * down or loses its last address the kernel drops IPv4 routes silently. The events of our own changes contradict nothing.
 */
function contradicts(event: NetlinkEvent, expected: Expectation): boolean {
  switch (event.kind) {
    case 'link':
      return linkChanged(event.change === 'removed', event.link, expected.devices);
    case 'address': {
      const { interfaceIndex } = event.address;
      return [...expected.devices.values()].some((link) => link?.index === interfaceIndex);
    }
    case 'route':
      return routeChanged(event.change === 'removed', event.route, expected);
    case 'neighbor': {
      const wanted = expected.neighbors.get(neighborKey(event.neighbor));
      return wanted !== undefined && (event.change === 'removed' || !isNeighbor(event.neighbor, wanted));
    }
  }
}

function linkChanged(removed: boolean, link: Link, devices: Expectation['devices']): boolean {
  for (const [name, known] of devices) {
    if (known === undefined ? name !== link.name : known.index !== link.index) continue;
    if (known === undefined) return !removed;
    return removed || link.up !== known.up || link.name !== name;
  }
  return false;
}

function routeChanged(removed: boolean, route: Route, { routes, protocol }: Expectation): boolean {
  if (route.table !== RouteTable.main || route.destination === undefined) return false;
  const wanted = routes.get(prefixKey(route.destination));
  if (wanted === undefined) return false;
  return removed ? isRoute(route, wanted, protocol) : isRival(route, wanted, protocol);
}
