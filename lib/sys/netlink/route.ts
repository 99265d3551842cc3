import { addressBits, type Family, familyOf, formatIp, type IpAddress } from '../../addr/ip.ts';
import { formatPrefix, ipv4Prefix, ipv6Prefix, type Prefix } from '../../addr/prefix.ts';
import { WeftError } from '../../error.ts';
import {
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTA_VIA,
  RTAX_MTU,
  RTM_F_CLONED,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTNH_F_ONLINK,
} from './abi.ts';
import { addressFamily, ipAttribute, parseFamily, parseIp, readIp } from './ip.ts';
import {
  type Attribute,
  type Attributes,
  LITTLE_ENDIAN,
  parseAttributes,
  readU32,
  u32Attribute,
  viewOf,
} from './message.ts';

/** Where a route sends a packet. */
interface NextHop {
  /** Undefined for routes without a device (blackhole and its like). */
  readonly interfaceIndex: number | undefined;
  /** Undefined when the destination is on the link. An IPv4 route may have an IPv6 gateway. */
  readonly gateway: IpAddress | undefined;
  readonly onlink: boolean;
}

/** A route of this host. `gateway`, `interfaceIndex` and `onlink` are those of the first next hop. */
export interface Route extends NextHop {
  readonly family: Family;
  /** Undefined for the default route. */
  readonly destination: Prefix | undefined;
  /** All next hops of a multipath route; one or none for all others. */
  readonly nextHops: readonly NextHop[];
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  /** Lower wins; 0 when the route has none. */
  readonly metric: number;
  readonly type: number;
  /** The source address the kernel prefers for packets of this route. */
  readonly source: IpAddress | undefined;
}

/** A route to be added or deleted. What is left out of a deletion matches anything. */
export interface RouteSpec {
  /** Of length 0 for a default route. */
  readonly destination: Prefix;
  /** Needed but for types such as blackhole. */
  readonly interfaceIndex?: number;
  readonly gateway?: IpAddress;
  /** Default: link without a gateway (as ip(8) does), else universe; IPv6 has no scopes. */
  readonly scope?: number;
  readonly metric?: number;
  /** Default: boot. */
  readonly protocol?: number;
  /** Preferred source address. */
  readonly source?: IpAddress;
  /** The gateway is reachable on the device although no route says so. */
  readonly onlink?: boolean;
  /** Default: main. */
  readonly table?: number;
  /** Default: unicast. */
  readonly type?: number;
}

/** struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
const RTMSG_LENGTH = 12;
/** struct rtnexthop: u16 length, u8 flags, u8 hops, s32 index; then attributes. */
const RTNEXTHOP_LENGTH = 8;

function emitRouteBody(fields: readonly number[], flags: number): Uint8Array {
  const body = new Uint8Array(RTMSG_LENGTH);
  body.set(fields);
  viewOf(body).setUint32(8, flags, LITTLE_ENDIAN);
  return body;
}

export function emptyRouteBody(): Uint8Array {
  return emitRouteBody([], 0);
}

/** Body and attributes of RTM_NEWROUTE. */
export function emitRoute(route: RouteSpec): { body: Uint8Array; attributes: Attribute[] } {
  const onLinkOnly = route.destination.family === 4 && route.gateway === undefined && isUnicast(route);
  return emitRouteSpec(route, {
    protocol: RouteProtocol.boot,
    scope: onLinkOnly ? RouteScope.link : RouteScope.universe,
    type: RouteType.unicast,
  });
}

/** Body and attributes of RTM_DELROUTE. */
export function emitRouteDeletion(route: RouteSpec): { body: Uint8Array; attributes: Attribute[] } {
  return emitRouteSpec(route, {
    protocol: RouteProtocol.unspecified,
    // "Nowhere" matches every scope.
    scope: RouteScope.nowhere,
    type: 0,
  });
}

function isUnicast(route: RouteSpec): boolean {
  return route.type === undefined || route.type === RouteType.unicast;
}

function emitRouteSpec(
  route: RouteSpec,
  defaults: { readonly protocol: number; readonly scope: number; readonly type: number },
): { body: Uint8Array; attributes: Attribute[] } {
  const { destination, gateway, interfaceIndex, metric, source } = route;
  const table = route.table ?? RouteTable.main;
  const body = emitRouteBody(
    [
      addressFamily(destination.family),
      destination.length,
      0,
      0,
      table > 255 ? RouteTable.unspecified : table,
      route.protocol ?? defaults.protocol,
      route.scope ?? defaults.scope,
      route.type ?? defaults.type,
    ],
    route.onlink === true ? RTNH_F_ONLINK : 0,
  );
  const attributes: Attribute[] = [];
  if (destination.length > 0) attributes.push(ipAttribute(RTA_DST, destination.address));
  if (gateway !== undefined) attributes.push(gatewayAttribute(destination.family, gateway));
  if (metric !== undefined) attributes.push(u32Attribute(RTA_PRIORITY, metric));
  if (source !== undefined) attributes.push(ipAttribute(RTA_PREFSRC, source));
  if (table > 255) attributes.push(u32Attribute(RTA_TABLE, table));
  if (interfaceIndex !== undefined) attributes.push(u32Attribute(RTA_OIF, interfaceIndex));
  return { body, attributes };
}

/** RTA_GATEWAY, or RTA_VIA (u16 family, address) for an IPv6 gateway of an IPv4 route. */
function gatewayAttribute(family: Family, gateway: IpAddress): Attribute {
  if (familyOf(gateway) === family) return ipAttribute(RTA_GATEWAY, gateway);
  const address = ipAttribute(RTA_VIA, gateway).value;
  const value = new Uint8Array(2 + address.length);
  viewOf(value).setUint16(0, addressFamily(familyOf(gateway)), LITTLE_ENDIAN);
  value.set(address, 2);
  return { type: RTA_VIA, value };
}

