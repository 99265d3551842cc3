// Cuts a super-packet into the packets that TCP or UDP would have sent one by one. Payload is copied and summed in one pass.
// Twin: test/golden/gso.ts.
import { MAX_GSO_SEGS } from '../abi';
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
import { findTransport, fragment, protocol, transport } from './packet/packet';
import { outCutSpace, stage, takeOutCutSpace } from './outbound/trains';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 } from './packet/vnet';

/** Our choice: IPv6 with 140 bytes of extension headers and the longest TCP header. MAX_GSO_SEGS of these fit OUT_CUTS. */
const MAX_HEADERS: u32 = 240;

/** Number of packets the planned super-packet stands for. */
export let segmentCount: u32 = 0;
let isTcp: bool = false;
/** Bytes of IP and transport header of the planned packet. */
export let headerLength: u32 = 0;
let transportAt: u32 = 0;
let segmentSize: u32 = 0;
let totalLength: u32 = 0;

/** Checks a super-packet against what the kernel says of it and plans its cut. False: the two disagree. */
export function planCuts(ip: usize, total: u32, gsoType: u32, gsoSize: u32): bool {
  const version: u32 = load<u8>(ip) >> 4;
  isTcp = gsoType == GSO_TCPV4 || gsoType == GSO_TCPV6;
  if (!isTcp && gsoType != GSO_UDP_L4) return false;
  if ((gsoType == GSO_TCPV4 && version != 4) || (gsoType == GSO_TCPV6 && version != 6)) return false;
  findTransport(ip, total);
  if (fragment || protocol != (isTcp ? IPPROTO_TCP : IPPROTO_UDP)) return false;
  // The kernel's hdr_len is the linear part on the forward path, so the header's end is computed from the packet.
  let transportHeader: u32 = UDP_HEADER;
  if (isTcp) {
    if (transport + TCP_HEADER_MIN > total) return false;
    transportHeader = (<u32>load<u8>(ip + transport, TCP_DATA_OFFSET) >> 4) << 2;
    if (transportHeader < <u32>TCP_HEADER_MIN) return false;
  }
  headerLength = transport + transportHeader;
  if (headerLength > total || headerLength > MAX_HEADERS || gsoSize == 0) return false;
  transportAt = transport;
  segmentSize = gsoSize;
  totalLength = total;
  segmentCount = max<u32>(1, (total - headerLength + gsoSize - 1) / gsoSize);
  return segmentCount <= <u32>MAX_GSO_SEGS;
}

/** Does the planned packet have its checksum field at `offset` from `start`? */
export function checksumIsAt(start: u32, offset: u32): bool {
  return start == transportAt && offset == <u32>(isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
}

/** Length of the first, and so the longest, of the planned packets. */
export function longestCut(): u32 {
  return headerLength + min(segmentSize, totalLength - headerLength);
}

// The cut in work: the packet whose headers are the template, the bytes before it that each segment gets too, the sums that
// all segments share, and how far it has come.
let template: usize = 0;
let prefixLength: u32 = 0;
let flags: u32 = 0;
let sequence: u32 = 0;
let id: u32 = 0;
let ipSum: u64 = 0;
let l4Sum: u64 = 0;
let done: u32 = 0;
let left: u32 = 0;

/** Cuts the planned super-packet at `ip` and stages its segments, each with a copy of the `prefix` bytes before `ip`. */
export function stageCuts(ip: usize, prefix: u32): void {
  beginCut(ip, prefix);
  for (;;) {
    const datagram = outCutSpace();
    const length = cutNext(datagram);
    if (!length) return;
    takeOutCutSpace(length);
    stage(datagram, length);
  }
}

/** Begins to cut the planned super-packet at `ip`. Its headers are altered. */
export function beginCut(ip: usize, prefix: u32): void {
  const version: u32 = load<u8>(ip) >> 4;
  const l4 = ip + transportAt;
  flags = isTcp ? <u32>load<u8>(l4, TCP_FLAGS) : 0;
  sequence = isTcp ? get32(l4 + TCP_SEQUENCE) : 0;
  id = version == 4 ? get16(ip + IPV4_ID) : 0;
  // Everything that differs between segments is zeroed in the template, and its sums are taken once.
  if (version == 4) {
    store<u16>(ip, 0, IPV4_TOTAL_LENGTH);
    store<u16>(ip, 0, IPV4_ID);
    store<u16>(ip, 0, IPV4_CHECKSUM);
  }
  if (isTcp) {
    store<u32>(l4, 0, TCP_SEQUENCE);
    store<u8>(l4, 0, TCP_FLAGS);
    store<u16>(l4, 0, TCP_CHECKSUM);
  } else {
    store<u16>(l4, 0, UDP_LENGTH);
    store<u16>(l4, 0, UDP_CHECKSUM);
  }
  ipSum = version == 4 ? sumBytes(ip, transportAt, 0) : 0;
  l4Sum = sumBytes(l4, headerLength - transportAt, pseudoSum(ip, version, isTcp ? IPPROTO_TCP : IPPROTO_UDP));
  template = ip;
  prefixLength = prefix;
  done = 0;
  left = totalLength - headerLength;
}

/** Writes the next segment, prefix first, at `datagram`; up to 15 bytes behind it may be overwritten. Returns its length, 0 after the last. */
export function cutNext(datagram: usize): u32 {
  if (done == segmentCount) return 0;
  const length = min(segmentSize, left);
  const payload = template + totalLength - left;
  left -= length;
  const to = datagram + prefixLength;
  copyOver(datagram, template - prefixLength, prefixLength + headerLength);
  const ipLength = headerLength + length;
  const l4Length = ipLength - transportAt;
  if (load<u8>(template) >> 4 == 4) {
    put16(to + IPV4_TOTAL_LENGTH, ipLength);
    put16(to + IPV4_ID, id + done);
    const sum = ipSum + word(ipLength) + word(id + done);
    store<u16>(to, <u16>~fold(sum), IPV4_CHECKSUM);
  } else {
    put16(to + IPV6_PAYLOAD_LENGTH, ipLength - IPV6_HEADER);
  }
  const toL4 = to + transportAt;
  let sum = l4Sum + word(l4Length);
  if (isTcp) {
    let segmentFlags = flags;
    if (left) segmentFlags &= ~(TCP_FIN | TCP_PSH);
    if (done) segmentFlags &= ~TCP_CWR;
    put32(toL4 + TCP_SEQUENCE, sequence + done * segmentSize);
    store<u8>(toL4, <u8>segmentFlags, TCP_FLAGS);
    sum += <u64>load<u32>(toL4, TCP_SEQUENCE) + word(segmentFlags);
    sum = copySumBytes(to + headerLength, payload, length, sum);
    store<u16>(toL4, <u16>~fold(sum), TCP_CHECKSUM);
  } else {
    put16(toL4 + UDP_LENGTH, l4Length);
    sum += word(l4Length);
    sum = copySumBytes(to + headerLength, payload, length, sum);
    const checksum = <u16>~fold(sum);
    store<u16>(toL4, checksum ? checksum : 0xffff, UDP_CHECKSUM);
  }
  done++;
  return prefixLength + ipLength;
}
