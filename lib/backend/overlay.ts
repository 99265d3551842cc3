/**
 * A backend with a data plane, once its devices and engines run: leases become peers of the segments, and neighbours and
 * routes of the kernel, in flannel's order. What a usable lease means is the `plan` of each backend.
 */
import { formatIp } from '../addr/ip.ts';
import { addStats } from '../dataplane/add-stats.ts';
import type { FdbEntry, NeighborEntry, SegmentPeer } from '../dataplane/segment.ts';
import type { DataplaneStats, OffloadStatus } from '../dataplane/stats.ts';
import type { EdgeDevice } from '../engine/edge-device.ts';
import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../error.ts';
import type { Lease } from '../lease/lease.ts';
import type { Log } from '../log.ts';
import { prefixKey } from '../router/diff.ts';
import type { DirectLink } from '../router/on-link.ts';
import { type DesiredRoute, type DesiredState, Router } from '../router/router.ts';
import type { Undo } from '../undo.ts';
import type { Backend, BackendOptions, BackendRoute, PeerWay, RefusedLease } from './backend.ts';
import { PathLimits } from './path-limits.ts';
import { logRefusals, type OwnPlace, ownPlace, sortLeases } from './peer-leases.ts';
import { routerOptions } from './router-options.ts';

/** What the leases ask for. */
export interface OverlayPlan {
  /** Of each device, in the order of `OverlayParts.devices`. */
  readonly peers: readonly (readonly SegmentPeer[])[];
  readonly kernel: DesiredState;
  readonly routes: readonly BackendRoute[];
  /** Usable leases that are of no use to this backend after all. */
  readonly refused: readonly RefusedLease[];
}

export interface OverlayParts {
  readonly type: string;
  /** BackendType of its leases. */
  readonly leaseType: string;
  /** The first is the one to name. */
  readonly devices: readonly EdgeDevice[];
  readonly engines: readonly Engine[];
  readonly overlayMtu: number;
  readonly port: number | undefined;
  readonly vteps?: Backend['vteps'];
  /** Peers on it need no encapsulation; undefined without DirectRouting. */
  readonly link: DirectLink | undefined;
  /** How to give back everything, devices first. */
  readonly undo: Undo;
  /** `usable`: what sortLeases says. */
  plan(usable: readonly Lease[]): OverlayPlan;
}

export class OverlayBackend implements Backend {
  readonly #parts: OverlayParts;
  readonly #log: Log;
  readonly #place: OwnPlace;
  readonly #router: Router;
  #leases: readonly Lease[] = [];
  #plan: OverlayPlan = { peers: [], kernel: { neighbors: [], routes: [] }, routes: [], refused: [] };
  /** What segments and kernel have. */
  #applied: OverlayPlan = this.#plan;
  #applying: Promise<void> | undefined;
  readonly #limits: PathLimits;
  #ways: readonly PeerWay[] = [];
  /** The plan that `#ways` are of. */
  #waysOf: OverlayPlan | undefined;
  onPathHint: Backend['onPathHint'];
  #stopped = false;

