/**
 * Keeps the neighbours and routes that a backend wants in the kernel, and repairs them.
 *
 *   leases ──backend──> desired ─┐
 *                                ├─ diff ──> changes ──> kernel
 *   kernel ──dump─────> actual ──┘             every 10 s (flannel's interval), and when a netlink event contradicts
 *
 * Between two full passes the kernel is taken to be as it was left, so that one lease more costs one route, however many
 * there are.
 */
import { setImmediate } from 'node:timers/promises';
import type { IpAddress } from '../addr/ip.ts';
import type { Mac } from '../addr/mac.ts';
import type { Prefix } from '../addr/prefix.ts';
import { messageOf } from '../error.ts';
import type { FaultSink } from '../faults.ts';
import type { Log } from '../log.ts';
import type { NetlinkEvent } from '../sys/netlink/monitor.ts';
import { type Link, NetlinkError, RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import { withinNetns } from '../sys/netns.ts';
import { applyChange } from './apply.ts';
import {
  type ActualRoute,
  type ActualState,
  asActual,
  diffState,
  type NeighborKey,
  neighborKey,
  type PrefixKey,
  prefixKey,
  type StateChange,
  type WantedNeighbor,
  type WantedRoute,
  type WantedState,
} from './diff.ts';
import { findIntruders, flanneldLeftovers } from './intruders.ts';
import { Obstacles, RouterReport } from './report.ts';
import { type Expectation, RouterWatch } from './watch.ts';

/** rtm_protocol of every route that Weft adds; free in iproute2's list and in FRR's. `ip route show proto 137` lists them. */
const ROUTE_PROTOCOL = 137;

/** Devices are named, not numbered: one that is built anew gets its entries back. */
export interface DesiredNeighbor {
  readonly device: string;
  readonly address: IpAddress;
  readonly mac: Mac;
}

export interface DesiredRoute {
  readonly device: string;
  readonly destination: Prefix;
  readonly gateway: IpAddress | undefined;
  /** The gateway is on the link although no route says so. */
  readonly onlink: boolean;
}

export interface DesiredState {
  readonly neighbors: readonly DesiredNeighbor[];
  readonly routes: readonly DesiredRoute[];
  /** The subnets of peers, where they are not the destinations of `routes`. */
  readonly subnets?: readonly Prefix[];
}

export interface RouterOptions {
  /** Network namespace (a path) of neighbours and routes; undefined: the daemon's own. */
  readonly netns: string | undefined;
  /** The network's prefixes: own routes outside of them belong to another network of this host. */
  readonly scope: readonly Prefix[];
  /** Parts of the scope whose own routes belong to another network all the same. */
  readonly except?: readonly Prefix[];
  /** Our own subnets, whose packets are to stay on this host. */
  readonly own?: readonly Prefix[];
  /** Those that this host had before, at the last run of ours or of flanneld's. */
  readonly earlier?: readonly Prefix[];
  /** What the kernel goes on refusing is a fault, and so is what others on this host have in the way. */
  readonly faults: FaultSink;
  readonly log: Log;
  /** Default {@link ROUTE_PROTOCOL}. */
  readonly protocol?: number;
  /** How often the tables are read and repaired without an event: ms, a multiple of 100. Default 10 s. */
  readonly intervalMs?: number;
  /** Called, at most once a second, after the device or its addresses changed: what is on its link may have changed too. */
  readonly underlay?: { readonly device: string; onChange(): void };
}

/** Our choice: after so many changes, or ms, the event loop has its turn, and the events of our own changes are taken. */
const SLICE_CHANGES = 200;
const SLICE_MS = 5;
/** The entry, or its device, has gone already. */
const GONE = new Set(['ESRCH', 'ENOENT', 'ENODEV']);

/** For a backend that keeps nothing in the kernel: removes the routes that an earlier run with another backend left. */
export async function removeLeftovers(options: RouterOptions): Promise<void> {
  const router = new Router(options);
  await router.apply({ neighbors: [], routes: [] });
  await router.close();
}

export class Router {
  readonly #options: RouterOptions;
  readonly #protocol: number;
  readonly #netlink: RouteNetlink;
  readonly #watch: RouterWatch;
  readonly #report: RouterReport;

  #desired: DesiredState | undefined;
  /** What the last pass was for. */
  #applied: DesiredState | undefined;
  /** The tables are to be read before the next pass. */
  #dirty = true;
  /** No pass has read the tables yet. */
  #first = true;
  /** What the kernel has of what is wanted, as the last pass left it. */
  #routes = new Map<PrefixKey, WantedRoute>();
  #neighbors = new Map<NeighborKey, WantedNeighbor>();
  readonly #devices = new Map<string, Link | undefined>();
  /** Names of devices that neighbours were ever wanted on. */
  readonly #neighborDevices = new Set<string>();
  #passes: Promise<void> = Promise.resolve();
  #closed = false;
  #repairs = 0;

  /** Opens its sockets and begins to watch. Throws NetlinkError, SyscallError, or what `withinNetns` throws. */
  constructor(options: RouterOptions) {
    const { netns, faults, log, underlay, intervalMs } = options;
    this.#options = options;
    this.#protocol = options.protocol ?? ROUTE_PROTOCOL;
    this.#netlink = withinNetns(netns, () => RouteNetlink.open());
    const report = new RouterReport({ faults, log }, (index) => this.#device(index));
    this.#report = report;
    try {
      this.#watch = new RouterWatch({
        netns,
        expected: () => this.#expected(),
        onDue: () => void this.reconcile(),
        isUnderlay: (event) => this.#isUnderlay(event),
        onUnderlay: () => underlay?.onChange(),
        warn: (fields, message) => report.once(fields, message),
        onForget: () => report.forget(),
        ...(intervalMs !== undefined && { intervalMs }),
      });
    } catch (error) {
      this.#netlink.close();
      throw error;
    }
  }

  /** Entries that were put right after somebody else changed them. */
  get repairs(): number {
    return this.#repairs;
  }

  /** How often the kernel had to drop events, so that its tables were read anew. */
  get overruns(): number {
    return this.#watch.overruns;
  }

  /**
   * Makes `desired` what the kernel has: new entries are added, neighbours first; changed ones are replaced in place;
   * then those that are not wanted any more are removed, routes first. What the kernel refuses is logged and tried again
   * at each pass.
   *
   * The first call also removes what an earlier run left. Resolves when it is done; never rejects. Of calls that come
   * during a pass only the last counts.
   */
  apply(desired: DesiredState): Promise<void> {
    this.#desired = desired;
    return this.#pass();
  }

  /** Reads the kernel's tables and repairs what is not as desired. Never rejects. */
  reconcile(): Promise<void> {
    this.#dirty = true;
    return this.#pass();
  }

  /**
   * Stops watching. Neighbours and routes stay: those through a device of ours go with it, and plain routes carry packets
   * without us, as after flanneld; the next run removes what it does not want (docs/adr/0012).
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    await this.#passes;
    this.#report.obstacles(new Obstacles());
    this.#report.intruders([], []);
    this.#netlink.close();
  }

  #expected(): Expectation {
    return { routes: this.#routes, neighbors: this.#neighbors, devices: this.#devices, protocol: this.#protocol };
  }

  #isUnderlay(event: NetlinkEvent): boolean {
    const { underlay } = this.#options;
    if (underlay === undefined) return false;
    if (event.kind === 'link') return event.link.name === underlay.device;
    if (event.kind !== 'address') return false;
    return event.address.interfaceIndex === this.#netlink.linkByName(underlay.device)?.index;
  }

  /** One pass after the other; each takes what is desired when it begins. */
  #pass(): Promise<void> {
    this.#passes = this.#passes.then(async () => {
      const desired = this.#desired;
      if (this.#closed || desired === undefined || (!this.#dirty && desired === this.#applied)) return;
      const obstacles = new Obstacles();
      try {
        // Somebody else's entry was in the way: with the tables read there are no surprises.
        if (!(await this.#runPass(desired, obstacles))) await this.#runPass(desired, obstacles);
      } catch (error) {
        this.#dirty = true;
        obstacles.note('the tables cannot be read', messageOf(error));
      }
      this.#report.obstacles(obstacles);
    });
    return this.#passes;
  }

  /** False when the kernel is not as it was left, so that its tables have to be read. */
  async #runPass(desired: DesiredState, obstacles: Obstacles): Promise<boolean> {
    const full = this.#dirty;
    this.#dirty = false;
    this.#applied = desired;
    if (desired.neighbors.length > 0) this.#watch.watchNeighbors();
    if (full) this.#watch.clear();
    const before = { ...this.#expected(), first: this.#first };
    const wanted = this.#locate(desired, obstacles);
    const actual = full ? this.#read() : this.#believed();
    const diff = diffState(wanted, actual, {
      protocol: this.#protocol,
      scope: this.#options.scope,
      except: this.#options.except ?? [],
      devices: this.#neighborDeviceIndexes(),
    });
    for (const destination of diff.contested.slice(0, 1)) {
      const route = diff.routes.get(prefixKey(destination))!;
      this.#report.once(
        { used: this.#report.route(route) },
        'Leases lead one subnet different ways; one of them is used',
      );
    }
    this.#routes = new Map(diff.routes);
    this.#neighbors = new Map(diff.neighbors);
    const { own = [], earlier = [] } = this.#options;
    const astray = full ? flanneldLeftovers(own, earlier, actual.routes) : [];
    const changes = [...diff.changes, ...astray.map((route) => ({ kind: 'remove-astray', route }) as const)];
    const applied = await this.#applyChanges(changes, obstacles, full);
    this.#repairs += this.#report.changes(applied, before, diff);
    if (!full) return !this.#dirty;
    this.#first = false;
    this.#reportIntruders(desired, actual.routes, applied);
    return true;
  }

  /** `routes`: as they were read; `applied`: what was changed since. */
  #reportIntruders(desired: DesiredState, routes: readonly ActualRoute[], applied: readonly StateChange[]): void {
    const removed = new Set(
      applied.flatMap((change) => ('route' in change && 'protocol' in change.route ? change.route : [])),
    );
    const { own = [] } = this.#options;
    const peers = desired.subnets ?? desired.routes.map(({ destination }) => destination);
    const territory = { peers, own, routes: [...this.#routes.values()], protocol: this.#protocol };
    const left = routes.filter((route) => !removed.has(route));
    this.#report.intruders(findIntruders(territory, left, this.#netlink.addresses()), own);
  }

  /** Finds the devices' indexes. Entries whose device is missing or down are left out: the kernel would refuse them. */
  #locate(desired: DesiredState, obstacles: Obstacles): WantedState {
    this.#devices.clear();
    const indexOf = (name: string): number | undefined => {
      if (!this.#devices.has(name)) this.#devices.set(name, this.#netlink.linkByName(name));
      const link = this.#devices.get(name);
      if (link?.up === true) return link.index;
      obstacles.note(`device "${name}" is ${link === undefined ? 'missing' : 'down'}`);
      return undefined;
    };
    const neighbors: WantedNeighbor[] = [];
    for (const { device, address, mac } of desired.neighbors) {
      this.#neighborDevices.add(device);
      const interfaceIndex = indexOf(device);
      if (interfaceIndex !== undefined) neighbors.push({ interfaceIndex, address, mac });
    }
    const routes: WantedRoute[] = [];
    for (const { device, destination, gateway, onlink } of desired.routes) {
      const interfaceIndex = indexOf(device);
      if (interfaceIndex !== undefined) routes.push({ interfaceIndex, destination, gateway, onlink });
    }
    return { neighbors, routes };
  }

  #neighborDeviceIndexes(): Set<number> {
    const links = [...this.#neighborDevices].map((name) => this.#devices.get(name) ?? this.#netlink.linkByName(name));
    return new Set(links.flatMap((link) => link?.index ?? []));
  }

  #read(): ActualState {
    const neighbors = this.#neighborDevices.size === 0 ? [] : this.#netlink.neighbors();
    return { routes: this.#netlink.routes(), neighbors };
  }

  #believed(): ActualState {
    const routes = [...this.#routes.values()].map((route) => asActual(route, this.#protocol));
    const neighbors = [...this.#neighbors.values()].map((neighbor) => ({ ...neighbor, permanent: true }));
    return { routes, neighbors };
  }

  /** Returns the changes that were made. */
  async #applyChanges(changes: readonly StateChange[], obstacles: Obstacles, full: boolean): Promise<StateChange[]> {
    const done: StateChange[] = [];
    let begun = performance.now();
    for (const [number, change] of changes.entries()) {
      if (number % SLICE_CHANGES === SLICE_CHANGES - 1 || performance.now() - begun > SLICE_MS) {
        this.#watch.drain();
        await setImmediate();
        if (this.#closed) break;
        begun = performance.now();
      }
      try {
        applyChange(this.#netlink, change, this.#protocol);
        done.push(change);
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error;
        if (change.kind.startsWith('remove') && GONE.has(error.code)) continue;
        this.#forget(change);
        if (error.code === 'EEXIST' && !full) this.#dirty = true;
        else obstacles.note(error.code, error.message);
      }
    }
    if (!this.#closed) this.#watch.drain();
    return done;
  }

  /** The kernel does not have it; the next pass tries again. */
  #forget(change: StateChange): void {
    if (change.kind === 'set-route') this.#routes.delete(prefixKey(change.route.destination));
    else if (change.kind === 'set-neighbor') this.#neighbors.delete(neighborKey(change.neighbor));
  }

  #device(index: number): { name: string; isBridge: boolean } {
    const link = this.#netlink.linkByIndex(index);
    return { name: link?.name ?? `#${index}`, isBridge: link?.kind === 'bridge' };
  }
}
