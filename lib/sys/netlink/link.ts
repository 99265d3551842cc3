import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_GSO_MAX_SIZE,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_TXQLEN,
  RTEXT_FILTER_SKIP_STATS,
} from './abi.ts';
import {
  type Attribute,
  LITTLE_ENDIAN,
  parseAttributes,
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
  /** Undefined for devices without a link-layer address, such as a TUN. */
  readonly mac: Uint8Array | undefined;
  /** Packets. */
  readonly txQueueLength: number;
  /** Largest packet before segmentation, bytes; undefined where the kernel does not say. */
  readonly gsoMaxSize: number | undefined;
  /** Index of the bridge (or other master) the device is a port of. */
  readonly masterIndex: number | undefined;
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

/** Reads the payload of RTM_NEWLINK or RTM_DELLINK. Throws EBADMSG. */
export function parseLink(payload: Uint8Array): Link {
  const attributes = parseAttributes(payload, IFINFOMSG_LENGTH);
  const view = viewOf(payload);
  const flags = view.getUint32(8, LITTLE_ENDIAN);
  const info = attributes.get(IFLA_LINKINFO);
  const mac = attributes.get(IFLA_ADDRESS);
  return {
    index: view.getInt32(4, LITTLE_ENDIAN),
    name: readString(attributes, IFLA_IFNAME) ?? '',
    mtu: readU32(attributes, IFLA_MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    flags,
    kind: info === undefined ? undefined : readString(parseAttributes(info, 0), IFLA_INFO_KIND),
    mac: mac === undefined || mac.length === 0 ? undefined : mac.slice(),
    txQueueLength: readU32(attributes, IFLA_TXQLEN) ?? 0,
    gsoMaxSize: readU32(attributes, IFLA_GSO_MAX_SIZE),
    masterIndex: readU32(attributes, IFLA_MASTER),
  };
}
