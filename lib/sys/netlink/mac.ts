import type { Mac } from '../../addr/mac.ts';
import { type Attribute, type Attributes, viewOf } from './message.ts';

const MAC_LENGTH = 6;

/** A link-layer address of Ethernet, 6 bytes. */
export function macAttribute(type: number, mac: Mac): Attribute {
  const value = new Uint8Array(MAC_LENGTH);
  const view = viewOf(value);
  view.setUint16(0, Math.floor(mac / 0x1_0000_0000));
  view.setUint32(2, mac % 0x1_0000_0000);
  return { type, value };
}

/** Undefined when there is none, and for link layers whose addresses are not Ethernet's (Infiniband, tunnels). */
export function readMac(attributes: Attributes, type: number): Mac | undefined {
  const value = attributes.get(type);
  if (value === undefined || value.length !== MAC_LENGTH) return undefined;
  const view = viewOf(value);
  return view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2);
}
