import { familyOf, type IpAddress } from '../../addr/ip.ts';
import type { Ipv4 } from '../../addr/ipv4.ts';
import type { Ipv6 } from '../../addr/ipv6.ts';
import { IFA_ADDRESS, IFA_FLAGS, IFA_LABEL, IFA_LOCAL } from './abi.ts';
import { addressFamily, ipAttribute, parseFamily, readIp } from './ip.ts';
import { type Attribute, LITTLE_ENDIAN, parseAttributes, readString, readU32, viewOf } from './message.ts';

interface AddressCommon {
  readonly interfaceIndex: number;
  readonly prefixLength: number;
  /** One of RouteScope's, or another number: scopes are open to users. */
  readonly scope: number;
  /** IFA_F_* bits, all 32. */
  readonly flags: number;
  /** IPv4 only: usually the name of the device. */
  readonly label: string | undefined;
}

/** An address of this host. On a point-to-point link it is our end, not the peer's. */
export type Address =
  | (AddressCommon & { readonly family: 4; readonly address: Ipv4 })
  | (AddressCommon & { readonly family: 6; readonly address: Ipv6 });

/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 index. */
const IFADDRMSG_LENGTH = 8;

/** The body of a question for all addresses of both families. */
export function emptyAddressBody(): Uint8Array {
  return new Uint8Array(IFADDRMSG_LENGTH);
}

export function emitAddressBody(address: IpAddress, prefixLength: number, scope: number, index: number): Uint8Array {
  const body = new Uint8Array(IFADDRMSG_LENGTH);
  body[0] = addressFamily(familyOf(address));
  body[1] = prefixLength;
  body[3] = scope;
  viewOf(body).setUint32(4, index, LITTLE_ENDIAN);
  return body;
}

/** Our end and the peer's; they are the same but on a point-to-point link with two addresses. */
export function addressAttributes(address: IpAddress): Attribute[] {
  return [ipAttribute(IFA_LOCAL, address), ipAttribute(IFA_ADDRESS, address)];
}

/** Reads the payload of RTM_NEWADDR or RTM_DELADDR; undefined for families but IPv4 and IPv6. Throws EBADMSG. */
export function parseAddress(payload: Uint8Array): Address | undefined {
  const attributes = parseAttributes(payload, IFADDRMSG_LENGTH);
  const [familyField = 0, prefixLength = 0, shortFlags = 0, scope = 0] = payload;
  const family = parseFamily(familyField);
  if (family === undefined) return undefined;
  // IFA_LOCAL is absent for IPv6 without a peer; where both are there, IFA_ADDRESS is the peer.
  const address = readIp(attributes, IFA_LOCAL, family) ?? readIp(attributes, IFA_ADDRESS, family);
  if (address === undefined) return undefined;
  const common = {
    interfaceIndex: viewOf(payload).getUint32(4, LITTLE_ENDIAN),
    prefixLength,
    scope,
    flags: readU32(attributes, IFA_FLAGS) ?? shortFlags,
    label: readString(attributes, IFA_LABEL),
  };
  return typeof address === 'number' ? { ...common, family: 4, address } : { ...common, family: 6, address };
}
