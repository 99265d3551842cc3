// What the kernel left for us to do with a frame it handed over: cut it, finish its checksum. The virtio_net_hdr at `frame`
// says so, `vnet` bytes of it; 0: there is none, and nothing to do. `l2` bytes of Ethernet header lie between it and the IP
// packet; its offsets count from the first of them.
import {
  GSO_ECN,
  GSO_NONE,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
} from '../../../linux/virtio-net';
import { checksumIsAt, planCuts } from '../gso';
import { fold, sumBytes } from '../packet/checksum';
import { IPPROTO_UDP, IPV6_HEADER, UDP_CHECKSUM } from '../packet/layout';
import { findTransport, offsetOf, protocolOf } from '../packet/packet';

/** The frame is a super-packet. */
@inline
export function isSuper(frame: usize, vnet: u32): bool {
  return vnet != 0 && load<u8>(frame, VNET_GSO_TYPE) != GSO_NONE;
}

/** The transport checksum holds only the pseudo-header's sum. */
@inline
export function needsChecksum(frame: usize, vnet: u32): bool {
  return vnet != 0 && (load<u8>(frame, VNET_FLAGS) & NEEDS_CSUM) != 0;
}

/** Plans the cut of a super-packet, the checked packet at `ip`. False: the header does not fit the packet. */
export function planSuper(frame: usize, ip: usize, total: u32, l2: u32): bool {
  return (
    planCuts(ip, total, load<u8>(frame, VNET_GSO_TYPE) & ~GSO_ECN, load<u16>(frame, VNET_GSO_SIZE)) &&
    ((load<u8>(frame, VNET_FLAGS) & NEEDS_CSUM) == 0 ||
      checksumIsAt(<u32>load<u16>(frame, VNET_CSUM_START) - l2, load<u16>(frame, VNET_CSUM_OFFSET)))
  );
}

/** Completes a checksum that the kernel left to us. False: the header does not fit the packet. */
export function finishChecksum(frame: usize, ip: usize, total: u32, l2: u32): bool {
  const start = <u32>load<u16>(frame, VNET_CSUM_START);
  const offset = <u32>load<u16>(frame, VNET_CSUM_OFFSET);
  if (start < l2) return false;
  const from = start - l2;
  const field = from + offset;
  const header: u32 = load<u8>(ip) >> 4 == 4 ? (<u32>load<u8>(ip) & 15) << 2 : IPV6_HEADER;
  if (from < header || from > total || field + 2 > total) return false;
  let sum = ~fold(sumBytes(ip + from, total - from, 0)) & 0xffff;
  if (sum == 0) {
    // RFC 768: a computed 0 is sent as 0xffff; for TCP 0 stays.
    const t = findTransport(ip, total);
    if (protocolOf(t) == IPPROTO_UDP && offsetOf(t) == from && offset == <u32>UDP_CHECKSUM) sum = 0xffff;
  }
  store<u16>(ip + field, <u16>sum);
  return true;
}
