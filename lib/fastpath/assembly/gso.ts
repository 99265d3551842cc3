// Cuts a super-packet into the packets that TCP or UDP would have sent one by one. Payload is copied and summed in one pass.
// Twin: test/golden/gso.ts.
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 } from '../../linux/virtio-net';
import { MAX_GSO_SEGS } from '../abi';
import { Cut, Gso } from './context';
import { copyOver, get16, get32, put16, put32 } from './packet/bytes';
import { copySumBytes, fold, pseudoSum, sumBytes, word } from './packet/checksum';
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_CHECKSUM,
  IPV4_ID,
  IPV4_TOTAL_LENGTH,
  IPV6_HEADER,
  IPV6_PAYLOAD_LENGTH,
  TCP_CHECKSUM,
  TCP_CWR,
  TCP_DATA_OFFSET,
  TCP_FIN,
  TCP_FLAGS,
  TCP_HEADER_MIN,
  TCP_PSH,
  TCP_SEQUENCE,
  UDP_CHECKSUM,
  UDP_HEADER,
  UDP_LENGTH,
} from './packet/layout';
import { findTransport, isFragment, offsetOf, protocolOf } from './packet/packet';

/** Our choice: IPv6 with 140 bytes of extension headers and the longest TCP header. MAX_GSO_SEGS of these fit OUT_CUTS. */
const MAX_HEADERS: u32 = 240;

/** Checks a super-packet against what the kernel says of it and plans its cut. False: the two disagree. */
export function planCuts(ip: usize, total: u32, gsoType: u32, gsoSize: u32): bool {
  const version: u32 = load<u8>(ip) >> 4;
  const isTcp = gsoType == GSO_TCPV4 || gsoType == GSO_TCPV6;
  if (!isTcp && gsoType != GSO_UDP_L4) return false;
  if ((gsoType == GSO_TCPV4 && version != 4) || (gsoType == GSO_TCPV6 && version != 6)) return false;
  const t = findTransport(ip, total);
  const transport = offsetOf(t);
  if (isFragment(t) || protocolOf(t) != (isTcp ? IPPROTO_TCP : IPPROTO_UDP)) return false;
  // The kernel's hdr_len is the linear part on the forward path, so the header's end is computed from the packet.
  let transportHeader: u32 = UDP_HEADER;
  if (isTcp) {
    if (transport + TCP_HEADER_MIN > total) return false;
    transportHeader = (<u32>load<u8>(ip + transport, TCP_DATA_OFFSET) >> 4) << 2;
    if (transportHeader < <u32>TCP_HEADER_MIN) return false;
  }
  const headers = transport + transportHeader;
  if (headers > total || headers > MAX_HEADERS || gsoSize == 0) return false;
  Gso.isTcp = isTcp;
  Gso.transport = transport;
  Gso.headers = headers;
  Gso.size = gsoSize;
  Gso.total = total;
  Gso.segs = max<u32>(1, (total - headers + gsoSize - 1) / gsoSize);
  return Gso.segs <= <u32>MAX_GSO_SEGS;
}

/** Does the planned packet have its checksum field at `offset` from `start`? */
export function checksumIsAt(start: u32, offset: u32): bool {
  return start == Gso.transport && offset == <u32>(Gso.isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
}

/** Length of the first, and so the longest, of the planned packets. */
export function longestCut(): u32 {
  return Gso.headers + min(Gso.size, Gso.total - Gso.headers);
}

/** Begins to cut the planned super-packet at `ip`. Its headers are altered. */
export function beginCut(ip: usize, prefix: u32): void {
  const version: u32 = load<u8>(ip) >> 4;
  const l4 = ip + Gso.transport;
  Cut.flags = Gso.isTcp ? <u32>load<u8>(l4, TCP_FLAGS) : 0;
  Cut.sequence = Gso.isTcp ? get32(l4 + TCP_SEQUENCE) : 0;
  Cut.id = version == 4 ? get16(ip + IPV4_ID) : 0;
  // What differs between the packets is zeroed in the template, and its sums are taken once.
  if (version == 4) {
    store<u16>(ip, 0, IPV4_TOTAL_LENGTH);
    store<u16>(ip, 0, IPV4_ID);
    store<u16>(ip, 0, IPV4_CHECKSUM);
  }
  if (Gso.isTcp) {
    store<u32>(l4, 0, TCP_SEQUENCE);
    store<u8>(l4, 0, TCP_FLAGS);
    store<u16>(l4, 0, TCP_CHECKSUM);
  } else {
    store<u16>(l4, 0, UDP_LENGTH);
    store<u16>(l4, 0, UDP_CHECKSUM);
  }
  Cut.ipSum = version == 4 ? sumBytes(ip, Gso.transport, 0) : 0;
  Cut.l4Sum = sumBytes(l4, Gso.headers - Gso.transport, pseudoSum(ip, version, Gso.isTcp ? IPPROTO_TCP : IPPROTO_UDP));
  Cut.template = ip;
  Cut.prefix = prefix;
  Cut.done = 0;
  Cut.left = Gso.total - Gso.headers;
}

/** Writes the next packet, prefix first, at `datagram`; up to 15 bytes behind it may be overwritten. Returns its length, 0 after the last. */
export function cutNext(datagram: usize): u32 {
  if (Cut.done == Gso.segs) return 0;
  const length = min(Gso.size, Cut.left);
  const payload = Cut.template + Gso.total - Cut.left;
  Cut.left -= length;
  const to = datagram + Cut.prefix;
  copyOver(datagram, Cut.template - Cut.prefix, Cut.prefix + Gso.headers);
  const ipLength = Gso.headers + length;
  const l4Length = ipLength - Gso.transport;
  if (load<u8>(Cut.template) >> 4 == 4) {
    put16(to + IPV4_TOTAL_LENGTH, ipLength);
    put16(to + IPV4_ID, Cut.id + Cut.done);
    const sum = Cut.ipSum + word(ipLength) + word(Cut.id + Cut.done);
    store<u16>(to, <u16>~fold(sum), IPV4_CHECKSUM);
  } else {
    put16(to + IPV6_PAYLOAD_LENGTH, ipLength - IPV6_HEADER);
  }
  const toL4 = to + Gso.transport;
  let sum = Cut.l4Sum + word(l4Length);
  if (Gso.isTcp) {
    let flags = Cut.flags;
    if (Cut.left) flags &= ~(TCP_FIN | TCP_PSH);
    if (Cut.done) flags &= ~TCP_CWR;
    put32(toL4 + TCP_SEQUENCE, Cut.sequence + Cut.done * Gso.size);
    store<u8>(toL4, <u8>flags, TCP_FLAGS);
    sum += <u64>load<u32>(toL4, TCP_SEQUENCE) + word(flags);
    sum = copySumBytes(to + Gso.headers, payload, length, sum);
    store<u16>(toL4, <u16>~fold(sum), TCP_CHECKSUM);
  } else {
    put16(toL4 + UDP_LENGTH, l4Length);
    sum += word(l4Length);
    sum = copySumBytes(to + Gso.headers, payload, length, sum);
    const checksum = <u16>~fold(sum);
    store<u16>(toL4, checksum ? checksum : 0xffff, UDP_CHECKSUM);
  }
  Cut.done++;
  return Cut.prefix + ipLength;
}
