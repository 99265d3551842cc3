// What the kernel left for us to do with a frame it handed over (its virtio_net_hdr): cut it, finish its checksum.
import { fold, sumBytes } from '../packet/checksum';
import { IPPROTO_UDP, IPV6_HEADER, UDP_CHECKSUM } from '../packet/layout';
import { findTransport, protocol, transport } from '../packet/packet';
import { checksumIsAt, planCuts, segmentCount } from '../gso';
import {
  GSO_ECN,
  GSO_NONE,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
} from '../packet/vnet';

let gsoType: u32 = 0;
let unfinished: bool = false;
let start: u32 = 0;
let offset: u32 = 0;
/** The super-packet can be cut as its header says. */
export let planned: bool = false;

/**
 * Reads the virtio_net_hdr (`vnet` bytes, or none) of the frame whose IP packet is at `ip`, `l2` bytes behind the start that
 * the header's offsets count from, and plans the cut of a super-packet.
 */
export function readOffload(frame: usize, vnet: u32, ip: usize, total: u32, l2: u32): void {
  readOffloadHeader(frame, vnet);
  planned =
    gsoType != GSO_NONE &&
    planCuts(ip, total, gsoType & ~GSO_ECN, load<u16>(frame, VNET_GSO_SIZE)) &&
    (!unfinished || checksumIsAt(start - l2, offset));
}

/** As readOffload, for a frame whose packet is not looked into. */
export function readOffloadHeader(frame: usize, vnet: u32): void {
  planned = false;
  gsoType = vnet ? <u32>load<u8>(frame, VNET_GSO_TYPE) : GSO_NONE;
  unfinished = vnet != 0 && (<u32>load<u8>(frame, VNET_FLAGS) & NEEDS_CSUM) != 0;
  start = vnet ? <u32>load<u16>(frame, VNET_CSUM_START) : 0;
  offset = vnet ? <u32>load<u16>(frame, VNET_CSUM_OFFSET) : 0;
}

// @ts-ignore: decorator
@inline
export function wasJoined(): bool {
  return gsoType != GSO_NONE;
}

// @ts-ignore: decorator
@inline
export function needsChecksum(): bool {
  return unfinished;
}

/** Packets the frame stands for on the wire. */
// @ts-ignore: decorator
@inline
export function packetsOf(): u32 {
  return planned ? segmentCount : 1;
}

/** Completes a checksum the kernel left to us: its field holds the pseudo-header's sum. Meta-data never reaches the wire. */
export function finishChecksum(ip: usize, total: u32, l2: u32): bool {
  if (start < l2) return false;
  const from = start - l2;
  const field = from + offset;
  const header: u32 = load<u8>(ip) >> 4 == 4 ? (<u32>load<u8>(ip) & 15) << 2 : IPV6_HEADER;
  if (from < header || from > total || field + 2 > total) return false;
  let sum = ~fold(sumBytes(ip + from, total - from, 0)) & 0xffff;
  if (sum == 0) {
    // RFC 768: a computed 0 is sent as 0xffff; for TCP 0 stays.
    findTransport(ip, total);
    if (protocol == IPPROTO_UDP && transport == from && offset == <u32>UDP_CHECKSUM) sum = 0xffff;
  }
  store<u16>(ip + field, <u16>sum);
  return true;
}
