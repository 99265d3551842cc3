// The outer fields that depend on the inner packet: source port by flow, TOS octet.
import { CONFIG_TOS, CONFIG_TOS_INHERIT } from '../../abi';
import { get16 } from './bytes';
import {
  ECN_MASK,
  ETHERNET_TYPE,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DESTINATION,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV6_SOURCE,
} from './layout';
import { findTransport, isFragment, offsetOf, protocolOf } from './packet';

/** Bytes of the two ports, with which TCP and UDP begin. */
const PORTS: u32 = 4;

@inline
function mix(hash: u32): u32 {
  hash *= 0x9e3779b1;
  return hash ^ (hash >> 16);
}

/**
 * A hash of the flow the packet at `ip` belongs to: addresses, and ports unless it is a fragment, whose later ones have none.
 * All packets of a flow must leave by one socket, or they might overtake each other.
 */
export function flowOfPacket(ip: usize, total: u32): u32 {
  const t = findTransport(ip, total);
  const transport = offsetOf(t);
  const protocol = protocolOf(t);
  let h = protocol;
  if (load<u8>(ip) >> 4 == 4) h ^= load<u32>(ip, IPV4_SOURCE) ^ (load<u32>(ip, IPV4_DESTINATION) * 31);
  else {
    for (let i: u32 = 0; i < 32; i += 4) h = h * 31 + load<u32>(ip + i, IPV6_SOURCE);
  }
  const hasPorts = (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && !isFragment(t) && transport + PORTS <= total;
  return mix(hasPorts ? mix(h) ^ load<u32>(ip + transport) : h);
}

/** Of a frame without IP: by its two addresses and type. */
export function flowOfFrame(frame: usize): u32 {
  return mix(
    load<u32>(frame) ^ (load<u32>(frame, 4) * 31) ^ (load<u32>(frame, 8) * 961) ^ load<u16>(frame, ETHERNET_TYPE),
  );
}

/** TOS octet or traffic class of a packet. */
@inline
function tosOf(ip: usize): u32 {
  return load<u8>(ip) >> 4 == 4 ? <u32>load<u8>(ip, IPV4_TOS) : (get16(ip) >> 4) & 0xff;
}

/** The outer TOS octet: DSCP as configured, ECN as the inner packet has it (RFC 6040 §4.1, normal mode). */
@inline
export function outerTosOf(ip: usize): u32 {
  const inner = tosOf(ip);
  return load<u32>(CONFIG_TOS_INHERIT) ? inner : load<u32>(CONFIG_TOS) | (inner & ECN_MASK);
}

/** Of a frame without IP: nothing to inherit. */
@inline
export function outerTosOfFrame(): u32 {
  return load<u32>(CONFIG_TOS_INHERIT) ? 0 : load<u32>(CONFIG_TOS);
}
