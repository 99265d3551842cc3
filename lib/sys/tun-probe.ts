/** Asks the kernel whether it takes joined packets on a TUN or TAP, by writing one that goes nowhere. */
import type { Mac } from '../addr/mac.ts';
import {
  GSO_TCPV4,
  GSO_UDP_L4,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_HDR_LEN,
  VNET_SIZE,
} from '../linux/virtio-net.ts';
import { addressOf, errno, write } from './ffi.ts';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IP_HEADER = 20;
const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;

/**
 * Writes a super-packet of two segments to the device `fd` (which must be up and have a virtio_net_hdr). Its IPv4 header
 * checksum is wrong on purpose: the driver does not look at it, the IP layer drops the packet for it. `mac` is a TAP's own
 * address, which the frame is for; undefined for a TUN.
 * Returns 0, or the errno: EINVAL on kernels that mistake such packets for malformed ones (Linux 6.6.44 and others of
 * July 2024), or that do not know UDP super-packets (before 6.2).
 */
export function probeSuperPacket(fd: number, transport: 'tcp' | 'udp', mac: Mac | undefined): number {
  const link = mac === undefined ? 0 : ETHERNET_HEADER;
  const header = transport === 'tcp' ? 20 : 8;
  const payload = 32;
  const length = link + IP_HEADER + header + payload;
  const bytes = new Uint8Array(VNET_SIZE + length);
  const view = new DataView(bytes.buffer);
  bytes[VNET_FLAGS] = NEEDS_CSUM;
  bytes[VNET_GSO_TYPE] = transport === 'tcp' ? GSO_TCPV4 : GSO_UDP_L4;
  view.setUint16(VNET_HDR_LEN, link + IP_HEADER + header, true);
  view.setUint16(VNET_GSO_SIZE, payload / 2, true);
  view.setUint16(VNET_CSUM_START, link + IP_HEADER, true);
  view.setUint16(VNET_CSUM_OFFSET, transport === 'tcp' ? 16 : 6, true);
  if (mac !== undefined) {
    // From itself: the kernel does not mind, and no bridge has to learn anything.
    for (const at of [VNET_SIZE, VNET_SIZE + 6]) {
      view.setUint16(at, Math.floor(mac / 2 ** 32));
      view.setUint32(at + 2, mac % 2 ** 32);
    }
    view.setUint16(VNET_SIZE + 12, ETHERTYPE_IPV4);
  }
  const ip = VNET_SIZE + link;
  bytes[ip] = 0x45;
  view.setUint16(ip + 2, length - link);
  bytes[ip + 8] = 64;
  bytes[ip + 9] = transport === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
  view.setUint16(ip + 10, 0xdead);
  // Source and destination from TEST-NET-1 (RFC 5737).
  view.setUint32(ip + 12, 0xc0000201);
  view.setUint32(ip + 16, 0xc0000202);
  const l4 = ip + IP_HEADER;
  if (transport === 'tcp') {
    bytes[l4 + 12] = 0x50;
    bytes[l4 + 13] = 0x10;
  } else {
    view.setUint16(l4 + 4, header + payload);
  }
  return write(fd, addressOf(bytes), bytes.length) < 0 ? errno() : 0;
}
