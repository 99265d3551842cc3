/**
 * How long packets to each peer may be: what the administrator gave the route there (`ip route ... mtu`), and what probing has
 * found, whichever is less. What ICMP errors have taught the kernel is not looked at: anybody may have sent them.
 */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import type { SegmentProbes } from '../dataplane/segment.ts';
import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { NetlinkMonitor } from '../sys/netlink/monitor.ts';
import { isNoRoute, RouteNetlink } from '../sys/netlink/rtnetlink.ts';

/** Our choice: routes are looked at this soon after somebody changed one; an idle look is one system call. */
const TICK_MS = 1000;

interface Limit {
  readonly segment: SegmentProbes;
  route: number | undefined;
  found: number | undefined;
}

export class PathLimits {
  readonly #log: Log;
  readonly #netlink: RouteNetlink;
  readonly #monitor: NetlinkMonitor;
  readonly #timer: NodeJS.Timeout;
  readonly #limits = new Map<IpAddress, Limit>();
  #blind = false;

  /** Throws SyscallError. */
  constructor(log: Log) {
    this.#log = log;
    this.#netlink = RouteNetlink.open();
    try {
      this.#monitor = NetlinkMonitor.open({ kinds: ['route'] });
    } catch (error) {
      this.#netlink.close();
      throw error;
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#monitor.close();
    this.#netlink.close();
  }

  /** The peers that there are now, by their underlay addresses, and the segment of each. */
  keep(peers: ReadonlyMap<IpAddress, SegmentProbes>): void {
    for (const [peer, limit] of this.#limits) {
      if (peers.get(peer) === limit.segment) continue;
      limit.segment.limitPath(peer, undefined);
      this.#limits.delete(peer);
    }
    for (const [peer, segment] of peers) {
      if (this.#limits.has(peer)) continue;
      const limit: Limit = { segment, route: undefined, found: undefined };
      this.#limits.set(peer, limit);
      this.#ask(peer, limit);
    }
  }

  /** What the path to a peer takes, as probing has found; undefined: nothing narrower than our interface. */
  set(peer: IpAddress, mtu: number | undefined): void {
    const limit = this.#limits.get(peer);
    if (limit === undefined || limit.found === mtu) return;
    limit.found = mtu;
    apply(peer, limit);
  }

  #tick(): void {
    try {
      if (this.#monitor.drain().length === 0) return;
    } catch (error) {
      this.#warn(error);
      return;
    }
    for (const [peer, limit] of this.#limits) this.#ask(peer, limit);
  }

  #ask(peer: IpAddress, limit: Limit): void {
    try {
      const mtu = this.#netlink.routeMtu(peer);
      this.#blind = false;
      if (mtu === limit.route) return;
      limit.route = mtu;
      apply(peer, limit);
    } catch (error) {
      if (!isNoRoute(error)) this.#warn(error, peer);
    }
  }

  #warn(error: unknown, peer?: IpAddress): void {
    if (this.#blind) return;
    this.#blind = true;
    const fields = peer === undefined ? {} : { peer: formatIp(peer) };
    this.#log.warn({ ...fields, error: messageOf(error) }, 'Cannot find out which MTU routes to peers have');
  }
}

function apply(peer: IpAddress, { segment, route, found }: Limit): void {
  const known = [route, found].filter((mtu) => mtu !== undefined);
  const least = known.length === 0 ? undefined : Math.min(...known);
  const largestPath = segment.largestPath();
  const isNarrower = least !== undefined && (largestPath === undefined || least < largestPath);
  segment.limitPath(peer, isNarrower ? least : undefined);
}
