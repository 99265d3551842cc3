/**
 * IP-in-UDP, flannel's `udp` backend: the UDP payload is the inner IP packet and nothing else (flannel pkg/backend/udp).
 *
 *   TUN flannel0, <subnet base>/32, route <Network> ── worker ── UDP <external address>:<Port> ── peer's <PublicIP>:<Port>
 */
import { release } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { formatPrefix } from '../addr/prefix.ts';
import { addStats, noStats } from '../dataplane/add-stats.ts';
import { Dataplane } from '../dataplane/client.ts';
import type { FdbEntry, NeighborEntry, Segment, SegmentPeer } from '../dataplane/segment.ts';
import type { DataplaneStats, OffloadStatus } from '../dataplane/stats.ts';
import { formatUnderlay } from '../dataplane/tables.ts';
import { messageOf, WeftError } from '../error.ts';
import type { Lease } from '../lease/lease.ts';
import { closeFd } from '../sys/descriptor.ts';
import { RouteNetlink, RouteScope } from '../sys/netlink/rtnetlink.ts';
import { writeInterfaceSysctl } from '../sys/sysctl.ts';
import { openTun } from '../sys/tun.ts';
import { openUdpSocket, socketAddress } from '../sys/udp-socket.ts';
import type { Backend, BackendOptions, BackendRoute } from './backend.ts';
import { Offloads } from './offload.ts';
import { integerOption } from './option.ts';
import { groupByPublicIp, type RefusedLease, sortLeases } from './peer-leases.ts';

const DEVICE = 'flannel0';
const DEFAULT_PORT = 8285;
const PORTS = { min: 1, max: 65535 };
/** Outer IPv4 20 + outer UDP 8. */
const OVERHEAD = 20 + 8;
/** Our choice; flannel leaves the kernel's 500, which bursts of small packets overrun. */
const TX_QUEUE_LENGTH = 1000;
/** Our choice: 8 MiB hold what a 10 Gb/s underlay brings in 6 ms. */
const SOCKET_BUFFER = 8 << 20;
/** Waits between attempts to rebuild a lost device. */
const REBUILD_DELAYS_MS = [0, 100, 500, 1000, 2000, 5000];

/** The parts that exist together: they are opened, lost and closed as one. */
interface Engine {
  readonly tunFd: number;
  readonly socketFd: number;
  readonly dataplane: Dataplane;
  readonly segment: Segment;
  readonly offloads: Offloads;
}

/** Creates the device, its address and route, the socket and the data-plane thread. Codes: see openTun, openUdpSocket. */
export async function startUdpBackend(options: BackendOptions): Promise<Backend> {
  const backend = new UdpBackend(options, integerOption(options.config.backend, 'Port', PORTS) ?? DEFAULT_PORT);
  await backend.open();
  return backend;
}

class UdpBackend implements Backend {
  readonly type = 'udp';
  readonly deviceName = DEVICE;
  readonly overlayMtu: number;
  readonly port: number;
  readonly #options: BackendOptions;
  #engine: Engine | undefined;
  #routes: SegmentPeer[] = [];
  #refused: readonly RefusedLease[] = [];
  readonly #stop = new AbortController();
  #rebuilding: Promise<void> | undefined;
  /** Counters of engines that were lost, so that totals never go back. */
  #before: DataplaneStats | undefined;

  constructor(options: BackendOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.overlayMtu = options.external.mtu - OVERHEAD;
  }

  async open(): Promise<void> {
    const { offload, external, own, log, sourceCheck } = this.#options;
    const offloads = new Offloads(offload, release());
    const socketFd = openUdpSocket(external.ipv4, this.port, SOCKET_BUFFER);
    let tunFd: number | undefined;
    try {
      offloads.negotiateSocket(socketFd);
      tunFd = openTun(DEVICE, offloads.wantsVnetHeader).fd;
      offloads.negotiateTun(tunFd);
      this.#configureDevice();
      offloads.probeTun(tunFd);
      const socket = { fd: socketFd, family: 4 } as const;
      const dataplane = await Dataplane.start({
        encapsulation: 'ip-in-udp',
        receive: [socket],
        send: [socket],
        maxSegments: offloads.maxSegments,
        batching: offloads.batching,
        sourceCheck,
        tos: this.#options.tos,
        onOffloadRefused: (name, reason) => {
          offloads.refuse(name, reason);
          log.warn({ offload: name, reason }, 'An offload was refused in operation; no packet was lost for it');
        },
        onPriorityRefused: (reason) =>
          log.info({ reason }, 'The data-plane thread keeps the normal priority; CAP_SYS_NICE would let it go first'),
        onEnded: (reason) => this.#lost(reason),
      });
      const segment = dataplane.addSegment({
        own,
        tunnel4: own.ipv4.address,
        tunnel6: own.ipv6?.address,
        ethernet: undefined,
        onDeviceLost: (reason) => this.#lost(reason),
      });
      segment.setDevice({
        fd: tunFd,
        vnetHeader: offloads.wantsVnetHeader,
        mtu: this.overlayMtu,
        tunGro: offloads.isActive('tun-gro'),
        tunUso: offloads.isActive('tun-uso'),
      });
      this.#engine = { tunFd, socketFd, dataplane, segment, offloads };
    } catch (error) {
      if (tunFd !== undefined) closeFd(tunFd, `TUN device "${DEVICE}"`);
      closeFd(socketFd, 'UDP socket');
      throw error;
    }
    if (this.#routes.length > 0) this.#applyRoutes();
  }

  /** Address <subnet base>/32, MTU, up, and one route for the whole network, as flanneld leaves them. */
  #configureDevice(): void {
    const { config, own } = this.#options;
    const netlink = RouteNetlink.open();
    try {
      const link = netlink.linkByName(DEVICE);
      if (link === undefined) throw new WeftError('DEVICE_LOST', `Device "${DEVICE}" vanished while it was set up`);
      netlink.setLinkMtu(link.index, this.overlayMtu);
      netlink.setTxQueueLength(link.index, TX_QUEUE_LENGTH);
      // ICMP errors come from the device's own address, which the kernel takes for a forgery otherwise.
      writeInterfaceSysctl('ipv4', DEVICE, 'accept_local', '1');
      netlink.addAddress(link.index, { address: own.ipv4.address, length: 32 });
      netlink.setLinkUp(link.index);
      // Scope universe, though no gateway is named: what flanneld leaves.
      const scope = RouteScope.universe;
      netlink.addRoute({ destination: config.network, interfaceIndex: link.index, scope }, { replace: true });
      if (own.ipv6 !== undefined && config.ipv6 !== undefined) {
        netlink.addAddress(link.index, { address: own.ipv6.address, length: 128 });
        netlink.addRoute({ destination: config.ipv6.network, interfaceIndex: link.index }, { replace: true });
      }
    } finally {
      netlink.close();
    }
  }

