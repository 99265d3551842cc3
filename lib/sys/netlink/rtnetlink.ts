import { formatIp, type IpAddress } from '../../addr/ip.ts';
import { formatMac, type Mac } from '../../addr/mac.ts';
import { WeftError } from '../../error.ts';
import {
  IFF_UP,
  IFNAMSIZ,
  NETNSA_FD,
  NETNSA_NSID,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RouteScope,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETNSID,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from './abi.ts';
import { type Address, addressAttributes, emitAddressBody, emptyAddressBody, parseAddress } from './address.ts';
import { NetlinkError } from './error.ts';
import {
  addressAttribute,
  emitLinkBody,
  ipv4SettingAttribute,
  type Link,
  type LinkStats,
  linkQuery,
  mtuAttribute,
  parseLink,
  parseLinkStats,
  txQueueLengthAttribute,
} from './link.ts';
import { type Attribute, parseAttributes, readU32, u32Attribute } from './message.ts';
import {
  emitNeighbor,
  emitNeighborDeletion,
  emptyNeighborBody,
  type Neighbor,
  type NeighborSpec,
  parseNeighbor,
} from './neighbor.ts';
import {
  emitFibQuestion,
  emitRoute,
  emitRouteDeletion,
  emitRouteQuestion,
  emptyRouteBody,
  formatRouteSpec,
  isCachedRoute,
  parseRoute,
  parseRouteMtu,
  type Route,
  type RouteSpec,
} from './route.ts';
import { NetlinkSocket } from './socket.ts';

export { Ipv4Setting, RouteProtocol, RouteScope, RouteTable, RouteType } from './abi.ts';
export type { Address } from './address.ts';
export { isNoRoute, NetlinkError } from './error.ts';
export type { Link, LinkStats } from './link.ts';
export type { Neighbor, NeighborSpec } from './neighbor.ts';
export type { Route, RouteSpec } from './route.ts';

/** An address of an interface with its prefix length; host bits are kept. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  /** Prefix length, bits. */
  readonly length: number;
}

/** struct rtgenmsg (u8 family), padded. */
const RTGENMSG_ROOM = 4;

/**
 * Links, addresses, routes and neighbours of the network namespace the calling thread was in when `open` was called.
 *
 * Synchronous; each call takes tens of microseconds. Every method throws {@link NetlinkError}, whose
 * `code` is the errno's name, when the kernel refuses. Reading needs no privilege, changing needs CAP_NET_ADMIN.
 */
export class RouteNetlink {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  static open(): RouteNetlink {
    return new RouteNetlink(NetlinkSocket.open());
  }

  close(): void {
    this.#socket.close();
  }

