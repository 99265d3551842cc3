/**
 * flannel's `host-gw` backend: each host is the gateway to its own subnet. The kernel carries the packets; there is no
 * device and no header, and all hosts have to be on one link.
 *
 *   pod ── cni0 ── route <peer's subnet> via <peer's PublicIP> dev <external interface> ── peer ── cni0 ── pod
 */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { formatIpv4 } from '../addr/ipv4.ts';
import { isLinkLocal6 } from '../addr/ipv6.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import { noStats } from '../dataplane/add-stats.ts';
import type { FdbEntry, NeighborEntry } from '../dataplane/segment.ts';
import type { DataplaneStats, OffloadStatus } from '../dataplane/stats.ts';
import { WeftError } from '../error.ts';
import type { Lease, LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import { isOnLink } from '../router/on-link.ts';
import { type DesiredRoute, Router } from '../router/router.ts';
import { RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import type { Backend, BackendOptions, BackendRoute, ExternalInterface, PeerWay, RefusedLease } from './backend.ts';
import { Holders } from './holders.ts';
import { logRefusals, ownPlace, ownPlace6, sortLeases, whyNot6 } from './peer-leases.ts';
import { routerOptions } from './router-options.ts';

const TYPE = 'host-gw';
const PART = 'link';
/** Our choice: an address that comes back within this was only being configured. */
const GRACE_MS = 1000;

/**
 * What our node writes into its lease (flannel pkg/backend/hostgw). Throws WeftError PUBLIC_IP_NOT_LOCAL, here and not only at
 * the start: no lease may carry an address that is another host's.
 */
export function hostGwLeaseAttrs(external: ExternalInterface, config: NetworkConfig): LeaseAttrs {
  checkPublicAddresses(external, config);
  return {
    publicIp: external.publicIp,
    publicIpv6: config.enableIpv6 ? external.publicIpv6 : undefined,
    backendType: TYPE,
    backendData: undefined,
    backendV6Data: undefined,
  };
}

/** Throws WeftError PUBLIC_IP_NOT_LOCAL or UNSUPPORTED_BACKEND, or what the kernel refuses. */
export async function startHostGwBackend(options: BackendOptions): Promise<Backend> {
  const { netns, external, config } = options;
  if (netns !== undefined)
    throw new WeftError('UNSUPPORTED_BACKEND', `Backend type "${TYPE}" cannot work in network namespace "${netns}"`, {
      hint: 'its routes lead through the external interface, which is not in there: use vxlan for this network',
    });
  checkPublicAddresses(external, config);
  const netlink = RouteNetlink.open();
  try {
    return new HostGwBackend(netlink, options);
  } catch (error) {
    netlink.close();
    throw error;
  }
}

/**
 * Peers send to PublicIP as their gateway, which behind NAT is another host. flannel refuses too (pkg/backend/hostgw).
 * Throws WeftError PUBLIC_IP_NOT_LOCAL.
 */
function checkPublicAddresses(external: ExternalInterface, { enableIpv6 }: NetworkConfig): void {
  const netlink = RouteNetlink.open();
  const own = netlink.addresses().filter(({ interfaceIndex }) => interfaceIndex === external.index);
  netlink.close();
  const check = (name: string, address: IpAddress): void => {
    if (own.some((other) => other.address === address)) return;
    throw new WeftError('PUBLIC_IP_NOT_LOCAL', `${name} ${formatIp(address)} is no address of ${external.name}`, {
      hint: `${TYPE} needs all hosts on one link and cannot cross NAT: choose another -iface, or another backend`,
    });
  };
  check('PublicIP', external.publicIp);
  if (enableIpv6 && external.publicIpv6 !== undefined) check('PublicIPv6', external.publicIpv6);
}

class HostGwBackend implements Backend {
  readonly type = TYPE;
  readonly deviceName: string;
  readonly overlayMtu: number;
  readonly port = undefined;
  onPathHint: Backend['onPathHint'];
  readonly #options: BackendOptions;
  readonly #netlink: RouteNetlink;
  readonly #router: Router;
  #leases: readonly Lease[] = [];
  #routes: readonly DesiredRoute[] = [];
  #refused: readonly RefusedLease[] = [];

  constructor(netlink: RouteNetlink, options: BackendOptions) {
    const { external } = options;
    this.#options = options;
    this.#netlink = netlink;
    this.deviceName = external.name;
    this.overlayMtu = external.mtu;
    const underlay = { device: external.name, onChange: () => this.#apply() };
    this.#router = new Router({ ...routerOptions(options), underlay });
  }

  setLeases(leases: readonly Lease[]): void {
    this.#leases = leases;
    this.#apply();
  }

  /** Also after the external interface came back or got another address: who is on its link is asked anew. */
  #apply(): void {
    const { external, log } = this.#options;
    const link = this.#netlink.linkByName(external.name);
    if (link?.up === true) {
      const { usable, refused } = sortLeases(this.#leases, ownPlace(this.#options, TYPE));
      const { routes, unreachable } = this.#toRoutes(usable, link.index);
      this.#routes = routes;
      const all = [...refused, ...unreachable];
      logRefusals(log, this.#refused, all);
      this.#refused = all;
      this.#reportLink(usable);
    }
    // Without the interface nobody is on its link, but that says nothing about the leases: routes wait for it.
    void this.#router.apply({ neighbors: [], routes: this.#routes });
  }

  /** One peer that is elsewhere is refused; when all are, it is this host's link that is wrong. */
  #reportLink([first]: readonly Lease[]): void {
    const { faults } = this.#options;
    if (first === undefined || this.#routes.length > 0) {
      faults.report(PART, []);
      return;
    }
    const text =
      `No peer is on the link of ${this.deviceName}, where ${TYPE} needs them: see ip route get ` +
      `${formatIpv4(first.attrs.publicIp)}; where the host's address is on another interface, such as a bridge, give -iface`;
    faults.report(PART, [{ text, blocks: true, graceMs: GRACE_MS }]);
  }

  #toRoutes(leases: readonly Lease[], index: number): { routes: DesiredRoute[]; unreachable: RefusedLease[] } {
    const routes: DesiredRoute[] = [];
    const unreachable: RefusedLease[] = [];
    const holders = new Holders();
    for (const lease of leases) {
      const { subnets, attrs } = lease;
      const add = (subnet: Prefix, gateway: IpAddress | undefined, problem: string | undefined): void => {
        const reason = problem ?? this.#notOnLink(gateway!, index) ?? holders.claim(subnet, gateway!);
        if (reason === undefined) routes.push({ destination: subnet, device: this.deviceName, gateway, onlink: false });
        else unreachable.push({ subnet: formatPrefix(subnet), publicIp: formatIpv4(attrs.publicIp), reason });
      };
      add(subnets.ipv4, attrs.publicIp, undefined);
      if (subnets.ipv6 !== undefined) add(subnets.ipv6, attrs.publicIpv6, this.#whyNot6(lease));
    }
    return { routes, unreachable };
  }

  #notOnLink(gateway: IpAddress, index: number): string | undefined {
    if (isOnLink(this.#netlink, gateway, index)) return undefined;
    return `${formatIp(gateway)} is not on the link of ${this.deviceName}, where ${TYPE} needs it`;
  }

  /** A link-local gateway is as good as any here. */
  #whyNot6(lease: Lease): string | undefined {
    const { publicIpv6 } = lease.attrs;
    const place = ownPlace6(this.#options);
    if (place === undefined || (publicIpv6 !== undefined && isLinkLocal6(publicIpv6))) return undefined;
    return whyNot6(lease, place);
  }

  refusedLeases(): readonly RefusedLease[] {
    return this.#refused;
  }

  offloads(): readonly OffloadStatus[] {
    return [];
  }

  stats(): DataplaneStats {
    return noStats();
  }

  routes(): readonly BackendRoute[] {
    return this.#routes.map(({ destination, device, gateway }) => ({
      prefix: formatPrefix(destination),
      via: formatIp(gateway!),
      device,
    }));
  }

  ways(): readonly PeerWay[] {
    return [];
  }

  fdb(): readonly FdbEntry[] {
    return [];
  }

  neighbors(): Promise<readonly NeighborEntry[]> {
    return Promise.resolve([]);
  }

  /** The routes stay (docs/adr/0012): they carry packets without us. */
  async stop(): Promise<void> {
    await this.#router.close();
    this.#options.faults.report(PART, []);
    this.#netlink.close();
  }
}
