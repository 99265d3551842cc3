import { Errno, SyscallError } from '../errno.ts';
import {
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV4_ROUTE,
  RTMGRP_IPV6_IFADDR,
  RTMGRP_IPV6_ROUTE,
  RTMGRP_LINK,
  RTMGRP_NEIGH,
} from './abi.ts';
import { type Address, parseAddress } from './address.ts';
import { type Link, parseLink } from './link.ts';
import type { NetlinkMessage } from './message.ts';
import { type Neighbor, parseNeighbor } from './neighbor.ts';
import { isCachedRoute, parseRoute, type Route } from './route.ts';
import { NetlinkSocket } from './socket.ts';

/** Something changed in the kernel. `set` is both "new" and "changed": rtnetlink does not distinguish them. */
export type NetlinkEvent =
  | { readonly kind: 'link'; readonly change: 'set' | 'removed'; readonly link: Link }
  | { readonly kind: 'address'; readonly change: 'set' | 'removed'; readonly address: Address }
  | { readonly kind: 'route'; readonly change: 'set' | 'removed'; readonly route: Route }
  | { readonly kind: 'neighbor'; readonly change: 'set' | 'removed'; readonly neighbor: Neighbor };

const GROUPS = {
  link: RTMGRP_LINK,
  address: RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
  route: RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
  neighbor: RTMGRP_NEIGH,
} as const;

/** Our choice: holds some thousand events, so that only a real flood overruns it. */
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Our choice: one call ends even when events come as fast as they are read. */
const MAX_DATAGRAMS_PER_DRAIN = 10_000;

export interface MonitorOptions {
  /** What to subscribe to. Default: links, addresses and routes; neighbours come and go all the time. */
  readonly kinds?: readonly NetlinkEvent['kind'][];
  /** Default 1 MiB. */
  readonly receiveBufferBytes?: number;
}

/** A subscription to changes of links, addresses, routes and neighbours. `fd` is readable when there is something to drain. */
export class NetlinkMonitor {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  static open(options: MonitorOptions = {}): NetlinkMonitor {
    let groups = 0;
    for (const kind of options.kinds ?? ['link', 'address', 'route']) groups |= GROUPS[kind];
    const receiveBufferBytes = options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES;
    return new NetlinkMonitor(NetlinkSocket.open({ groups, receiveBufferBytes, nonBlocking: true }));
  }

  get fd(): number {
    return this.#socket.fd;
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * The events since the last call, oldest first; never waits.
   *
   * 'overrun' means that the kernel had to drop events: the owner reads the whole state anew. The queue is empty then,
   * so what is read afterwards together with the next events is complete.
   */
  drain(): NetlinkEvent[] | 'overrun' {
    const events: NetlinkEvent[] = [];
    let overrun = false;
    for (let datagrams = 0; datagrams < MAX_DATAGRAMS_PER_DRAIN; datagrams++) {
      const messages = this.#receive();
      if (messages === undefined) break;
      // After an overrun the kernel sends nothing until the queue has been emptied: read on, throw away.
      if (messages === 'overrun') overrun = true;
      else if (!overrun) for (const message of messages) pushEvent(events, message);
    }
    return overrun ? 'overrun' : events;
  }

  #receive(): NetlinkMessage[] | 'overrun' | undefined {
    try {
      return this.#socket.receive();
    } catch (error) {
      if (error instanceof SyscallError && error.errno === Errno.ENOBUFS) return 'overrun';
      throw error;
    }
  }
}

function pushEvent(events: NetlinkEvent[], { type, payload }: NetlinkMessage): void {
  if (type === RTM_NEWLINK || type === RTM_DELLINK) {
    events.push({ kind: 'link', change: type === RTM_NEWLINK ? 'set' : 'removed', link: parseLink(payload) });
  } else if (type === RTM_NEWADDR || type === RTM_DELADDR) {
    const address = parseAddress(payload);
    if (address !== undefined)
      events.push({ kind: 'address', change: type === RTM_NEWADDR ? 'set' : 'removed', address });
  } else if ((type === RTM_NEWROUTE || type === RTM_DELROUTE) && !isCachedRoute(payload)) {
    const route = parseRoute(payload);
    if (route !== undefined) events.push({ kind: 'route', change: type === RTM_NEWROUTE ? 'set' : 'removed', route });
  } else if (type === RTM_NEWNEIGH || type === RTM_DELNEIGH) {
    const neighbor = parseNeighbor(payload);
    if (neighbor !== undefined)
      events.push({ kind: 'neighbor', change: type === RTM_NEWNEIGH ? 'set' : 'removed', neighbor });
  }
}