  /** Throws what Router throws. */
  constructor(options: BackendOptions, parts: OverlayParts) {
    const { external, log } = options;
    const underlay = { device: external.name, onChange: () => this.#replan() };
    this.#parts = parts;
    this.#log = log;
    this.#place = ownPlace(options, parts.leaseType);
    this.#router = new Router({ ...routerOptions(options), ...(parts.link === undefined ? {} : { underlay }) });
    this.#limits = new PathLimits(log);
    parts.undo.add('path limits', () => this.#limits.close());
    // Before the devices go, which it would take for somebody's doing.
    parts.undo.add('neighbours and routes', () => this.#router.close());
  }

  get type(): string {
    return this.#parts.type;
  }

  get deviceName(): string {
    return this.#parts.devices[0]!.name;
  }

  get overlayMtu(): number {
    return this.#parts.overlayMtu;
  }

  get port(): number | undefined {
    return this.#parts.port;
  }

  get vteps(): Backend['vteps'] {
    return this.#parts.vteps;
  }

  /** Applies what there is without any lease, such as the route of the whole network. */
  async prepare(): Promise<void> {
    this.#replan();
    await this.#applying;
  }

  setLeases(leases: readonly Lease[]): void {
    this.#leases = leases;
    this.#replan();
  }

  /** A device is there again; neighbours and routes through it may be gone. */
  restore(): Promise<void> {
    return this.#router.reconcile();
  }

  /** Also when the underlay changed, and so perhaps what the leases mean. */
  #replan(): void {
    if (this.#stopped) return;
    const { usable, refused } = sortLeases(this.#leases, this.#place);
    const plan = this.#parts.plan(usable);
    const all = [...refused, ...plan.refused];
    logRefusals(this.#log, this.#plan.refused, all);
    this.#plan = { ...plan, refused: all };
    const ways = plan.peers.flatMap((peers, i) =>
      peers.map(({ address }) => [address, this.#parts.devices[i]!.segment] as const),
    );
    this.#limits.keep(new Map(ways));
    this.#applying ??= this.#applyAll().finally(() => {
      this.#applying = undefined;
    });
  }

  /** Of plans that come while one is at work only the last counts. */
  async #applyAll(): Promise<void> {
    while (!this.#stopped && this.#applied !== this.#plan) {
      const plan = this.#plan;
      try {
        await this.#apply(this.#applied, plan);
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'Applying the leases failed');
      }
      this.#applied = plan;
    }
  }

  /**
   * Per peer: neighbour, FDB, route; what is not wanted any more goes in reverse. So no packet is routed to a device whose
   * segment does not know the peer. Routes past the devices need no segment and never wait.
   */
  async #apply(before: OverlayPlan, plan: OverlayPlan): Promise<void> {
    const { devices } = this.#parts;
    const ours = new Set(devices.map(({ name }) => name));
    const applied = new Map(before.kernel.routes.map((route) => [prefixKey(route.destination), route]));
    const ready = plan.kernel.routes.filter(
      (route) => !ours.has(route.device) || isSameRoute(applied.get(prefixKey(route.destination)), route),
    );
    const wanted = new Set(plan.kernel.neighbors.map(({ device, address }) => `${device} ${address}`));
    const leaving = before.kernel.neighbors.filter(({ device, address }) => !wanted.has(`${device} ${address}`));
    await this.#router.apply({ ...plan.kernel, neighbors: [...plan.kernel.neighbors, ...leaving], routes: ready });
    await Promise.all(devices.map((device, i) => device.forwardTo(plan.peers[i] ?? [])));
    await this.#router.apply(plan.kernel);
  }

  refusedLeases(): readonly RefusedLease[] {
    return this.#plan.refused;
  }

  /** Those of all engines together: in use only where every engine uses it. */
  offloads(): readonly OffloadStatus[] {
    const [first = [], ...others] = this.#parts.engines.map(({ offloads }) => offloads.list());
    return first.map((status, i) => others.map((list) => list[i]!).find(({ active }) => !active) ?? status);
  }

  stats(): DataplaneStats {
    return this.#parts.devices
      .map(({ segment }) => segment.stats())
      .reduce((a, b) => ({ ...addStats(a, b), peers: [...a.peers, ...b.peers] }));
  }

  routes(): readonly BackendRoute[] {
    return this.#plan.routes;
  }

  /** The same list until the plan is another. */
  ways(): readonly PeerWay[] {
    if (this.#waysOf !== this.#plan) {
      this.#waysOf = this.#plan;
      this.#ways = this.#listWays();
    }
    return this.#ways;
  }

  #listWays(): readonly PeerWay[] {
    const { devices } = this.#parts;
    const ours = new Set(devices.map(({ name }) => name));
    const direct = new Set(this.#plan.routes.filter(({ device }) => !ours.has(device)).map(({ via }) => via));
    return this.#plan.peers.flatMap((peers, i) =>
      peers.map(
        ({ address }): PeerWay => ({
          address,
          device: devices[i]!.name,
          direct: direct.has(formatIp(address)),
          probes: devices[i]!.segment,
          limit: (mtu) => this.#limits.set(address, mtu),
        }),
      ),
    );
  }

  fdb(): readonly FdbEntry[] {
    return this.#parts.devices.flatMap(({ segment }) => segment.fdb());
  }

  async neighbors(): Promise<readonly NeighborEntry[]> {
    return (await Promise.all(this.#parts.devices.map(({ segment }) => segment.neighbors()))).flat();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#applying;
    await this.#parts.undo.run(this.#log);
  }
}

function isSameRoute(a: DesiredRoute | undefined, b: DesiredRoute): boolean {
  return a !== undefined && a.device === b.device && a.gateway === b.gateway && a.onlink === b.onlink;
}
