import { familyOf, type IpAddress } from '../../addr/ip.ts';
import type { Mac } from '../../addr/mac.ts';
import { NDA_DST, NDA_LLADDR, NUD_PERMANENT } from './abi.ts';
import { addressFamily, ipAttribute, parseFamily, readIp } from './ip.ts';
import { macAttribute, readMacAttribute } from './mac.ts';
import { type Attribute, LITTLE_ENDIAN, parseAttributes, viewOf } from './message.ts';

/** An entry of the ARP table or of IPv6's neighbour cache. */
export interface Neighbor {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  /** Undefined while it is asked for, when nobody answered, and on links without such addresses. */
  readonly mac: Mac | undefined;
  /** NUD_* bits. */
  readonly state: number;
  /** Somebody set it; it neither ages nor changes by ARP. */
  readonly permanent: boolean;
}

/** A permanent neighbour. */
export interface NeighborSpec {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly mac: Mac;
}

/** struct ndmsg: u8 family, 3 bytes padding, s32 index, u16 state, u8 flags, u8 type. */
const NDMSG_LENGTH = 12;

/** The body of a question for all neighbours of both families. */
export function emptyNeighborBody(): Uint8Array {
  return new Uint8Array(NDMSG_LENGTH);
}

function emitNeighborBody(address: IpAddress, index: number): Uint8Array {
  const body = new Uint8Array(NDMSG_LENGTH);
  const view = viewOf(body);
  body[0] = addressFamily(familyOf(address));
  view.setInt32(4, index, LITTLE_ENDIAN);
  view.setUint16(8, NUD_PERMANENT, LITTLE_ENDIAN);
  return body;
}

/** Body and attributes of RTM_NEWNEIGH for a permanent entry. */
export function emitNeighbor(neighbor: NeighborSpec): { body: Uint8Array; attributes: Attribute[] } {
  const { address, interfaceIndex, mac } = neighbor;
  return {
    body: emitNeighborBody(address, interfaceIndex),
    attributes: [ipAttribute(NDA_DST, address), macAttribute(NDA_LLADDR, mac)],
  };
}

/** Body and attributes of RTM_DELNEIGH; the kernel does not look at the state. */
export function emitNeighborDeletion(
  interfaceIndex: number,
  address: IpAddress,
): { body: Uint8Array; attributes: Attribute[] } {
  return { body: emitNeighborBody(address, interfaceIndex), attributes: [ipAttribute(NDA_DST, address)] };
}

/** Reads the payload of RTM_NEWNEIGH or RTM_DELNEIGH; undefined for families but IPv4 and IPv6 (a bridge's FDB, say). Throws EBADMSG. */
export function parseNeighbor(payload: Uint8Array): Neighbor | undefined {
  const attributes = parseAttributes(payload, NDMSG_LENGTH);
  const family = parseFamily(payload[0] ?? 0);
  if (family === undefined) return undefined;
  const address = readIp(attributes, NDA_DST, family);
  if (address === undefined) return undefined;
  const view = viewOf(payload);
  const state = view.getUint16(8, LITTLE_ENDIAN);
  return {
    interfaceIndex: view.getInt32(4, LITTLE_ENDIAN),
    address,
    mac: readMacAttribute(attributes, NDA_LLADDR),
    state,
    permanent: (state & NUD_PERMANENT) !== 0,
  };
}
