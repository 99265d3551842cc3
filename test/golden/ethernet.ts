import { get16 } from './octets.ts';
import { checkPacket, type PacketFault } from './packet.ts';

const HEADER = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TAGS = [0x8100, 0x88a8];

/** What a frame of at least 14 bytes says. */
export interface Frame {
  readonly destination: number;
  readonly source: number;
  /** Behind the tags. A tag that is cut off is a type that nobody knows. */
  readonly type: number;
  /** 802.1Q and 802.1ad tags before it, 0 to 2. */
  readonly tags: number;
  readonly payload: number;
}

export function readFrame(bytes: Uint8Array): Frame {
  let tags = 0;
  while (tags < 2 && TAGS.includes(get16(bytes, 12 + 4 * tags)) && bytes.length >= HEADER + 4 * (tags + 1)) tags++;
  return {
    destination: mac(bytes, 0),
    source: mac(bytes, 6),
    type: get16(bytes, 12 + 4 * tags),
    tags,
    payload: HEADER + 4 * tags,
  };
}

function mac(bytes: Uint8Array, at: number): number {
  return get16(bytes, at) * 2 ** 32 + get16(bytes, at + 2) * 2 ** 16 + get16(bytes, at + 4);
}

/** The I/G bit: broadcast, multicast. */
export function isGroupMac(mac: number): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}

/** No host has a group address, or the address 0. */
export function isHostMac(mac: number): boolean {
  return mac !== 0 && !isGroupMac(mac);
}

/** The IP packet in a frame, as a copy without padding; or why there is none. */
export function packetIn(bytes: Uint8Array): Uint8Array | PacketFault {
  const { type, payload } = readFrame(bytes);
  if (type !== IPV4 && type !== IPV6) return 'not-ip';
  const packet = bytes.slice(payload);
  if (packet.length > 0 && packet[0]! >> 4 !== (type === IPV4 ? 4 : 6)) return 'not-ip';
  return checkPacket(packet);
}
