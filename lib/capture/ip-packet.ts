/** One IPv4 or IPv6 packet of a capture, which may have kept fewer bytes than the packet had. */
import type { Family, IpAddress } from '../addr/ip.ts';
import {
  checkIpv4,
  ipv4ChecksumIsValid,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import { checkIpv6, ipv6Destination, ipv6HopLimit, ipv6PayloadLength, ipv6Source, walkIpv6 } from '../wire/ipv6.ts';
import { IPV4_HEADER_MIN } from '../wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../wire/layout/ipv6.ts';

export interface IpPacket {
  readonly family: Family;
  /** Offsets in the frame: of the header, of what it carries, and of the packet's end, which the capture may not have. */
  readonly at: number;
  readonly payload: number;
  readonly end: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Of what it carries, behind IPv6's extension headers. */
  readonly protocol: number;
  /** TTL, or hop limit. */
  readonly ttl: number;
  /** TOS octet, or traffic class. */
  readonly tos: number;
  readonly isFragment: boolean;
  /** Of a fragment that is not the first: its payload begins with no header. */
  readonly isLater: boolean;
}

/**
 * Reads the packet at `at`; `end` is where what carries it ends, which may be beyond the bytes that were kept. `undefined`: it is
 * no whole IP packet, or its header's checksum is wrong. `cut`: the header was not kept whole.
 */
export function readIpPacket(view: DataView, at: number, end: number): IpPacket | 'cut' | undefined {
  if (at >= end) return undefined;
  if (at >= view.byteLength) return 'cut';
  return view.getUint8(at) >>> 4 === 6 ? readIpv6Packet(view, at, end) : readIpv4Packet(view, at, end);
}

function readIpv4Packet(view: DataView, at: number, end: number): IpPacket | 'cut' | undefined {
  if (end - at < IPV4_HEADER_MIN) return undefined;
  if (view.byteLength - at < IPV4_HEADER_MIN) return 'cut';
  if (checkIpv4(view, at, end) !== undefined) return undefined;
  const payload = at + ipv4HeaderLength(view, at);
  if (payload > view.byteLength) return 'cut';
  if (!ipv4ChecksumIsValid(view, at)) return undefined;
  const offset = ipv4FragmentOffset(view, at);
  return {
    family: 4,
    at,
    payload,
    end: at + ipv4TotalLength(view, at),
    source: ipv4Source(view, at),
    destination: ipv4Destination(view, at),
    protocol: ipv4Protocol(view, at),
    ttl: ipv4Ttl(view, at),
    tos: ipv4Tos(view, at),
    isFragment: offset > 0 || ipv4MoreFragments(view, at),
    isLater: offset > 0,
  };
}

function readIpv6Packet(view: DataView, at: number, end: number): IpPacket | 'cut' | undefined {
  if (end - at < IPV6_HEADER) return undefined;
  if (view.byteLength - at < IPV6_HEADER) return 'cut';
  if (checkIpv6(view, at, end) !== undefined) return undefined;
  const packetEnd = at + IPV6_HEADER + ipv6PayloadLength(view, at);
  const kept = Math.min(packetEnd, view.byteLength);
  const chain = walkIpv6(view, at, kept);
  if (typeof chain === 'string') return kept < packetEnd && chain === 'truncated' ? 'cut' : undefined;
  return {
    family: 6,
    at,
    payload: chain.offset,
    end: packetEnd,
    source: ipv6Source(view, at),
    destination: ipv6Destination(view, at),
    protocol: chain.protocol,
    ttl: ipv6HopLimit(view, at),
    tos: (view.getUint16(at) >>> 4) & 0xff,
    isFragment: chain.fragment !== undefined,
    isLater: chain.fragment !== undefined && chain.fragment.offset > 0,
  };
}
