import type { Family } from '../../addr/ip.ts';
import type { Mac } from '../../addr/mac.ts';
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_EXT_MASK,
  IFLA_GSO_MAX_SIZE,
  IFLA_IFNAME,
  IFLA_INET_CONF,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINK_NETNSID,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_STATS64,
  IFLA_TXQLEN,
  IFLA_VXLAN_COLLECT_METADATA,
  IFLA_VXLAN_GROUP6,
  IFLA_VXLAN_ID,
  IFLA_VXLAN_LOCAL6,
  IFLA_VXLAN_PORT,
  RTEXT_FILTER_SKIP_STATS,
} from './abi.ts';
import { addressFamily } from './ip.ts';
import { macAttribute, readMacAttribute } from './mac.ts';
import {
  type Attribute,
  LITTLE_ENDIAN,
  nestedAttribute,
  parseAttributes,
  readPort,
  readString,
  readU32,
  stringAttribute,
  u32Attribute,
  viewOf,
} from './message.ts';

/** A network device. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  /** Administratively up (IFF_UP); whether there is a carrier is in `flags`. */
  readonly up: boolean;
  /** IFF_* bits. */
  readonly flags: number;
  /** 'tun' (also TAP), 'veth', 'bridge', 'vxlan', ...; undefined for loopback and hardware. */
  readonly kind: string | undefined;
  /** For devices of kind 'vxlan'. */
  readonly vxlan: VxlanLink | undefined;
  /** Undefined for devices without an Ethernet address, such as a TUN. */
  readonly mac: Mac | undefined;
  /** Packets. */
  readonly txQueueLength: number;
  /** Largest packet before segmentation, bytes; undefined where the kernel does not say. */
  readonly gsoMaxSize: number | undefined;
  /** Index of the bridge (or other master) the device is a port of. */
  readonly masterIndex: number | undefined;
  /** Of a veth: index of its other end, in that one's namespace; of a VLAN or the like: of the device below. */
  readonly linkedIndex?: number | undefined;
  /** Where `linkedIndex` counts: the other namespace's number in this one; undefined for this one itself. */
  readonly linkedNetns?: number | undefined;
}

/** A VXLAN device of the kernel. While it is up it holds the port of its underlay families, on all addresses. */
interface VxlanLink {
  /** 0 for one that takes any VNI (`external`). */
  readonly vni: number;
  readonly port: number;
  readonly families: readonly Family[];
}

/** struct rtnl_link_stats64, the part that anybody here reads. From the host's side: a TAP's tx is what we read. */
export interface LinkStats {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxErrors: bigint;
  readonly txErrors: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

/**
 * struct ifinfomsg: u8 family, u8 padding, u16 type, s32 index, u32 flags, u32 change.
 * `change` says which flag bits are meant.
 */
const IFINFOMSG_LENGTH = 16;

export function emitLinkBody(link: { index?: number; flags?: number; change?: number } = {}): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_LENGTH);
  const view = viewOf(body);
  view.setInt32(4, link.index ?? 0, LITTLE_ENDIAN);
  view.setUint32(8, link.flags ?? 0, LITTLE_ENDIAN);
  view.setUint32(12, link.change ?? 0, LITTLE_ENDIAN);
  return body;
}

/** The attributes of a question for links: no counters, and one name if given. */
export function linkQuery(name?: string): Attribute[] {
  const query = [u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)];
  return name === undefined ? query : [stringAttribute(IFLA_IFNAME, name), ...query];
}

export function mtuAttribute(mtu: number): Attribute {
  return u32Attribute(IFLA_MTU, mtu);
}

export function txQueueLengthAttribute(packets: number): Attribute {
  return u32Attribute(IFLA_TXQLEN, packets);
}

export function addressAttribute(mac: Mac): Attribute {
  return macAttribute(IFLA_ADDRESS, mac);
}

/** One setting of net.ipv4.conf.<device>; Linux takes those of IPv6 by /proc/sys alone. */
export function ipv4SettingAttribute(setting: number, value: number): Attribute {
  const settings = nestedAttribute(IFLA_INET_CONF, [u32Attribute(setting, value)]);
  return nestedAttribute(IFLA_AF_SPEC, [nestedAttribute(addressFamily(4), [settings])]);
}

/** Reads the payload of RTM_NEWLINK or RTM_DELLINK. Throws EBADMSG. */
export function parseLink(payload: Uint8Array): Link {
  const attributes = parseAttributes(payload, IFINFOMSG_LENGTH);
  const view = viewOf(payload);
  const flags = view.getUint32(8, LITTLE_ENDIAN);
  const info = attributes.get(IFLA_LINKINFO);
  const infoAttributes = info === undefined ? undefined : parseAttributes(info, 0);
  const kind = infoAttributes === undefined ? undefined : readString(infoAttributes, IFLA_INFO_KIND);
  const data = infoAttributes?.get(IFLA_INFO_DATA);
  return {
    index: view.getInt32(4, LITTLE_ENDIAN),
    name: readString(attributes, IFLA_IFNAME) ?? '',
    mtu: readU32(attributes, IFLA_MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    flags,
    kind,
    vxlan: kind === 'vxlan' && data !== undefined ? parseVxlan(data) : undefined,
    mac: readMacAttribute(attributes, IFLA_ADDRESS),
    txQueueLength: readU32(attributes, IFLA_TXQLEN) ?? 0,
    gsoMaxSize: readU32(attributes, IFLA_GSO_MAX_SIZE),
    masterIndex: readU32(attributes, IFLA_MASTER),
    linkedIndex: readU32(attributes, IFLA_LINK),
    linkedNetns: readU32(attributes, IFLA_LINK_NETNSID),
  };
}

function parseVxlan(data: Uint8Array): VxlanLink {
  const attributes = parseAttributes(data, 0);
  const isIpv6 = attributes.has(IFLA_VXLAN_GROUP6) || attributes.has(IFLA_VXLAN_LOCAL6);
  // A flag of one byte, which the kernel always sends.
  const external = (attributes.get(IFLA_VXLAN_COLLECT_METADATA)?.[0] ?? 0) !== 0;
  return {
    vni: readU32(attributes, IFLA_VXLAN_ID) ?? 0,
    port: readPort(attributes, IFLA_VXLAN_PORT) ?? 0,
    families: external ? [4, 6] : [isIpv6 ? 6 : 4],
  };
}

/** The counters in the payload of RTM_NEWLINK; undefined when there are none. Throws EBADMSG. */
export function parseLinkStats(payload: Uint8Array): LinkStats | undefined {
  const stats = parseAttributes(payload, IFINFOMSG_LENGTH).get(IFLA_STATS64);
  if (stats === undefined || stats.length < 64) return undefined;
  const view = viewOf(stats);
  const counter = (index: number): bigint => view.getBigUint64(index * 8, LITTLE_ENDIAN);
  return {
    rxPackets: counter(0),
    txPackets: counter(1),
    rxBytes: counter(2),
    txBytes: counter(3),
    rxErrors: counter(4),
    txErrors: counter(5),
    rxDropped: counter(6),
    txDropped: counter(7),
  };
}