  setLeases(leases: readonly Lease[]): void {
    const { config, external, own, log } = this.#options;
    const { usable, refused } = sortLeases(leases, {
      backendType: '',
      own,
      network: config.network,
      ipv6Network: config.ipv6?.network,
      addresses: [external.ipv4, external.publicIp],
    });
    for (const lease of refused) {
      const known = this.#refused.some((other) => other.subnet === lease.subnet && other.reason === lease.reason);
      if (!known) log.warn(lease, 'A lease is not used');
    }
    this.#refused = refused;
    this.#routes = groupByPublicIp(usable).map(({ publicIp, prefixes }) => ({
      address: publicIp,
      socketAddress: socketAddress(publicIp, this.port),
      prefixes,
      vtep: undefined,
    }));
    this.#applyRoutes();
  }

  refusedLeases(): readonly RefusedLease[] {
    return this.#refused;
  }

  #applyRoutes(): void {
    void this.#engine?.segment.setPeers(this.#routes).then((prefixes) => {
      if (prefixes.length === 0) return;
      const text = prefixes.slice(0, 5).map(formatPrefix);
      this.#options.log.error({ count: prefixes.length, first: text }, 'The FIB is full; routes were left out');
    });
  }

  /** The device was deleted under us: build everything again, with growing pauses. */
  #lost(reason: string): void {
    const { log } = this.#options;
    const engine = this.#engine;
    if (this.#stop.signal.aborted || engine === undefined) return;
    log.warn({ device: DEVICE, reason }, 'The device is gone; building it again');
    this.#before = this.stats();
    this.#engine = undefined;
    closeFd(engine.tunFd, `TUN device "${DEVICE}"`);
    this.#rebuilding = engine.dataplane.stop().then(() => {
      closeFd(engine.socketFd, 'UDP socket');
      return this.#rebuild();
    });
  }

  async #rebuild(): Promise<void> {
    const { log } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const delay = REBUILD_DELAYS_MS[Math.min(attempt, REBUILD_DELAYS_MS.length - 1)]!;
      await setTimeout(delay, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      try {
        await this.open();
        log.info({ device: DEVICE, attempt: attempt + 1 }, 'The device is back');
        return;
      } catch (error) {
        log.error({ device: DEVICE, error: messageOf(error) }, 'Cannot build the device; trying again');
      }
    }
  }

  offloads(): readonly OffloadStatus[] {
    return this.#engine?.offloads.list() ?? [];
  }

  stats(): DataplaneStats {
    const now = this.#engine?.segment.stats();
    if (now === undefined) return this.#before ?? noStats();
    return this.#before === undefined ? now : addStats(this.#before, now);
  }

  routes(): readonly BackendRoute[] {
    return this.#routes.flatMap(({ address, prefixes }) =>
      prefixes.map((prefix) => ({ prefix: formatPrefix(prefix), via: formatUnderlay(address), device: DEVICE })),
    );
  }

  fdb(): readonly FdbEntry[] {
    return [];
  }

  neighbors(): Promise<readonly NeighborEntry[]> {
    return Promise.resolve([]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#rebuilding;
    const engine = this.#engine;
    this.#engine = undefined;
    if (engine === undefined) return;
    await engine.dataplane.stop();
    const last = engine.segment.stats();
    this.#before = this.#before === undefined ? last : addStats(this.#before, last);
    // The device goes with its descriptor, its address and routes with the device.
    closeFd(engine.tunFd, `TUN device "${DEVICE}"`);
    closeFd(engine.socketFd, 'UDP socket');
  }
}
