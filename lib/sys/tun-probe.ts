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
import { emitEthernetHeader } from '../wire/ethernet.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4 } from '../wire/layout/ethernet.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_HEADER_MIN,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV4_VERSION_IHL,
} from '../wire/layout/ipv4.ts';
import { TCP_ACK, TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER_MIN } from '../wire/layout/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER, UDP_LENGTH } from '../wire/layout/udp.ts';
import { addressOf, errno, write } from './ffi.ts';

const PAYLOAD = 32;
/** TEST-NET-1 (RFC 5737). */
const SOURCE = 0xc0000201;
const DESTINATION = 0xc0000202;
const WRONG_CHECKSUM = 0xdead;

/**
 * Writes a super-packet that stands for two packets to the device `fd` (which must be up and have a virtio_net_hdr). Its
 * IPv4 header checksum is wrong on purpose: the driver does not look at it, the IP layer drops the packet for it. `mac` is
 * a TAP's own address, which the frame is for; undefined for a TUN.
 * Returns 0, or the errno: EINVAL on kernels that mistake such packets for malformed ones (Linux 6.6.44 and others of
 * July 2024), or that do not know UDP super-packets (before 6.2).
 */
export function probeSuperPacket(fd: number, transport: 'tcp' | 'udp', mac: Mac | undefined): number {
  const isTcp = transport === 'tcp';
  const link = mac === undefined ? 0 : ETHERNET_HEADER;
  const header = isTcp ? TCP_HEADER_MIN : UDP_HEADER;
  const length = IPV4_HEADER_MIN + header + PAYLOAD;
  const bytes = new Uint8Array(VNET_SIZE + link + length);
  const view = new DataView(bytes.buffer);
  bytes[VNET_FLAGS] = NEEDS_CSUM;
  bytes[VNET_GSO_TYPE] = isTcp ? GSO_TCPV4 : GSO_UDP_L4;
  view.setUint16(VNET_HDR_LEN, link + IPV4_HEADER_MIN + header, true);
  view.setUint16(VNET_GSO_SIZE, PAYLOAD / 2, true);
  view.setUint16(VNET_CSUM_START, link + IPV4_HEADER_MIN, true);
  view.setUint16(VNET_CSUM_OFFSET, isTcp ? TCP_CHECKSUM : UDP_CHECKSUM, true);
  // From itself: the kernel does not mind, and no bridge has to learn anything.
  if (mac !== undefined) emitEthernetHeader(view, VNET_SIZE, { destination: mac, source: mac, type: ETHERTYPE_IPV4 });
  const ip = VNET_SIZE + link;
  bytes[ip + IPV4_VERSION_IHL] = 0x45;
  view.setUint16(ip + IPV4_TOTAL_LENGTH, length);
  bytes[ip + IPV4_TTL] = 64;
  bytes[ip + IPV4_PROTOCOL] = isTcp ? IPPROTO_TCP : IPPROTO_UDP;
  view.setUint16(ip + IPV4_CHECKSUM, WRONG_CHECKSUM);
  view.setUint32(ip + IPV4_SOURCE, SOURCE);
  view.setUint32(ip + IPV4_DESTINATION, DESTINATION);
  const l4 = ip + IPV4_HEADER_MIN;
  if (isTcp) {
    bytes[l4 + TCP_DATA_OFFSET] = (TCP_HEADER_MIN / 4) << 4;
    bytes[l4 + TCP_FLAGS] = TCP_ACK;
  } else {
    view.setUint16(l4 + UDP_LENGTH, header + PAYLOAD);
  }
  return write(fd, addressOf(bytes), bytes.length) < 0 ? errno() : 0;
}
