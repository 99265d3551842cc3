/** The 10 bytes before each packet on a TUN device with IFF_VNET_HDR. include/uapi/linux/virtio_net.h, struct virtio_net_hdr. */
export interface VnetHeader {
  readonly flags: number;
  readonly gsoType: number;
  /** Length of all headers; a hint that is wrong on forwarded packets, so nobody may trust it. */
  readonly hdrLen: number;
  /** Payload bytes of each packet but the last. */
  readonly gsoSize: number;
  /** Where checksumming starts, and where, from there, the result goes. Meaningful with NEEDS_CSUM only. */
  readonly csumStart: number;
  readonly csumOffset: number;
}

export const VNET_HEADER = 10;
export const NEEDS_CSUM = 1;
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
/** IP fragmentation offload of old; never asked for. */
export const GSO_UDP = 3;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
/** Added to a TCP type whose first packet has CWR set. */
export const GSO_ECN = 0x80;

export const PLAIN: VnetHeader = { flags: 0, gsoType: GSO_NONE, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };

// The header is in the byte order of the machine.
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export function readVnetHeader(frame: Uint8Array): VnetHeader {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  return {
    flags: view.getUint8(0),
    gsoType: view.getUint8(1),
    hdrLen: view.getUint16(2, LITTLE_ENDIAN),
    gsoSize: view.getUint16(4, LITTLE_ENDIAN),
    csumStart: view.getUint16(6, LITTLE_ENDIAN),
    csumOffset: view.getUint16(8, LITTLE_ENDIAN),
  };
}

/** A frame as read from, or written to, the device: header and packet. */
export function withVnetHeader(header: VnetHeader, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(VNET_HEADER + packet.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, header.flags);
  view.setUint8(1, header.gsoType);
  view.setUint16(2, header.hdrLen, LITTLE_ENDIAN);
  view.setUint16(4, header.gsoSize, LITTLE_ENDIAN);
  view.setUint16(6, header.csumStart, LITTLE_ENDIAN);
  view.setUint16(8, header.csumOffset, LITTLE_ENDIAN);
  frame.set(packet, VNET_HEADER);
  return frame;
}
