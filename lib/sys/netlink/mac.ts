import type { Mac } from '../../addr/mac.ts';
import { readMac, writeMac } from '../../wire/ethernet.ts';
import { type Attribute, type Attributes, viewOf } from './message.ts';

const MAC_LENGTH = 6;

/** A link-layer address of Ethernet, 6 bytes. */
export function macAttribute(type: number, mac: Mac): Attribute {
  const value = new Uint8Array(MAC_LENGTH);
  writeMac(viewOf(value), 0, mac);
  return { type, value };
}

/** Undefined when there is none, and for link layers whose addresses are not Ethernet's (Infiniband, tunnels). */
export function readMacAttribute(attributes: Attributes, type: number): Mac | undefined {
  const value = attributes.get(type);
  if (value === undefined || value.length !== MAC_LENGTH) return undefined;
  return readMac(viewOf(value), 0);
}
