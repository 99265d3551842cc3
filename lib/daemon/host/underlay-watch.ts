/**
 * Whether this host still has what a network's external interface was chosen for: the link, its carrier, its addresses; and
 * routes to the peers.
 *
 *   netlink event, or every 10 s ── look ── missing, down ──────────────> a fault
 *                                       └── another choice since then ──> onMoved
 */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { ExternalInterface } from '../../backend/backend.ts';
import { messageOf } from '../../error.ts';
import type { Fault, FaultSink } from '../../faults.ts';
import type { Log } from '../../log.ts';
import { IFF_LOWER_UP } from '../../sys/netlink/abi.ts';
import { NetlinkMonitor } from '../../sys/netlink/monitor.ts';
import { type Link, RouteNetlink } from '../../sys/netlink/rtnetlink.ts';
import { peerRouteFaults } from './peer-routes.ts';

export interface UnderlayWatchOptions {
  readonly external: ExternalInterface;
  /** Whether outer packets, or next hops, are IPv6 too. */
  readonly usesIpv6: boolean;
  /** Chooses again, from what the host has now. Throws WeftError when nothing fits. */
  readonly choose: () => ExternalInterface;
  /** Underlay addresses of the peers that packets are sent to. */
  readonly peers: () => readonly IpAddress[];
  /** Undefined where packets to peers do not go through a device of their own. */
  readonly overlayDevice: string | undefined;
  readonly faults: FaultSink;
  readonly log: Log;
  /** The host has another external interface or address, and keeps it: sockets, lease and routes are for the old one. */
  readonly onMoved: (reason: string) => void;
}

/** Our choice: an address that comes back within this was only being configured. */
const GRACE_MS = 1000;
/** Our choice: events are looked for this often; an idle look is one system call. */
const TICK_MS = 1000;
/** Events can be lost: looked at without one too. */
const TICKS_WITHOUT_EVENT = 10;
const PART = 'underlay';

export class UnderlayWatch {
  readonly #options: UnderlayWatchOptions;
  readonly #netlink: RouteNetlink;
  readonly #monitor: NetlinkMonitor;
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  /** The other choice that the last look found. */
  #moved: string | undefined;
  #blind = false;

  /** Looks at once, and until `close`. Throws SyscallError, NetlinkError. */
  constructor(options: UnderlayWatchOptions) {
    this.#options = options;
    this.#netlink = RouteNetlink.open();
    try {
      this.#monitor = NetlinkMonitor.open({ kinds: ['link', 'address'] });
    } catch (error) {
      this.#netlink.close();
      throw error;
    }
    this.#look();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#monitor.close();
    this.#netlink.close();
    this.#options.faults.report(PART, []);
  }

  #tick(): void {
    this.#ticks++;
    try {
      const heard = this.#monitor.drain().length > 0;
      if (heard || this.#moved !== undefined || this.#ticks % TICKS_WITHOUT_EVENT === 0) this.#look();
      this.#blind = false;
    } catch (error) {
      const { log, external } = this.#options;
      if (!this.#blind) log.warn({ interface: external.name, error: messageOf(error) }, 'Cannot look at the underlay');
      this.#blind = true;
    }
  }

  #look(): void {
    const { faults, onMoved } = this.#options;
    const link = this.#netlink.linkByIndex(this.#options.external.index);
    const missing = this.#missingAddresses();
    const found = [...this.#linkFaults(link), ...missing.map((address) => this.#missing(address))];
    const broken = found.map((text): Fault => ({ text, blocks: true, graceMs: GRACE_MS }));
    // Without its link or address nothing leads anywhere, and that has been said.
    faults.report(PART, broken.length > 0 ? broken : this.#routeFaults());
    const isOther = link === undefined || missing.length > 0 || this.#isRenamed(link);
    const moved = isOther ? this.#otherChoice() : undefined;
    // Not while addresses are being changed: it has to stand until the next look.
    const stands = moved !== undefined && moved === this.#moved;
    this.#moved = moved;
    if (stands) onMoved(moved);
  }

  #routeFaults(): Fault[] {
    const { peers, overlayDevice } = this.#options;
    return peerRouteFaults(this.#netlink, peers(), overlayDevice).map((fault) => ({ ...fault, graceMs: GRACE_MS }));
  }

  #linkFaults(link: Link | undefined): string[] {
    const name = `External interface "${this.#options.external.name}"`;
    if (link === undefined) return [`${name} is gone`];
    if (this.#isRenamed(link))
      return [`${name} is called "${link.name}" now, and our routes lead to a name: give it back`];
    if (!link.up) return [`${name} is down; ip link set ${link.name} up`];
    if ((link.flags & IFF_LOWER_UP) === 0) return [`${name} has no carrier; look at its cable or its other end`];
    return [];
  }

  /** It matters where routes to peers lead through it: they are kept by name. */
  #isRenamed({ name }: Link): boolean {
    const { external, overlayDevice } = this.#options;
    return overlayDevice === undefined && name !== external.name;
  }

  /** On any interface: with --iface-can-reach the source address may be the loopback device's. */
  #missingAddresses(): IpAddress[] {
    const { external, usesIpv6 } = this.#options;
    const wanted = [external.ipv4, ...(usesIpv6 && external.ipv6 !== undefined ? [external.ipv6] : [])];
    const present = new Set(this.#netlink.addresses().map(({ address }) => address));
    return wanted.filter((address) => !present.has(address));
  }

  #missing(address: IpAddress): string {
    return `External interface "${this.#options.external.name}" no longer has ${formatIp(address)}, which our packets come from; give it back, or this node another one`;
  }

  /** In words; undefined while nothing fits, or it is the same. */
  #otherChoice(): string | undefined {
    const { external, usesIpv6, choose } = this.#options;
    let now: ExternalInterface;
    try {
      now = choose();
    } catch {
      return undefined;
    }
    const sameLink = now.index === external.index && now.name === external.name;
    const same = sameLink && now.ipv4 === external.ipv4 && (!usesIpv6 || now.ipv6 === external.ipv6);
    const address6 = usesIpv6 && now.ipv6 !== undefined ? ` and ${formatIp(now.ipv6)}` : '';
    return same ? undefined : `the external address is ${formatIp(now.ipv4)}${address6} on ${now.name} now`;
  }
}