  links(): Link[] {
    return this.#socket.dump(
      { type: RTM_GETLINK, body: emitLinkBody(), attributes: linkQuery(), operation: () => 'list links' },
      parseLink,
    );
  }

  /** Undefined when there is no such link. */
  linkByName(name: string): Link | undefined {
    return this.#findLinkByName(name, parseLink);
  }

  /** Undefined when there is no such link. */
  linkByIndex(index: number): Link | undefined {
    return this.#findLink(emitLinkBody({ index }), linkQuery(), () => `find link with index ${index}`, parseLink);
  }

  /** The kernel's counters of a device; undefined when there is no such link. */
  linkStats(name: string): LinkStats | undefined {
    return this.#findLinkByName(name, parseLinkStats);
  }

  /**
   * The number that this socket's namespace has for the one `fd` is open on, as `linkedNetns` of a link has it. 2^32 - 1 as long
   * as it has none: it gets one with its first link that is shown here.
   */
  netnsId(fd: number): number | undefined {
    return this.#socket.ask(
      {
        type: RTM_GETNSID,
        body: new Uint8Array(RTGENMSG_ROOM),
        attributes: [u32Attribute(NETNSA_FD, fd)],
        operation: () => 'find the number of a network namespace',
      },
      (payload) => readU32(parseAttributes(payload, RTGENMSG_ROOM), NETNSA_NSID),
    );
  }

  #findLinkByName<T>(name: string, parse: (payload: Uint8Array) => T): T | undefined {
    if (name.length === 0 || new TextEncoder().encode(name).length >= IFNAMSIZ) return undefined;
    return this.#findLink(emitLinkBody(), linkQuery(name), () => `find link ${name}`, parse);
  }

  #findLink<T>(
    body: Uint8Array,
    attributes: Attribute[],
    operation: () => string,
    parse: (payload: Uint8Array) => T,
  ): T | undefined {
    try {
      return this.#socket.ask({ type: RTM_GETLINK, body, attributes, operation }, parse);
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'ENODEV') return undefined;
      throw error;
    }
  }

  /** Addresses of both families. */
  addresses(): Address[] {
    const body = emptyAddressBody();
    return this.#socket.dump({ type: RTM_GETADDR, body, operation: () => 'list addresses' }, parseAddress);
  }

  /** Routes of both families and all tables; not the kernel's cached results. */
  routes(): Route[] {
    return this.#socket.dump(
      { type: RTM_GETROUTE, body: emptyRouteBody(), operation: () => 'list routes' },
      (payload) => (isCachedRoute(payload) ? undefined : parseRoute(payload)),
    );
  }

  /** The route a packet to `destination` would take, as `ip route get`. Throws ENETUNREACH and the like if there is none. */
  routeTo(destination: IpAddress): Route {
    const operation = (): string => `find route to ${formatIp(destination)}`;
    const route = this.#socket.ask({ type: RTM_GETROUTE, ...emitRouteQuestion(destination), operation }, parseRoute);
    if (route === undefined) throw new WeftError('EBADMSG', `Cannot ${operation()}: answer of another address family`);
    return route;
  }

  /** The MTU that somebody gave the route to `destination`, in bytes; undefined: none. Throws as routeTo. */
  routeMtu(destination: IpAddress): number | undefined {
    const operation = (): string => `find route to ${formatIp(destination)}`;
    return this.#socket.ask({ type: RTM_GETROUTE, ...emitFibQuestion(destination), operation }, parseRouteMtu);
  }

  setLinkUp(index: number): void {
    this.#changeLink(index, [], 'set up', IFF_UP);
  }

  setLinkDown(index: number): void {
    this.#changeLink(index, [], 'set down', 0);
  }

  /** `mtu` in bytes. */
  setLinkMtu(index: number, mtu: number): void {
    this.#changeLink(index, [mtuAttribute(mtu)], `set MTU ${mtu} on`);
  }

  setTxQueueLength(index: number, packets: number): void {
    this.#changeLink(index, [txQueueLengthAttribute(packets)], `set transmit queue length ${packets} on`);
  }

  /** Works while the device is up where its driver allows that; TAP, veth and bridge do. */
  setLinkAddress(index: number, mac: Mac): void {
    this.#changeLink(index, [addressAttribute(mac)], `set address ${formatMac(mac)} on`);
  }

  /** `setting` is one of {@link Ipv4Setting}. Needs no /proc/sys, which containers often have read-only. */
  setLinkIpv4Setting(index: number, setting: number, value: number): void {
    this.#changeLink(index, [ipv4SettingAttribute(setting, value)], `set IPv4 setting ${setting} to ${value} on`);
  }

  #changeLink(index: number, attributes: Attribute[], what: string, up?: number): void {
    const body = emitLinkBody(up === undefined ? { index } : { index, flags: up, change: IFF_UP });
    this.#socket.command({ type: RTM_NEWLINK, body, attributes, operation: () => `${what} link ${this.#name(index)}` });
  }

  deleteLink(index: number): void {
    const operation = (): string => `delete link ${this.#name(index)}`;
    this.#socket.command({ type: RTM_DELLINK, body: emitLinkBody({ index }), operation });
  }

  /** Throws EEXIST when the interface has it already. `scope` is one of {@link RouteScope}, universe by default. */
  addAddress(index: number, address: InterfaceAddress, options: { readonly scope?: number } = {}): void {
    this.#socket.command({
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: emitAddressBody(address.address, address.length, options.scope ?? RouteScope.universe, index),
      attributes: addressAttributes(address.address),
      operation: () => `add address ${formatInterfaceAddress(address)} dev ${this.#name(index)}`,
    });
  }

  /** Throws EADDRNOTAVAIL when the interface does not have it. */
  removeAddress(index: number, address: InterfaceAddress): void {
    this.#socket.command({
      type: RTM_DELADDR,
      body: emitAddressBody(address.address, address.length, RouteScope.universe, index),
      attributes: addressAttributes(address.address),
      operation: () => `remove address ${formatInterfaceAddress(address)} dev ${this.#name(index)}`,
    });
  }

  /** Adds a route. Throws EEXIST when there is one with the same destination, metric and table, unless `replace`. */
  addRoute(route: RouteSpec, options: { readonly replace?: boolean } = {}): void {
    this.#socket.command({
      type: RTM_NEWROUTE,
      flags: NLM_F_CREATE | (options.replace === true ? NLM_F_REPLACE : NLM_F_EXCL),
      ...emitRoute(route),
      operation: () => `add route ${this.#describe(route)}`,
    });
  }

  /** Deletes the first route that matches all that is given. Throws ESRCH when none does. */
  deleteRoute(route: RouteSpec): void {
    this.#socket.command({
      type: RTM_DELROUTE,
      ...emitRouteDeletion(route),
      operation: () => `delete route ${this.#describe(route)}`,
    });
  }

  /** Neighbours of both families; not those answered for (proxies), nor a bridge's FDB. */
  neighbors(): Neighbor[] {
    return this.#socket.dump(
      { type: RTM_GETNEIGH, body: emptyNeighborBody(), operation: () => 'list neighbors' },
      parseNeighbor,
    );
  }

  /** Sets a permanent neighbour, also in place of one that was learned. */
  setNeighbor(neighbor: NeighborSpec): void {
    const { address, interfaceIndex, mac } = neighbor;
    this.#socket.command({
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      ...emitNeighbor(neighbor),
      operation: () => `set neighbor ${formatIp(address)} lladdr ${formatMac(mac)} dev ${this.#name(interfaceIndex)}`,
    });
  }

  /** Throws ENOENT when there is none. */
  deleteNeighbor(interfaceIndex: number, address: IpAddress): void {
    this.#socket.command({
      type: RTM_DELNEIGH,
      ...emitNeighborDeletion(interfaceIndex, address),
      operation: () => `delete neighbor ${formatIp(address)} dev ${this.#name(interfaceIndex)}`,
    });
  }

  #describe(route: RouteSpec): string {
    const device = route.interfaceIndex === undefined ? '' : ` dev ${this.#name(route.interfaceIndex)}`;
    return formatRouteSpec(route) + device;
  }

  /** For error messages only. */
  #name(index: number): string {
    return this.linkByIndex(index)?.name ?? `#${index} (no such device)`;
  }
}

function formatInterfaceAddress(address: InterfaceAddress): string {
  return `${formatIp(address.address)}/${address.length}`;
}
