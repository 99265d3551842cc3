/** Builds inner packets byte by byte, checksums included, without any code under test. */
export interface TcpFields {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly id?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Flags and fragment offset, 16 bits; DF is 0x4000. */
  readonly fragment?: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
  /** Sends a wrong transport checksum. */
  readonly badChecksum?: boolean;
}

export const ACK = 0x10;
export const PSH = 0x08;
export const FIN = 0x01;
export const SYN = 0x02;
export const DF = 0x4000;

const quad = (text: string): number[] => text.split('.').map(Number);

/** RFC 1071, byte by byte. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  }
  return ~sum & 0xffff;
}

function ipv4(fields: TcpFields, protocol: number, body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + body.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  packet[1] = fields.tos ?? 0;
  view.setUint16(2, packet.length);
  view.setUint16(4, fields.id ?? 1);
  view.setUint16(6, fields.fragment ?? DF);
  packet[8] = fields.ttl ?? 63;
  packet[9] = protocol;
  packet.set(quad(fields.source ?? '10.244.2.2'), 12);
  packet.set(quad(fields.destination ?? '10.244.1.2'), 16);
  view.setUint16(10, internetChecksum(packet.subarray(0, 20)));
  packet.set(body, 20);
  return packet;
}

function withChecksum(fields: TcpFields, protocol: number, body: Uint8Array, offset: number): Uint8Array {
  const pseudo = new Uint8Array(12 + body.length);
  pseudo.set(quad(fields.source ?? '10.244.2.2'), 0);
  pseudo.set(quad(fields.destination ?? '10.244.1.2'), 4);
  pseudo[9] = protocol;
  new DataView(pseudo.buffer).setUint16(10, body.length);
  pseudo.set(body, 12);
  const sum = internetChecksum(pseudo) ^ (fields.badChecksum === true ? 0x1 : 0);
  new DataView(body.buffer).setUint16(offset, protocol === 17 && sum === 0 ? 0xffff : sum);
  return body;
}

export function tcp4(fields: TcpFields = {}): Uint8Array {
  const options = fields.options ?? [];
  const payload = fields.payload ?? new Uint8Array(0);
  const body = new Uint8Array(20 + options.length + payload.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, fields.sourcePort ?? 40000);
  view.setUint16(2, fields.destinationPort ?? 80);
  view.setUint32(4, fields.sequence ?? 1000);
  view.setUint32(8, fields.acknowledgment ?? 5000);
  body[12] = ((20 + options.length) / 4) << 4;
  body[13] = fields.flags ?? ACK;
  view.setUint16(14, fields.window ?? 500);
  body.set(options, 20);
  body.set(payload, 20 + options.length);
  return ipv4(fields, 6, withChecksum(fields, 6, body, 16));
}

export function udp4(fields: TcpFields = {}): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(0);
  const body = new Uint8Array(8 + payload.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, fields.sourcePort ?? 40000);
  view.setUint16(2, fields.destinationPort ?? 53);
  view.setUint16(4, body.length);
  body.set(payload, 8);
  return ipv4(fields, 17, withChecksum(fields, 17, body, 6));
}

/** `length` bytes that differ from each other and from those of another `from`. */
export function payload(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i * 7) & 255);
}

/** A frame as read from a TUN without offloads in use: an all-zero virtio_net_hdr and the packet. */
export function frame(packet: Uint8Array, vnet: Partial<VnetHeader> = {}): Uint8Array {
  const bytes = new Uint8Array(10 + packet.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = vnet.flags ?? 0;
  bytes[1] = vnet.gsoType ?? 0;
  view.setUint16(2, vnet.headerLength ?? 0, true);
  view.setUint16(4, vnet.gsoSize ?? 0, true);
  view.setUint16(6, vnet.checksumStart ?? 0, true);
  view.setUint16(8, vnet.checksumOffset ?? 0, true);
  bytes.set(packet, 10);
  return bytes;
}

export interface VnetHeader {
  readonly flags: number;
  readonly gsoType: number;
  readonly headerLength: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export function readVnet(bytes: Uint8Array): VnetHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 10);
  return {
    flags: bytes[0]!,
    gsoType: bytes[1]!,
    headerLength: view.getUint16(2, true),
    gsoSize: view.getUint16(4, true),
    checksumStart: view.getUint16(6, true),
    checksumOffset: view.getUint16(8, true),
  };
}