/** Body and attributes of the question "which route would a packet to this address take?" */
export function emitRouteQuestion(destination: IpAddress): { body: Uint8Array; attributes: Attribute[] } {
  const family = familyOf(destination);
  const body = emitRouteBody([addressFamily(family), addressBits(family)], RTM_F_LOOKUP_TABLE);
  return { body, attributes: [ipAttribute(RTA_DST, destination)] };
}

/** The same of the route as it was configured, without what ICMP errors taught the kernel: `ip route get fibmatch`, Linux 4.13. */
export function emitFibQuestion(destination: IpAddress): { body: Uint8Array; attributes: Attribute[] } {
  const family = familyOf(destination);
  const body = emitRouteBody([addressFamily(family), addressBits(family)], RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH);
  return { body, attributes: [ipAttribute(RTA_DST, destination)] };
}

/** The MTU that somebody gave a route: reads the payload of RTM_NEWROUTE. */
export function parseRouteMtu(payload: Uint8Array): number | undefined {
  const metrics = parseAttributes(payload, RTMSG_LENGTH).get(RTA_METRICS);
  return metrics === undefined ? undefined : readU32(parseAttributes(metrics, 0), RTAX_MTU);
}

/** True for what the kernel lists beside the routes: cached results of its own, such as PMTU exceptions. */
export function isCachedRoute(payload: Uint8Array): boolean {
  return payload.length >= RTMSG_LENGTH && (viewOf(payload).getUint32(8, LITTLE_ENDIAN) & RTM_F_CLONED) !== 0;
}

/** Reads the payload of RTM_NEWROUTE or RTM_DELROUTE; undefined for families but IPv4 and IPv6. Throws EBADMSG. */
export function parseRoute(payload: Uint8Array): Route | undefined {
  const attributes = parseAttributes(payload, RTMSG_LENGTH);
  const [familyField = 0, length = 0, , , table = 0, protocol = 0, scope = 0, type = 0] = payload;
  const family = parseFamily(familyField);
  if (family === undefined) return undefined;
  const flags = viewOf(payload).getUint32(8, LITTLE_ENDIAN);
  const nextHops = parseNextHops(attributes, family, flags);
  const first = nextHops[0];
  return {
    family,
    destination: parseDestination(attributes, family, length),
    interfaceIndex: first?.interfaceIndex,
    gateway: first?.gateway,
    onlink: first?.onlink ?? false,
    nextHops,
    table: readU32(attributes, RTA_TABLE) ?? table,
    protocol,
    scope,
    metric: readU32(attributes, RTA_PRIORITY) ?? 0,
    type,
    source: readIp(attributes, RTA_PREFSRC, family),
  };
}

function parseDestination(attributes: Attributes, family: Family, length: number): Prefix | undefined {
  if (length > addressBits(family)) throw malformed(`IPv${family} prefix length ${length}`);
  const address = readIp(attributes, RTA_DST, family);
  if (address === undefined) {
    if (length > 0) throw malformed('route without its destination');
    return undefined;
  }
  return typeof address === 'number' ? ipv4Prefix(address, length) : ipv6Prefix(address, length);
}

function parseNextHops(attributes: Attributes, family: Family, flags: number): NextHop[] {
  const multipath = attributes.get(RTA_MULTIPATH);
  if (multipath === undefined) {
    const hop = parseNextHop(attributes, family, readU32(attributes, RTA_OIF), flags);
    return hop.interfaceIndex === undefined && hop.gateway === undefined ? [] : [hop];
  }
  const view = viewOf(multipath);
  const hops: NextHop[] = [];
  for (let offset = 0; offset < multipath.length; ) {
    const left = multipath.length - offset;
    const length = left < RTNEXTHOP_LENGTH ? 0 : view.getUint16(offset, LITTLE_ENDIAN);
    if (length < RTNEXTHOP_LENGTH || length > left) throw malformed(`next hop of ${length} bytes with ${left} left`);
    const hop = multipath.subarray(offset, offset + length);
    const index = view.getInt32(offset + 4, LITTLE_ENDIAN);
    hops.push(parseNextHop(parseAttributes(hop, RTNEXTHOP_LENGTH), family, index, hop[2] ?? 0));
    offset += (length + 3) & ~3;
  }
  return hops;
}

function parseNextHop(
  attributes: Attributes,
  family: Family,
  interfaceIndex: number | undefined,
  flags: number,
): NextHop {
  return {
    interfaceIndex,
    gateway: readIp(attributes, RTA_GATEWAY, family) ?? parseVia(attributes.get(RTA_VIA)),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
  };
}

function parseVia(value: Uint8Array | undefined): IpAddress | undefined {
  if (value === undefined) return undefined;
  if (value.length < 2) throw malformed(`gateway of ${value.length} bytes`);
  const family = parseFamily(viewOf(value).getUint16(0, LITTLE_ENDIAN));
  return family === undefined ? undefined : parseIp(value.subarray(2), family);
}

function malformed(what: string): WeftError {
  return new WeftError('EBADMSG', `Cannot parse netlink message: ${what}`);
}

/** "10.244.0.0/16", "default", "default (IPv6)": for messages. */
function formatDestination(destination: Prefix): string {
  if (destination.length > 0) return formatPrefix(destination);
  return destination.family === 4 ? 'default' : 'default (IPv6)';
}

/** "10.244.0.0/16 via 192.0.2.1": the part of a route's text that does not need names of devices. */
export function formatRouteSpec(route: RouteSpec): string {
  const via = route.gateway === undefined ? '' : ` via ${formatIp(route.gateway)}`;
  return formatDestination(route.destination) + via;
}
